//! Reads `apidoc.js` as it streams: a JavaScript file of over 4 MB whose one array of paths is JSON.
//!
//! The text is never held whole. What stands before the first `[` differs between versions, and
//! behind the array comes the viewer's code: the one is skipped, the other not looked at.

use std::collections::HashMap;
use std::fmt;
use std::io::{BufReader, Read};
use std::mem::size_of;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::{Kind, Limits, Method, Param, Schema};
use crate::proxmox::request::Verb;

/// What may stand before the array.
const PREAMBLE_MAX_BYTES: usize = 4096;
const READ_AHEAD_BYTES: usize = 16 * 1024;
/// A version with more than this is not one of Proxmox VE (9.2 has 680 and 3 097).
const METHODS_MAX: usize = 4000;
const PARAMS_MAX: usize = 40_000;
const OPTIONS_MAX: usize = 500;
const NAME_MAX_BYTES: usize = 200;
/// The longest of 9.2 takes 250.
const PERMISSIONS_MAX_BYTES: usize = 1000;

/// The description that `source` streams.
///
/// # Errors
/// A sentence that says why it is none.
pub fn read(source: &mut dyn Read) -> Result<Schema, String> {
    let mut source = BufReader::with_capacity(READ_AHEAD_BYTES, source);
    let mut byte = [0];
    let mut skipped = 0_usize;
    loop {
        match source.read(&mut byte) {
            Ok(0) => return Err("it ends before its array begins".into()),
            Ok(_) if byte == *b"[" => break,
            Ok(_) => skipped = skipped.saturating_add(1),
            Err(e) => return Err(e.to_string()),
        }
        if skipped > PREAMBLE_MAX_BYTES {
            return Err("no array begins where one is expected".into());
        }
    }
    let mut builder = Builder::default();
    let mut json = serde_json::Deserializer::from_reader((&byte[..]).chain(source));
    Paths(&mut builder)
        .deserialize(&mut json)
        .map_err(|e| e.to_string())?;
    if builder.methods.is_empty() {
        return Err("it describes no method".into());
    }
    Ok(Schema::new(builder.methods, builder.shared_bytes))
}

/// What has been read, with equal texts kept once.
#[derive(Default)]
struct Builder {
    methods: Vec<Method>,
    params: usize,
    texts: HashMap<String, Arc<str>>,
    lists: HashMap<Vec<String>, Arc<[Arc<str>]>>,
    shared_bytes: usize,
}

impl Builder {
    fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let shared: Arc<str> = Arc::from(text);
        // An `Arc` keeps two counters beside its content.
        self.shared_bytes = self
            .shared_bytes
            .saturating_add(text.len() + 2 * size_of::<usize>());
        self.texts.insert(text.to_string(), Arc::clone(&shared));
        shared
    }

    fn list(&mut self, options: Vec<String>) -> Arc<[Arc<str>]> {
        if let Some(known) = self.lists.get(&options) {
            return Arc::clone(known);
        }
        let shared: Arc<[Arc<str>]> = options.iter().map(|option| self.text(option)).collect();
        self.shared_bytes = self
            .shared_bytes
            .saturating_add((shared.len() + 1) * 2 * size_of::<usize>());
        self.lists.insert(options, Arc::clone(&shared));
        shared
    }
}

/// An array of paths, each with those below it.
struct Paths<'a>(&'a mut Builder);

impl<'de> DeserializeSeed<'de> for Paths<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Paths<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of paths")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut paths: A) -> Result<(), A::Error> {
        while paths.next_element_seed(Path(self.0))?.is_some() {}
        Ok(())
    }
}

struct Path<'a>(&'a mut Builder);

impl<'de> DeserializeSeed<'de> for Path<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Path<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a path")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let mut template = String::new();
        let mut methods: HashMap<String, RawMethod> = HashMap::new();
        while let Some(name) = fields.next_key::<String>()? {
            match name.as_str() {
                "children" => fields.next_value_seed(Paths(self.0))?,
                "path" => template = fields.next_value()?,
                "info" => methods = fields.next_value()?,
                _ => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        for (verb, raw) in methods {
            self.0
                .add(&template, &verb, raw)
                .map_err(serde::de::Error::custom)?;
        }
        Ok(())
    }
}

