//! Values out of JSON of strangers, whose cost is counted while they are made: a few bytes of JSON
//! may make a hundred times as many in memory.

use std::borrow::Cow;
use std::fmt;
use std::time::Instant;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::room::{Charge, NoRoom};

/// What an allocation takes beside its bytes, at most.
const BLOCK_BYTES: usize = 16;
/// The room that the first element of an array makes, in elements, and the first entry of an object.
const FIRST_PLACES: usize = 4;
/// What a place in an object takes: hash, key, value, and its part of the table.
const ENTRY_BYTES: usize = size_of::<Value>() + size_of::<String>() + 2 * size_of::<usize>() + 8;
/// No more is made before it is counted as held.
const STEP_BYTES: usize = 16 * 1024;
/// A text of no more than this is not looked through for the longest of its strings.
const SHORT_BYTES: usize = 16 * 1024;

/// What values cost so far, and what they may.
pub struct Cost<'c> {
    charge: Option<&'c mut Charge>,
    until: Option<Instant>,
    bytes: usize,
    most: usize,
    /// What the charge has of it.
    settled: usize,
    /// Why no more is made.
    over: Option<NoRoom>,
}

impl<'c> Cost<'c> {
    /// By the measure that holds for all that clusters say.
    pub fn held_by(charge: &'c mut Charge) -> Cost<'c> {
        Cost {
            charge: Some(charge),
            ..Cost::at_most(usize::MAX)
        }
    }

    /// By a limit of its own.
    pub fn at_most(bytes: usize) -> Cost<'c> {
        Cost {
            charge: None,
            until: None,
            bytes: 0,
            most: bytes,
            settled: 0,
            over: None,
        }
    }

    /// What was made so far takes so many bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Why no more was made, where that is so.
    pub fn over(&self) -> Option<NoRoom> {
        self.over
    }

    /// Something of so many bytes is about to be made.
    ///
    /// # Errors
    /// It may not: it would cost too much.
    pub fn add(&mut self, bytes: usize) -> Result<(), NoRoom> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.most {
            self.over = Some(NoRoom::TooLarge);
            return Err(NoRoom::TooLarge);
        }
        if self.bytes - self.settled >= STEP_BYTES {
            self.settle()?;
        }
        Ok(())
    }

    /// Has the charge hold what was counted.
    ///
    /// # Errors
    /// As [`Charge::grow`].
    pub fn settle(&mut self) -> Result<(), NoRoom> {
        let open = self.bytes - self.settled;
        if let Some(charge) = &mut self.charge {
            let held = charge.grow(open, self.until);
            self.over = held.err();
            held?;
        }
        self.settled = self.bytes;
        Ok(())
    }

    /// Counts what reading `json` takes beside what is made of it.
    ///
    /// # Errors
    /// As [`Cost::add`].
    pub fn about_to_read(&mut self, json: &str) -> Result<(), NoRoom> {
        self.add(longest_escaped(json))
    }

    /// The value that `json` is, whole.
    ///
    /// # Errors
    /// It is no JSON, or costs too much: [`Cost::over`] tells.
    pub fn read(&mut self, json: &str) -> Result<Value, serde_json::Error> {
        self.about_to_read(json)
            .map_err(serde_json::Error::custom)?;
        let mut reader = serde_json::Deserializer::from_str(json);
        let value = CountedValue(self).deserialize(&mut reader)?;
        reader.end()?;
        self.settle().map_err(serde_json::Error::custom)?;
        Ok(value)
    }
}

/// What the longest string with an escape in it takes: the reader puts those together aside.
pub fn longest_escaped(json: &str) -> usize {
    let json = json.as_bytes();
    if !json.contains(&b'\\') {
        return 0;
    }
    if json.len() <= SHORT_BYTES {
        return json.len();
    }
    let (mut longest, mut length, mut in_text) = (0, 0, false);
    let (mut escaped, mut has_escape) = (false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => (escaped, has_escape) = (true, true),
            b'"' => {
                if in_text && has_escape {
                    longest = longest.max(length);
                }
                (in_text, length, has_escape) = (!in_text, 0, false);
                continue;
            }
            _ => {}
        }
        length += 1;
    }
    if in_text {
        longest = longest.max(length);
    }
    // It grows by doubling.
    2 * longest
}

/// Makes any value.
pub struct CountedValue<'a, 'c>(pub &'a mut Cost<'c>);

impl<'de> DeserializeSeed<'de> for CountedValue<'_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CountedValue<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        counted_text(self.0, text).map(Value::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list: Vec<Value> = Vec::new();
        while let Some(element) = elements.next_element_seed(CountedValue(&mut *self.0))? {
            let places = list.capacity();
            if list.len() == places {
                let added = places.max(FIRST_PLACES) * size_of::<Value>();
                self.0.add(added + BLOCK_BYTES).map_err(A::Error::custom)?;
            }
            list.push(element);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        let (mut places, mut filled) = (0, 0);
        while let Some(key) = entries.next_key_seed(CountedKey(&mut *self.0))? {
            // The table is grown when seven eighths of it are full.
            if filled == places * 7 / 8 {
                let added = FIRST_PLACES.max(places);
                places += added;
                let added = added * ENTRY_BYTES + 2 * BLOCK_BYTES;
                self.0.add(added).map_err(A::Error::custom)?;
            }
            let value = entries.next_value_seed(CountedValue(&mut *self.0))?;
            object.insert(key, value);
            filled = object.len();
        }
        Ok(Value::Object(object))
    }
}

fn counted_text<E: serde::de::Error>(cost: &mut Cost, text: &str) -> Result<String, E> {
    if !text.is_empty() {
        cost.add(text.len() + BLOCK_BYTES).map_err(E::custom)?;
    }
    Ok(text.to_string())
}

/// The name of an object's entry.
struct CountedKey<'a, 'c>(&'a mut Cost<'c>);

impl<'de> DeserializeSeed<'de> for CountedKey<'_, '_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<String, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for CountedKey<'_, '_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<String, E> {
        counted_text(self.0, text)
    }
}

/// The name of a field, borrowed where it stands in the text as it is.
pub struct FieldName<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for FieldName<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<FieldName<'a>, D::Error> {
        json.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = FieldName<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<FieldName<'de>, E> {
        Ok(FieldName(Cow::Borrowed(name)))
    }

    fn visit_str<E>(self, name: &str) -> Result<FieldName<'de>, E> {
        Ok(FieldName(Cow::Owned(name.to_string())))
    }
}
