//! One reader of loose values: what Proxmox writes as it pleases is read alike everywhere.

use proxmox_mcp::api::loose::{
    LooseNumber, LooseText, boolean, flag, fraction, items, number, plain, vmid,
};
use serde_json::{Value, json};

#[test]
fn a_boolean_is_read_however_it_is_written() {
    for (value, expected) in [
        (json!(true), Some(true)),
        (json!(1), Some(true)),
        (json!(1.0), Some(true)),
        (json!(2), Some(true)),
        (json!("1"), Some(true)),
        (json!("2"), Some(true)),
        (json!("on"), Some(true)),
        (json!("On"), Some(true)),
        (json!("yes"), Some(true)),
        (json!("true"), Some(true)),
        (json!(false), Some(false)),
        (json!(0), Some(false)),
        (json!(0.0), Some(false)),
        (json!("0"), Some(false)),
        (json!("off"), Some(false)),
        (json!("No"), Some(false)),
        (json!("false"), Some(false)),
        (json!(""), None),
        (json!("enabled"), None),
        (json!(null), None),
        (json!([1]), None),
        (json!({"a": 1}), None),
    ] {
        assert_eq!(boolean(&value), expected, "{value}");
        assert_eq!(flag(Some(&value)), expected == Some(true), "{value}");
    }
    assert!(!flag(None));
}

#[test]
fn numbers_are_read_out_of_texts_too() {
    for (value, whole, exact) in [
        (json!(7), 7, 7.0),
        (json!(7.9), 7, 7.9),
        (json!("7"), 7, 7.0),
        (json!("7.9"), 0, 7.9),
        (json!(-1), 0, -1.0),
        (json!(1e30), u64::MAX, 1e30),
        (json!("seven"), 0, 0.0),
        (json!(null), 0, 0.0),
        (json!([7]), 0, 0.0),
    ] {
        assert_eq!(number(Some(&value)), whole, "{value}");
        assert!(
            (fraction(Some(&value)) - exact).abs() < f64::EPSILON,
            "{value}"
        );
    }
    assert_eq!(number(Some(&json!(true))), 1);
    assert_eq!((number(None), fraction(None).to_bits()), (0, 0));
    for (value, expected) in [
        (json!(100), Some(100)),
        (json!("100"), Some(100)),
        (json!(4_294_967_296_u64), None),
        (json!(-100), None),
        (json!(100.5), None),
        (json!("vm"), None),
        (json!(null), None),
    ] {
        assert_eq!(vmid(&value), expected, "{value}");
    }
}

#[test]
fn texts_and_lists_are_those_that_proxmox_writes() {
    for (value, text) in [
        (json!("a b"), "a b"),
        (json!(true), "1"),
        (json!(false), "0"),
        (json!(512), "512"),
        (json!(0.5), "0.5"),
    ] {
        assert_eq!(plain(&value), text, "{value}");
    }
    let list = |value: Value| items(&value).join("|");
    assert_eq!(list(json!("a,b;c d\te\0f")), "a|b|c|d|e|f");
    assert_eq!(list(json!(",, a ,")), "a");
    assert_eq!(list(json!(["a", 1, true])), "a|1|1");
    assert_eq!(list(json!("")), "");
}

/// Rows of long lists are read without becoming values first.
#[test]
fn a_row_is_read_as_a_value_is() {
    for (json, text) in [
        (r#""a""#, "a"),
        (r#""\u0041""#, "A"),
        ("7", "7"),
        ("-7", "-7"),
        ("1.5", "1.5"),
        ("null", ""),
    ] {
        let read: LooseText = serde_json::from_str(json).expect(json);
        assert_eq!(&*read, text, "{json}");
    }
    for (json, number) in [
        ("7", 7.0),
        ("-7", -7.0),
        ("1.5", 1.5),
        (r#"" 7 ""#, 7.0),
        (r#""seven""#, 0.0),
        ("true", 1.0),
        ("false", 0.0),
        ("null", 0.0),
    ] {
        let LooseNumber(read) = serde_json::from_str(json).expect(json);
        assert!((read - number).abs() < f64::EPSILON, "{json}: {read}");
    }
    let why = |wrong: serde_json::Error| wrong.to_string();
    let text = serde_json::from_str::<LooseText>("[]").map_err(why);
    assert!(text.expect_err("a list").contains("expected a text"));
    let number = serde_json::from_str::<LooseNumber>("[]").map_err(why);
    assert!(number.expect_err("a list").contains("expected a number"));
}
