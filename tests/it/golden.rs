//! What a test writes is compared with a file beside it, line by line.

use std::path::Path;
use std::{env, fs};

/// Holds what was written against the file at `path` of the package; `UPDATE=1` writes it anew.
pub(crate) fn compare(path: &str, written: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let golden = fs::read_to_string(&file).unwrap_or_default();
    if golden == written {
        return;
    }
    if env::var_os("UPDATE").is_some() {
        fs::write(&file, written).expect("the golden file can be written");
        return;
    }
    let lines = golden.lines().chain(std::iter::repeat("(the end)"));
    let again = written.lines().chain(std::iter::repeat("(the end)"));
    let (number, (expected, got)) = (1..)
        .zip(lines.zip(again))
        .find(|(_, (a, b))| a != b)
        .expect("a difference");
    panic!("{path}:{number} (UPDATE=1 rewrites it)\n  expected: {expected}\n  got:      {got}");
}
