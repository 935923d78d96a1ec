//! What a cluster has as a whole: its options, and its log.

mod log;
mod options;

use crate::tool::Tool;

pub static TOOLS: &[Tool] = &[options::OPTIONS, log::LOG];
