//! What may be done: weights, protection, confirmation, the limit, privileges, the audit file.

pub(crate) mod audit;
pub(crate) mod audited;
pub(crate) mod bulk_limit;
pub(crate) mod codes;
pub(crate) mod confirmed_reads;
pub(crate) mod masking;
pub(crate) mod privileges;
pub(crate) mod protect;
pub(crate) mod protect_lets;
pub(crate) mod protect_rules;
pub(crate) mod reach;
pub(crate) mod verdicts;
pub(crate) mod volumes;
