//! The simulated clusters, held against recordings of real ones and looked at over TLS.

pub(crate) mod fuzz_corpus;
pub(crate) mod itself;
pub(crate) mod remote;
pub(crate) mod replay;
pub(crate) mod replay_data;
pub(crate) mod replay_labs;
pub(crate) mod replay_later;
pub(crate) mod replay_later_data;
pub(crate) mod replay_later_scenes;
pub(crate) mod replay_remote;
pub(crate) mod replay_scenes;
pub(crate) mod replay_tally;
pub(crate) mod replay_text;
pub(crate) mod wire;
