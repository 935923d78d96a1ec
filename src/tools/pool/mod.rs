//! Pools: guests and storages under one name, which permissions and backup jobs go by.

mod delete;
mod list;
mod members;
mod set;

use crate::tool::Tool;
use crate::tool::param::{Param, ParamKind, Word};

pub static TOOLS: &[Tool] = &[list::LIST, set::SET, delete::DELETE];

const POOL: Param = Param::new(
    "pool",
    ParamKind::Word(Word::Pool),
    "one within another: `core/db`",
);
