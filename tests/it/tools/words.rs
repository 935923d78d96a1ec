//! One word for one thing: what is said of a guest, a node, a storage, a pool or a volume in answers,
//! plans and questions. Every session of the tests is held to it.

use serde_json::Value;

/// Words that stand for nothing here: `type` and `volume` are said.
const NEVER: [&str; 2] = ["kind", "volid"];
const GUESTS: [&str; 2] = ["vm", "container"];

/// Holds an answer, or the plan in it. What a path of the API answers is in the API's own words.
pub(crate) fn hold_answer(answer: &Value) {
    let is_raw = answer.get("path").is_some();
    let entries = answer.as_object().into_iter().flatten();
    let ours = entries.filter(|(key, _)| !(is_raw && matches!(key.as_str(), "data" | "items")));
    hold(&Value::Object(
        ours.map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    ));
}

fn hold(answer: &Value) {
    match answer {
        Value::Array(entries) => entries.iter().for_each(hold),
        Value::Object(entries) => {
            for (key, entry) in entries {
                assert!(!NEVER.contains(&key.as_str()), "`{key}` in {answer}");
                hold(entry);
            }
            let is_guest = entries.contains_key("vmid");
            if let Some(of_type) = entries.get("type").filter(|_| is_guest) {
                let is_ours = of_type.as_str().is_some_and(|word| GUESTS.contains(&word));
                assert!(is_ours, "a guest of type {of_type} in {answer}");
            }
        }
        _ => {}
    }
}

/// Holds the text of a question, whose lines are the keys and values of a plan.
pub(crate) fn hold_question(message: &str) {
    let key = |line: &str| line.split(':').next().unwrap_or_default().to_string();
    let wrong: Vec<String> = message.lines().map(key).collect();
    assert!(
        !wrong.iter().any(|key| NEVER.contains(&key.as_str())),
        "{message}"
    );
    let types = message
        .lines()
        .filter_map(|line| line.strip_prefix("type: "));
    types.for_each(|word| assert!(GUESTS.contains(&word), "{message}"));
}
