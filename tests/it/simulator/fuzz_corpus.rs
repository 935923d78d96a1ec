//! The kept corpus of the fuzzing holds what it found once; it goes through the same targets here,
//! without the fuzzer.

use std::fs;
use std::path::{Path, PathBuf};

use crate::fuzz_targets::TARGETS;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|cause| panic!("{folder:?}: {cause}"));
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
    names.sort();
    names
}

#[test]
fn every_input_holds() {
    for (target, run) in TARGETS {
        let folder = corpus().join(target);
        let inputs = names(&folder);
        assert!(inputs.len() >= 3, "{target}: {inputs:?}");
        for input in inputs {
            let bytes = fs::read(folder.join(&input)).expect("an input");
            println!("{target} {input}");
            run(&bytes);
            // Cut anywhere, it does no harm either.
            for end in (0..bytes.len()).step_by(bytes.len() / 16 + 1) {
                run(&bytes[..end]);
            }
        }
    }
}

#[test]
fn every_target_has_a_corpus_and_every_corpus_a_target() {
    let mut targets: Vec<&str> = TARGETS.iter().map(|(target, _)| *target).collect();
    targets.sort_unstable();
    assert_eq!(names(&corpus()), targets);
}
