//! The first rows of a list, whatever the order in which they come.

use proxmox_mcp::tool::first_rows::FirstRows;
use proxmox_mcp::tool::rows::Row;
use serde_json::json;

/// Numbers that look like chance, and are the same in each run.
fn numbers(count: usize, below: u64) -> Vec<u64> {
    let mut seed: u64 = 1;
    let next = || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn row(arrival: usize) -> Row {
    Row::from([("arrival", json!(arrival))])
}

fn arrivals(rows: Vec<(u64, Row)>) -> Vec<u64> {
    let rows = rows.iter();
    rows.map(|(_, row)| row.get("arrival").and_then(serde_json::Value::as_u64))
        .map(|arrival| arrival.expect("a number"))
        .collect()
}

#[test]
fn they_are_those_of_the_sorted_list() {
    for (count, below, keep) in [
        (0, 5, 3),
        (7, 3, 10),
        (500, 7, 50),
        (500, 1000, 50),
        (9, 9, 0),
    ] {
        let keys = numbers(count, below);
        let mut first_rows = FirstRows::new(keep);
        let mut sorted: Vec<(u64, u64)> = Vec::new();
        for (arrival, key) in keys.iter().enumerate() {
            first_rows.push(*key, || row(arrival));
            sorted.push((*key, arrival as u64));
        }
        // Equal ones stay as they came.
        sorted.sort_by_key(|(key, _)| *key);
        let first = sorted.iter().take(keep).map(|(_, arrival)| *arrival);
        assert_eq!(
            arrivals(first_rows.into_rows()),
            first.collect::<Vec<_>>(),
            "{count} {below} {keep}"
        );
    }
}

#[test]
fn no_more_are_made_than_can_be_shown() {
    let mut made = 0;
    let mut first_rows = FirstRows::new(10);
    for key in 0..10_000 {
        first_rows.push(key, || {
            made += 1;
            Row::new()
        });
    }
    assert_eq!(made, 10);
}

#[test]
fn what_several_found_comes_together() {
    let mut all = FirstRows::new(4);
    for start in [3, 0, 2] {
        let mut one = FirstRows::new(4);
        for step in [6, 0, 3] {
            one.push(start + step, || {
                row(usize::try_from(start + step).expect("small"))
            });
        }
        all.extend(one.into_rows());
    }
    assert_eq!(arrivals(all.into_rows()), [0, 2, 3, 3]);
}
