//! A cluster's own description of its API, as its nodes serve it: which methods there are and which
//! parameters each of them takes.
//!
//! It is what the cluster's version really has, so free settings can be checked by it before
//! anything is sent. Texts that only people read are dropped while it is read.

mod check;
mod raw;
mod read;

use std::mem::size_of;
use std::sync::Arc;

use super::request::Verb;

pub use read::read;

/// One version's methods.
#[derive(Debug, Default)]
pub struct Schema {
    methods: Vec<DescribedMethod>,
    /// Estimated heap, in bytes; see [`Schema::heap_bytes`].
    heap_bytes: usize,
}

/// One method of one path.
#[derive(Debug, PartialEq)]
pub struct DescribedMethod {
    pub verb: Verb,
    /// `/nodes/{node}/qemu/{vmid}/config`.
    pub template: Arc<str>,
    /// By name, sorted. Those of the template's slots are among them.
    pub params: Box<[SchemaParam]>,
    /// Whether names that are not in `params` are taken too.
    pub extra: bool,
    /// Whether an API token may call it.
    pub token_allowed: bool,
    /// What it asks of its caller, as JSON without the prose; see [`super::permission`]. Without it
    /// root@pam alone may call it.
    pub permissions: Option<Arc<str>>,
}

/// One parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct SchemaParam {
    /// `net[n]` stands for `net0`, `net1`, ...
    pub name: Arc<str>,
    pub kind: SchemaType,
    pub optional: bool,
    pub options: Option<Arc<[Arc<str>]>>,
    pub limits: Option<Box<SchemaLimits>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaType {
    String,
    Integer,
    Number,
    Boolean,
    Array,
    Object,
    /// A type that is not known here: nothing is checked.
    Any,
}

/// Least and greatest number, least and greatest length in characters.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SchemaLimits {
    pub minimum: Option<f64>,
    pub maximum: Option<f64>,
    pub min_length: Option<u32>,
    pub max_length: Option<u32>,
}

impl Schema {
    fn new(mut methods: Vec<DescribedMethod>, shared_bytes: usize) -> Schema {
        methods.shrink_to_fit();
        let own: usize = methods.iter().map(DescribedMethod::heap_bytes).sum();
        let table = methods
            .capacity()
            .saturating_mul(size_of::<DescribedMethod>());
        Schema {
            methods,
            heap_bytes: own.saturating_add(table).saturating_add(shared_bytes),
        }
    }

    /// The method that a request of `verb` to the path of `parts` reaches. A literal part goes
    /// before a slot, as in Proxmox.
    pub fn find(&self, verb: Verb, parts: &[&str]) -> Option<&DescribedMethod> {
        let methods = self.methods.iter().filter(|method| method.verb == verb);
        methods
            .filter_map(|method| method.matches(parts).map(|literals| (literals, method)))
            .max_by(|(a, _), (b, _)| a.cmp(b))
            .map(|(_, method)| method)
    }

    pub fn methods(&self) -> &[DescribedMethod] {
        &self.methods
    }

    /// What it holds on the heap, in bytes, as far as lengths tell.
    pub fn heap_bytes(&self) -> usize {
        self.heap_bytes
    }
}

impl DescribedMethod {
    /// Which of `parts` are literal, from the left, where all of them fit.
    fn matches(&self, parts: &[&str]) -> Option<Vec<bool>> {
        let mut template = self.template.split('/').skip(1);
        let mut literals = Vec::with_capacity(parts.len());
        for part in parts {
            let slot = template.next()?;
            let is_literal = !slot.starts_with('{');
            if is_literal && slot != *part {
                return None;
            }
            literals.push(is_literal);
        }
        template.next().is_none().then_some(literals)
    }

    fn heap_bytes(&self) -> usize {
        let limits = self.params.iter().filter(|p| p.limits.is_some()).count();
        let table = self.params.len().saturating_mul(size_of::<SchemaParam>());
        table.saturating_add(limits.saturating_mul(size_of::<SchemaLimits>()))
    }
}
