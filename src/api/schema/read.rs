//! Reads `apidoc.js` as it streams: a JavaScript file of over 4 MB whose one array of paths is JSON.
//!
//! The text is never held whole. What stands before the first `[` differs between versions, and
//! behind the array comes the viewer's code: the one is skipped, the other not looked at.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, BufReader, Read};
use std::mem::size_of;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::raw::{NAME_MAX_BYTES, RawMethod, RawMethods, RawParam, RawScalar};
use super::{DescribedMethod, Schema, SchemaLimits, SchemaParam, SchemaType};
use crate::api::request::Verb;

/// What may stand before the array.
const PREAMBLE_MAX_BYTES: usize = 4096;
const READ_AHEAD_BYTES: usize = 16 * 1024;
/// A version with more than this is not one of Proxmox VE (9.2 has 680 and 3 097).
const METHODS_MAX: usize = 4000;
const PARAMS_MAX: usize = 40_000;
/// All texts together; those of 9.2 take 200 kB.
const TEXTS_MAX_BYTES: usize = 2 * 1024 * 1024;
/// The longest text that is passed over.
const TEXT_MAX_BYTES: usize = 64 * 1024;
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
    let source = ShortTexts::of((&byte[..]).chain(source));
    let mut json = serde_json::Deserializer::from_reader(source);
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
    methods: Vec<DescribedMethod>,
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
        let mut methods: Vec<(Verb, RawMethod)> = Vec::new();
        while let Some(name) = fields.next_key::<String>()? {
            match name.as_str() {
                "children" => fields.next_value_seed(Paths(self.0))?,
                "path" => template = fields.next_value()?,
                "info" => methods = fields.next_value::<RawMethods>()?.0,
                _ => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        for (verb, raw) in methods {
            self.0
                .add(&template, verb, raw)
                .map_err(serde::de::Error::custom)?;
        }
        Ok(())
    }
}

/// A stream of JSON in which no text is so long that it would have to be held.
struct ShortTexts<R> {
    source: R,
    length: usize,
    in_text: bool,
    escaped: bool,
}

impl<R> ShortTexts<R> {
    fn of(source: R) -> ShortTexts<R> {
        ShortTexts {
            source,
            length: 0,
            in_text: false,
            escaped: false,
        }
    }
}

impl<R: Read> Read for ShortTexts<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(into)?;
        for byte in into.get(..count).unwrap_or_default() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_text => self.escaped = true,
                b'"' => (self.in_text, self.length) = (!self.in_text, 0),
                _ => {}
            }
            // Numbers and the like are put together as texts are.
            self.length += 1;
            if !self.in_text && matches!(byte, b',' | b'[' | b']' | b'{' | b'}' | b':') {
                self.length = 0;
            }
            if self.length > TEXT_MAX_BYTES {
                return Err(io::Error::other("a text of it is too long"));
            }
        }
        Ok(count)
    }
}

impl Builder {
    fn add(&mut self, template: &str, verb: Verb, raw: RawMethod) -> Result<(), String> {
        self.params = self.params.saturating_add(raw.parameters.properties.len());
        let texts = self.shared_bytes;
        if self.methods.len() >= METHODS_MAX || self.params > PARAMS_MAX || texts > TEXTS_MAX_BYTES
        {
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
        let method = DescribedMethod {
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

    fn param(&mut self, name: &str, raw: RawParam) -> SchemaParam {
        let limits = SchemaLimits {
            minimum: raw.minimum.number(),
            maximum: raw.maximum.number(),
            min_length: raw.min_length.length(),
            max_length: raw.max_length.length(),
        };
        let options = raw.r#enum.map(|options| {
            let texts = options.0.into_iter();
            let texts = texts.filter_map(RawScalar::into_text).collect();
            self.list(texts)
        });
        SchemaParam {
            name: self.text(name),
            kind: match raw.kind {
                RawScalar::Text(kind) => kind_of(&kind),
                // Without a type it is a text.
                RawScalar::Nothing => SchemaType::String,
                _ => SchemaType::Any,
            },
            optional: raw.optional.is_true().unwrap_or(false),
            options,
            limits: (limits != SchemaLimits::default()).then(|| Box::new(limits)),
        }
    }
}

fn kind_of(kind: &str) -> SchemaType {
    match kind {
        "string" => SchemaType::String,
        "integer" => SchemaType::Integer,
        "number" => SchemaType::Number,
        "boolean" => SchemaType::Boolean,
        "array" => SchemaType::Array,
        "object" => SchemaType::Object,
        _ => SchemaType::Any,
    }
}
