//! What the reader of `.env` files makes of each row of a table that python-dotenv filled in.

use std::collections::{BTreeMap, HashMap};

use proxmox_mcp::config::env_file;
use serde::Deserialize;

#[derive(Deserialize)]
struct Row {
    file: String,
    #[serde(default)]
    environment: HashMap<String, String>,
    reads: BTreeMap<String, String>,
    broken: usize,
}

#[test]
fn every_row_is_read_as_python_dotenv_reads_it() {
    let rows: Vec<Row> = include_str!("dotenv_table.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(rows.len() >= 40, "{} rows", rows.len());
    let mut wrong = Vec::new();
    for row in &rows {
        let environment = row
            .environment
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let read = env_file::read(row.file.as_bytes(), &environment);
        let pairs: BTreeMap<String, String> = read.pairs.iter().cloned().collect();
        if pairs != row.reads || read.broken.len() != row.broken || read.pairs.len() != pairs.len()
        {
            wrong.push(format!(
                "{:?}\n  is       {:?}, broken {:?}\n  ought be {:?}, broken {}",
                row.file, read.pairs, read.broken, row.reads, row.broken
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The lines that are reported as broken.
fn check(file: &[u8], broken: &[usize]) {
    let read = env_file::read(file, &HashMap::new());
    assert_eq!(read.broken, broken, "{:?}", String::from_utf8_lossy(file));
}

#[test]
fn a_broken_statement_has_the_number_of_the_line_where_it_begins() {
    check(b"A=1\n", &[]);
    check(b"A B\n", &[1]);
    check(b"\n\n# x\n\n  A B\n", &[5]);
    check(b"A=1\r\nB C\r\nD=1\r\n=\r\n", &[2, 4]);
    check(b"A=1\rB C\rD=1\r", &[2]);
    check(b"A='1\n2\n3'\nB C\n", &[4]);
    check(b"A='1\n2\n3' 4\nB=1\nC D\n", &[1, 5]);
    check(b"A=\"1\n2\nB=\"3\nC D\n", &[1, 4]);
    check(b"A=\"1\n2\nB C\n", &[1, 3]);
    check(b"\xef\xbb\xbfA B\n", &[1]);
    check(b"A=1\nB=\xff\nC D\n", &[2, 3]);
}

#[test]
fn no_text_makes_the_reader_stumble() {
    let pieces = [
        "A", "=", "'", "\"", "\\", "$", "{", "}", ":-", "#", " ", "\n", "export ", "\u{feff}", "%",
        "é",
    ];
    // Every text of four pieces.
    for number in 0..pieces.len().pow(4) {
        let text: String = (0..4)
            .map(|place| pieces[number / pieces.len().pow(place) % pieces.len()])
            .collect();
        env_file::read(text.as_bytes(), &HashMap::new());
    }
}
