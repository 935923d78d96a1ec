//! Texts and numbers as the API may send them: a number for a text, a text for a number, or nothing.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

/// A text, borrowed where it stands in the body as it is. The API may send a number, or nothing.
#[derive(Clone, Debug, Default)]
pub struct Text<'a>(Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
        deserializer.deserialize_any(TextVisitor).map(Text)
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
pub struct Amount(pub f64);

impl Amount {
    /// As a whole number; never below zero.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // A cast saturates.
    pub fn whole(self) -> u64 {
        self.0 as u64
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
        deserializer.deserialize_any(AmountVisitor).map(Amount)
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
