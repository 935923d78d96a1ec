//! Values as the API may write them: a number for a text, a text for a number, a boolean as `1`, `"on"` or
//! `true`, or nothing. Nobody else reads them apart.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use serde_json::Value;

/// The boolean that Proxmox takes a text for; `None` where it takes it for none.
pub fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "on" | "yes" | "true" => Some(true),
        "0" | "off" | "no" | "false" => Some(false),
        _ => None,
    }
}

/// A boolean, however it is written; of a number whether it is not zero. `None` where it is neither.
pub fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(yes) => Some(*yes),
        Value::Number(number) => Some(number.as_f64() != Some(0.0)),
        Value::String(text) => {
            truth(text).or_else(|| Some(text.trim().parse::<f64>().ok()? != 0.0))
        }
        _ => None,
    }
}

/// Whether a boolean is there and on.
pub fn flag(value: Option<&Value>) -> bool {
    value.and_then(boolean) == Some(true)
}

/// A whole number; 0 where there is none.
pub fn number(value: Option<&Value>) -> u64 {
    match value {
        Some(Value::Number(number)) => number
            .as_u64()
            .or_else(|| number.as_f64().map(|number| LooseNumber(number).whole()))
            .unwrap_or_default(),
        Some(Value::String(text)) => text.parse().unwrap_or_default(),
        Some(Value::Bool(yes)) => u64::from(*yes),
        _ => 0,
    }
}

/// A number with what is behind its point; 0 where there is none.
pub fn fraction(value: Option<&Value>) -> f64 {
    match value {
        Some(Value::String(text)) => text.parse().unwrap_or_default(),
        value => value.and_then(Value::as_f64).unwrap_or_default(),
    }
}

/// The number of a guest.
pub fn vmid(value: &Value) -> Option<u32> {
    match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64().and_then(|vmid| u32::try_from(vmid).ok()),
    }
}

/// A value as text, as Proxmox writes it: a boolean is 1 or 0.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(yes) => u8::from(*yes).to_string(),
        other => other.to_string(),
    }
}

/// A value as a list: an array, or a text that Proxmox splits.
pub fn items(value: &Value) -> Vec<String> {
    if let Value::Array(values) = value {
        return values.iter().map(plain).collect();
    }
    let apart = |c: char| matches!(c, ',' | ';' | '\0') || c.is_whitespace();
    let text = plain(value);
    let items = text.split(apart).filter(|item| !item.is_empty());
    items.map(str::to_string).collect()
}

/// A text, borrowed where it stands in the body as it is. The API may send a number, or nothing.
#[derive(Clone, Debug, Default)]
pub struct LooseText<'a>(Cow<'a, str>);

impl Deref for LooseText<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for LooseText<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<LooseText<'a>, D::Error> {
        deserializer.deserialize_any(TextVisitor).map(LooseText)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(number.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Cow::default())
    }
}

/// A number or a boolean, however the API writes it: `1`, `1.0`, `"1"`, `true`, `null`.
#[derive(Clone, Copy, Debug, Default)]
pub struct LooseNumber(pub f64);

impl LooseNumber {
    /// As a whole number; never below zero.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // A cast saturates.
    pub fn whole(self) -> u64 {
        self.0 as u64
    }
}

impl<'de> Deserialize<'de> for LooseNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<LooseNumber, D::Error> {
        deserializer.deserialize_any(AmountVisitor).map(LooseNumber)
    }
}

struct AmountVisitor;

#[allow(clippy::cast_precision_loss)] // Sizes are shown in MiB at the finest.
impl Visitor<'_> for AmountVisitor {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_u64<E>(self, number: u64) -> Result<f64, E> {
        Ok(number as f64)
    }

    fn visit_i64<E>(self, number: i64) -> Result<f64, E> {
        Ok(number as f64)
    }

    fn visit_f64<E>(self, number: f64) -> Result<f64, E> {
        Ok(number)
    }

    fn visit_bool<E>(self, yes: bool) -> Result<f64, E> {
        Ok(f64::from(u8::from(yes)))
    }

    fn visit_str<E>(self, text: &str) -> Result<f64, E> {
        Ok(text.trim().parse().unwrap_or_default())
    }

    fn visit_unit<E>(self) -> Result<f64, E> {
        Ok(0.0)
    }
}
