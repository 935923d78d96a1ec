//! The program: standard input to standard output.

fn main() {}
