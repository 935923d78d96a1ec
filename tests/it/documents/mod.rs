//! What is written down and packed: README, help topics, house rules, packages.

pub(crate) mod dist;
pub(crate) mod dist_debian;
pub(crate) mod layers;
pub(crate) mod readme;
