//! What stands in a message, each part as it was written: of an object the fields that are known, of
//! a batch its messages.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::rpc::BATCH_MAX;
use crate::counted::FieldName;

/// The fields of an object that messages are read by, as they stand there. There may be many others.
pub(super) struct MessageFields<'a>([(&'static str, Option<&'a RawValue>); 7]);

impl<'a> MessageFields<'a> {
    pub(super) fn of(raw: &'a str) -> Option<MessageFields<'a>> {
        let names = [
            "jsonrpc",
            "id",
            "method",
            "params",
            "result",
            "error",
            "requestId",
        ];
        let mut fields = MessageFields(names.map(|name| (name, None)));
        let mut reader = serde_json::Deserializer::from_str(raw);
        let read = raw
            .starts_with('{')
            .then(|| reader.deserialize_map(&mut fields));
        read?.ok()?;
        Some(fields)
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.and_then(|(_, raw)| raw.map(RawValue::get))
    }
}

impl<'de> Visitor<'de> for &mut MessageFields<'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(FieldName(name)) = entries.next_key()? {
            match self.0.iter_mut().find(|(known, _)| *known == name) {
                // What is said twice is what is said last.
                Some((_, raw)) => *raw = Some(entries.next_value()?),
                None => {
                    entries.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// The messages of a batch, 1 to [`BATCH_MAX`] of them.
pub(super) struct BatchMessages<'a>(pub(super) Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for BatchMessages<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<BatchMessages<'a>, D::Error> {
        json.deserialize_seq(PartsVisitor)
    }
}

struct PartsVisitor;

impl<'de> Visitor<'de> for PartsVisitor {
    type Value = BatchMessages<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a batch")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<BatchMessages<'de>, A::Error> {
        let mut found = Vec::new();
        while let Some(part) = parts.next_element()? {
            found.push(part);
            if found.len() > BATCH_MAX {
                return Err(A::Error::custom("too many"));
            }
        }
        if found.is_empty() {
            return Err(A::Error::custom("none"));
        }
        Ok(BatchMessages(found))
    }
}
