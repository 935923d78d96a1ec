//! What a method looks like in the API's description, as far as it is kept: each with a limit, as
//! it is a stranger's.

use std::fmt;

use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::Value;

use crate::api::request::Verb;
use crate::counted::{Cost, CountedValue};

pub(super) const NAME_MAX_BYTES: usize = 200;
/// Of one method; 9.2 has 200.
const METHOD_PARAMS_MAX: usize = 1000;
const OPTIONS_MAX: usize = 500;
/// What the rule of one method may take in memory.
const RULE_MAX_BYTES: usize = 64 * 1024;

/// The few fields of a method that are kept. What is not named here is skipped as it streams.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct RawMethod {
    #[serde(rename = "allowtoken")]
    pub(super) allow_token: RawScalar,
    pub(super) parameters: RawParameters,
    #[serde(deserialize_with = "rule")]
    pub(super) permissions: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct RawParameters {
    #[serde(rename = "additionalProperties")]
    pub(super) additional: RawScalar,
    #[serde(deserialize_with = "properties")]
    pub(super) properties: Vec<(String, RawParam)>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct RawParam {
    #[serde(rename = "type")]
    pub(super) kind: RawScalar,
    pub(super) optional: RawScalar,
    pub(super) r#enum: Option<RawOptions>,
    pub(super) minimum: RawScalar,
    pub(super) maximum: RawScalar,
    pub(super) min_length: RawScalar,
    pub(super) max_length: RawScalar,
}

/// The methods of a path that are Proxmox's, each once.
#[derive(Default)]
pub(super) struct RawMethods(pub(super) Vec<(Verb, RawMethod)>);

impl<'de> Deserialize<'de> for RawMethods {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<RawMethods, D::Error> {
        json.deserialize_map(RawMethodsVisitor)
    }
}

struct RawMethodsVisitor;

impl<'de> Visitor<'de> for RawMethodsVisitor {
    type Value = RawMethods;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("methods")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<RawMethods, A::Error> {
        let mut methods: Vec<(Verb, RawMethod)> = Vec::new();
        while let Some(name) = entries.next_key::<String>()? {
            let verb = match name.as_str() {
                "GET" => Verb::Get,
                "POST" => Verb::Post,
                "PUT" => Verb::Put,
                "DELETE" => Verb::Delete,
                _ => {
                    entries.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            let method = entries.next_value()?;
            methods.retain(|(known, _)| *known != verb);
            methods.push((verb, method));
        }
        Ok(RawMethods(methods))
    }
}

/// The parameters of a method, no more than any has.
fn properties<'de, D: Deserializer<'de>>(json: D) -> Result<Vec<(String, RawParam)>, D::Error> {
    json.deserialize_map(PropertiesVisitor)
}

struct PropertiesVisitor;

impl<'de> Visitor<'de> for PropertiesVisitor {
    type Value = Vec<(String, RawParam)>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("parameters")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut params = Vec::new();
        while let Some(param) = entries.next_entry()? {
            params.push(param);
            if params.len() > METHOD_PARAMS_MAX {
                return Err(A::Error::custom("a method has too many parameters"));
            }
        }
        Ok(params)
    }
}

/// The values that a parameter may have; of too many, the first ones.
pub(super) struct RawOptions(pub(super) Vec<RawScalar>);

impl<'de> Deserialize<'de> for RawOptions {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<RawOptions, D::Error> {
        json.deserialize_seq(OptionsVisitor)
    }
}

struct OptionsVisitor;

impl<'de> Visitor<'de> for OptionsVisitor {
    type Value = RawOptions;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("values")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<RawOptions, A::Error> {
        let mut options = Vec::new();
        while options.len() < OPTIONS_MAX {
            match values.next_element()? {
                Some(option) => options.push(option),
                None => return Ok(RawOptions(options)),
            }
        }
        while values.next_element::<IgnoredAny>()?.is_some() {}
        Ok(RawOptions(options))
    }
}

/// A method's rule, which is an object of any form.
fn rule<'de, D: Deserializer<'de>>(json: D) -> Result<Option<Value>, D::Error> {
    let mut cost = Cost::at_most(RULE_MAX_BYTES);
    let rule = CountedValue(&mut cost).deserialize(json)?;
    Ok(Some(rule).filter(|rule| !rule.is_null()))
}

/// A scalar of the description, where a number or a truth may also be a text. What is no scalar is
/// skipped.
#[derive(Default)]
pub(super) enum RawScalar {
    #[default]
    Nothing,
    Text(String),
    Number(f64),
    Truth(bool),
    Other,
}

impl RawScalar {
    pub(super) fn is_true(&self) -> Option<bool> {
        match self {
            RawScalar::Nothing => None,
            RawScalar::Text(text) => Some(!matches!(text.as_str(), "" | "0")),
            RawScalar::Number(number) => Some(*number != 0.0),
            RawScalar::Truth(truth) => Some(*truth),
            // A schema for further names, as `additionalProperties` may have it.
            RawScalar::Other => Some(true),
        }
    }

    pub(super) fn number(&self) -> Option<f64> {
        match self {
            RawScalar::Number(number) => Some(*number),
            RawScalar::Text(text) => text.trim().parse().ok().filter(|n: &f64| n.is_finite()),
            _ => None,
        }
    }

    pub(super) fn length(&self) -> Option<u32> {
        let number = self.number()?;
        // Through text, since a cast would make something of anything.
        format!("{number:.0}").parse().ok()
    }

    pub(super) fn into_text(self) -> Option<String> {
        match self {
            RawScalar::Text(text) => Some(text),
            RawScalar::Number(number) => Some(number.to_string()),
            RawScalar::Truth(truth) => Some(if truth { "1" } else { "0" }.into()),
            RawScalar::Nothing | RawScalar::Other => None,
        }
    }
}

impl<'de> Deserialize<'de> for RawScalar {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<RawScalar, D::Error> {
        json.deserialize_any(LooseVisitor)
    }
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = RawScalar;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }
    fn visit_str<E>(self, text: &str) -> Result<RawScalar, E> {
        if text.len() > NAME_MAX_BYTES {
            return Ok(RawScalar::Other);
        }
        Ok(RawScalar::Text(text.to_string()))
    }
    fn visit_bool<E>(self, truth: bool) -> Result<RawScalar, E> {
        Ok(RawScalar::Truth(truth))
    }
    // Limits are far below 2^53, where a float would begin to round.
    #[allow(clippy::cast_precision_loss)]
    fn visit_u64<E>(self, number: u64) -> Result<RawScalar, E> {
        Ok(RawScalar::Number(number as f64))
    }
    #[allow(clippy::cast_precision_loss)]
    fn visit_i64<E>(self, number: i64) -> Result<RawScalar, E> {
        Ok(RawScalar::Number(number as f64))
    }
    fn visit_f64<E>(self, number: f64) -> Result<RawScalar, E> {
        Ok(RawScalar::Number(number))
    }
    fn visit_unit<E>(self) -> Result<RawScalar, E> {
        Ok(RawScalar::Nothing)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RawScalar, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(RawScalar::Other)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawScalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(RawScalar::Other)
    }
}
