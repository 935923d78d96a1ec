//! Lists and objects out of replies: what is none, or has rows that are none of it, is no answer.

use serde_json::{Map, Value};

use super::Reach;
use crate::api::request::{Reply, Request, Verb};
use crate::charged::Charged;
use crate::error::Error;
use crate::text::repeated;

impl Reach<'_> {
    /// Reads a list, each row of which has a text or a number as `key`.
    ///
    /// # Errors
    /// As [`Reach::send`]; the reply is something else.
    pub fn rows(&self, request: &Request, key: &str) -> Result<Charged<Vec<Value>>, Error> {
        let reply = self.send(request)?;
        self.rows_in(request, reply, key)
    }

    /// [`Reach::rows`] at a path.
    ///
    /// # Errors
    /// As [`Reach::rows`].
    pub fn rows_at(
        &self,
        template: &str,
        values: &[&str],
        key: &str,
    ) -> Result<Charged<Vec<Value>>, Error> {
        self.rows(&Request::new(Verb::Get, template, values)?, key)
    }

    /// [`Reach::rows`] of the guest that the call addresses.
    ///
    /// # Errors
    /// As [`Reach::rows`].
    pub fn rows_of_guest(&self, rest: &str, key: &str) -> Result<Charged<Vec<Value>>, Error> {
        self.rows(&self.on_guest(Verb::Get, rest, &[])?, key)
    }

    /// The rows of a reply.
    ///
    /// # Errors
    /// As [`Reach::rows`].
    pub fn rows_in(
        &self,
        request: &Request,
        reply: Reply,
        key: &str,
    ) -> Result<Charged<Vec<Value>>, Error> {
        let other = |cause: String| Error::no_answer(self.cluster_name(), &request.line(), cause);
        let rows = reply.data.try_map(|data| match data {
            Value::Array(rows) => Ok(rows),
            // An empty list of some methods.
            Value::Null => Ok(Vec::new()),
            _ => Err(other("a list was expected".into())),
        })?;
        let names = |row: &Value| matches!(row.get(key), Some(Value::String(_) | Value::Number(_)));
        match rows.iter().position(|row| !names(row)) {
            Some(at) => Err(other(format!("row {} of the list has no `{key}`", at + 1))),
            None => Ok(rows),
        }
    }

    /// Reads an object whose values are no lists, but where `lists` names them.
    ///
    /// # Errors
    /// As [`Reach::rows`].
    pub fn object(
        &self,
        request: &Request,
        lists: &[&str],
    ) -> Result<Charged<Map<String, Value>>, Error> {
        let other = |cause: String| Error::no_answer(self.cluster_name(), &request.line(), cause);
        let reply = self.send(request)?;
        let object = reply.data.try_map(|data| match data {
            Value::Object(object) => Ok(object),
            _ => Err(other("an object was expected".into())),
        })?;
        let is_list = |(name, value): &(&String, &Value)| {
            matches!(value, Value::Array(_)) && !lists.contains(&name.as_str())
        };
        match object.iter().find(is_list) {
            Some((name, _)) => Err(other(format!("`{}` is a list", repeated(name)))),
            None => Ok(object),
        }
    }
}