/// The few fields of a method that are kept. What is not named here is skipped as it streams.
#[derive(Deserialize, Default)]
#[serde(default)]
struct RawMethod {
    #[serde(rename = "allowtoken")]
    allow_token: Loose,
    parameters: RawParameters,
    permissions: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawParameters {
    #[serde(rename = "additionalProperties")]
    additional: Loose,
    properties: HashMap<String, RawParam>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct RawParam {
    #[serde(rename = "type")]
    kind: Loose,
    optional: Loose,
    r#enum: Option<Vec<Loose>>,
    minimum: Loose,
    maximum: Loose,
    min_length: Loose,
    max_length: Loose,
}

impl Builder {
    fn add(&mut self, template: &str, verb: &str, raw: RawMethod) -> Result<(), String> {
        let verb = match verb {
            "GET" => Verb::Get,
            "POST" => Verb::Post,
            "PUT" => Verb::Put,
            "DELETE" => Verb::Delete,
            _ => return Ok(()),
        };
        self.params = self.params.saturating_add(raw.parameters.properties.len());
        if self.methods.len() >= METHODS_MAX || self.params > PARAMS_MAX {
            return Err("it describes more than any Proxmox VE has".into());
        }
        let mut params = Vec::with_capacity(raw.parameters.properties.len());
        for (name, raw) in raw.parameters.properties {
            if name.len() > NAME_MAX_BYTES {
                return Err("a parameter's name is too long".into());
            }
            params.push(self.param(&name, raw));
        }
        params.sort_by(|a, b| a.name.cmp(&b.name));
        let method = Method {
            verb,
            template: self.text(template),
            params: params.into_boxed_slice(),
            // Where nothing is said, further names are taken.
            extra: raw.parameters.additional.is_true().unwrap_or(true),
            token_allowed: raw.allow_token.is_true().unwrap_or(true),
            permissions: raw.permissions.map(|rule| self.permissions(rule)),
        };
        self.methods.push(method);
        Ok(())
    }

    /// The few different ones are kept once each. One that is too long is kept as one that says
    /// nothing.
    fn permissions(&mut self, mut rule: Value) -> Arc<str> {
        if let Value::Object(rule) = &mut rule {
            rule.remove("description");
        }
        let text = rule.to_string();
        if text.len() > PERMISSIONS_MAX_BYTES {
            return self.text("{}");
        }
        self.text(&text)
    }

    fn param(&mut self, name: &str, raw: RawParam) -> Param {
        let limits = Limits {
            minimum: raw.minimum.number(),
            maximum: raw.maximum.number(),
            min_length: raw.min_length.length(),
            max_length: raw.max_length.length(),
        };
        let options = raw.r#enum.map(|options| {
            let texts = options.into_iter().take(OPTIONS_MAX);
            let texts = texts.filter_map(Loose::into_text).collect();
            self.list(texts)
        });
        Param {
            name: self.text(name),
            kind: match raw.kind {
                Loose::Text(kind) => kind_of(&kind),
                // Without a type it is a text.
                Loose::Nothing => Kind::String,
                _ => Kind::Any,
            },
            optional: raw.optional.is_true().unwrap_or(false),
            options,
            limits: (limits != Limits::default()).then(|| Box::new(limits)),
        }
    }
}

fn kind_of(kind: &str) -> Kind {
    match kind {
        "string" => Kind::String,
        "integer" => Kind::Integer,
        "number" => Kind::Number,
        "boolean" => Kind::Boolean,
        "array" => Kind::Array,
        "object" => Kind::Object,
        _ => Kind::Any,
    }
}

/// A scalar of the description, where a number or a truth may also be a text. What is no scalar is
/// skipped.
#[derive(Default)]
enum Loose {
    #[default]
    Nothing,
    Text(String),
    Number(f64),
    Truth(bool),
    Other,
}

impl Loose {
    fn is_true(&self) -> Option<bool> {
        match self {
            Loose::Nothing => None,
            Loose::Text(text) => Some(!matches!(text.as_str(), "" | "0")),
            Loose::Number(number) => Some(*number != 0.0),
            Loose::Truth(truth) => Some(*truth),
            // A schema for further names, as `additionalProperties` may have it.
            Loose::Other => Some(true),
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Loose::Number(number) => Some(*number),
            Loose::Text(text) => text.trim().parse().ok().filter(|n: &f64| n.is_finite()),
            _ => None,
        }
    }

    fn length(&self) -> Option<u32> {
        let number = self.number()?;
        // Through text, since a cast would make something of anything.
        format!("{number:.0}").parse().ok()
    }

    fn into_text(self) -> Option<String> {
        match self {
            Loose::Text(text) => Some(text),
            Loose::Number(number) => Some(number.to_string()),
            Loose::Truth(truth) => Some(if truth { "1" } else { "0" }.into()),
            Loose::Nothing | Loose::Other => None,
        }
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Loose, D::Error> {
        json.deserialize_any(LooseVisitor)
    }
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }
    fn visit_str<E>(self, text: &str) -> Result<Loose, E> {
        if text.len() > NAME_MAX_BYTES {
            return Ok(Loose::Other);
        }
        Ok(Loose::Text(text.to_string()))
    }
    fn visit_bool<E>(self, truth: bool) -> Result<Loose, E> {
        Ok(Loose::Truth(truth))
    }
    // Limits are far below 2^53, where a float would begin to round.
    #[allow(clippy::cast_precision_loss)]
    fn visit_u64<E>(self, number: u64) -> Result<Loose, E> {
        Ok(Loose::Number(number as f64))
    }
    #[allow(clippy::cast_precision_loss)]
    fn visit_i64<E>(self, number: i64) -> Result<Loose, E> {
        Ok(Loose::Number(number as f64))
    }
    fn visit_f64<E>(self, number: f64) -> Result<Loose, E> {
        Ok(Loose::Number(number))
    }
    fn visit_unit<E>(self) -> Result<Loose, E> {
        Ok(Loose::Nothing)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Loose, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Loose::Other)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Loose, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Loose::Other)
    }
}
