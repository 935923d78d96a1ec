//! Search terms as they are written, to a [`Query`]. What is not understood is an error that shows
//! the grammar, never a search that finds nothing.

use super::{Comparison, Ids, Measure, Property, Query, ResourceKind, Term, Test};
use crate::meant;
use crate::text::pattern::Pattern;
use crate::text::repeated;

/// The terms, for whoever wrote one that nobody can make anything of.
pub const GRAMMAR: &str = "terms, which must all hold: a word (part of a name, node or tag, or a \
    VMID); type:guest|vm|container|node|storage|pool; name:, status:, cluster:, node:, tag:, pool: \
    (whole values; `*` for anything, `,` for or, `\"` around blanks); id:100-199; template:yes|no; \
    cpu>80%, cpus>=4, mem>90%, memory>=8G, disk>85%, disk>=100G, uptime<1h; `-` in front negates";

/// What stands before a `:`.
const KEYS: &[&str] = &[
    "type", "id", "vmid", "template", "name", "status", "cluster", "node", "tag", "tags", "pool",
];
/// What is compared, with what.
const MEASURES: &[(&str, &str)] = &[
    ("cpu", "a percentage, as `cpu>80%`"),
    ("cpus", "a number, as `cpus>=4`"),
    (
        "mem",
        "a percentage or a size (K, M, G, T), as `mem>90%` or `memory>=8G`",
    ),
    (
        "memory",
        "a percentage or a size (K, M, G, T), as `memory>90%` or `memory>=8G`",
    ),
    (
        "disk",
        "a percentage or a size (K, M, G, T), as `disk>85%` or `disk>=100G`",
    ),
    ("uptime", "a time (s, m, h, d, w), as `uptime<1h`"),
];

/// What is wrong with a term.
enum Wrong {
    /// Whoever wrote it is told all of it.
    Said(String),
    /// Nobody knows what is meant, so that the grammar is shown.
    Unknown(String),
}

impl From<String> for Wrong {
    fn from(problem: String) -> Wrong {
        Wrong::Said(problem)
    }
}

const TERMS_MAX: usize = 40;
const KIB: f64 = 1024.0;

/// Reads a search.
///
/// # Errors
/// Every term that is not understood; last the grammar, where one is beyond a hint.
pub fn parse(text: &str) -> Result<Query, Vec<String>> {
    let mut problems = Vec::new();
    let mut terms = Vec::new();
    let mut is_unknown = false;
    for word in words(text) {
        let problem = match term(&word) {
            Ok(term) => {
                terms.push(term);
                continue;
            }
            Err(Wrong::Said(problem)) => problem,
            Err(Wrong::Unknown(problem)) => {
                is_unknown = true;
                problem
            }
        };
        let word = repeated(&word);
        problems.push(format!("`{word}` is not understood: {problem}"));
    }
    if terms.len() + problems.len() > TERMS_MAX {
        problems = vec![format!("there are more than {TERMS_MAX} terms")];
    }
    if problems.is_empty() {
        return Ok(Query { terms });
    }
    if is_unknown {
        problems.push(GRAMMAR.to_string());
    }
    Err(problems)
}

/// The words between the blanks; quotation marks hold blanks and are kept.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        quoted ^= c == '"';
        match words.last_mut() {
            Some(word) if quoted || !c.is_whitespace() => word.push(c),
            _ => words.push(String::new()),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn term(word: &str) -> Result<Term, Wrong> {
    if word.matches('"').count() % 2 == 1 {
        return Err("a quotation mark is not closed".to_string().into());
    }
    let (negated, rest) = match word.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, word),
    };
    test(rest).map(|test| Term { negated, test })
}

fn test(word: &str) -> Result<Test, Wrong> {
    if matches!(word, "AND" | "OR" | "NOT") || word.starts_with(['(', ')']) {
        let problem = "terms cannot be joined; alternatives are written `tag:web,db`";
        return Err(problem.to_string().into());
    }
    let at = word.find([':', '<', '>', '=']);
    // In quotation marks a word means itself.
    let quote = word.find('"').unwrap_or(word.len());
    let Some((key, rest)) = at
        .filter(|at| *at < quote)
        .and_then(|at| word.split_at_checked(at))
    else {
        return match word.replace('"', "") {
            bare if bare.is_empty() => Err("it is empty".to_string().into()),
            bare => Ok(Test::Word(Pattern::new(&bare))),
        };
    };
    let key = key.to_ascii_lowercase();
    match rest.strip_prefix(':') {
        Some(value) => keyed(&key, &value.replace('"', "")),
        None => number(&key, rest),
    }
}

fn keyed(key: &str, value: &str) -> Result<Test, Wrong> {
    let property = match key {
        "type" => return Ok(Test::Type(several(value, sorts)?.concat())),
        "id" | "vmid" => return Ok(Test::Id(several(value, ids)?)),
        "template" => return Ok(template(value)?),
        "name" => Property::Name,
        "status" => Property::Status,
        "cluster" => Property::Cluster,
        "node" => Property::Node,
        "tag" | "tags" => Property::Tag,
        "pool" => Property::Pool,
        _ => return Err(unknown(key, &format!("there is no `{}:`", repeated(key)))),
    };
    let values = several(value, |one| Ok(Pattern::new(one)))?;
    Ok(Test::Is(property, values))
}

/// What is said of a term whose key is none of those that it could be.
fn unknown(key: &str, problem: &str) -> Wrong {
    let measure = |key: &str| MEASURES.iter().find(|(name, _)| *name == key);
    let known: Vec<&str> = KEYS
        .iter()
        .copied()
        .chain(MEASURES.iter().map(|(name, _)| *name))
        .collect();
    let meant = match known.contains(&key) {
        true => Some(key),
        false => meant::by(key, &known).or_else(|| meant::near(key, &known)),
    };
    match meant {
        Some(meant) => match measure(meant) {
            Some((name, values)) => Wrong::Said(format!("`{name}` is compared with {values}")),
            None => Wrong::Said(format!("`{meant}:` is meant by it here")),
        },
        None => match meant::elsewhere(key) {
            Some(sentence) => Wrong::Said(format!("{problem}; {sentence}")),
            None => Wrong::Unknown(problem.to_string()),
        },
    }
}

/// Reads the alternatives between the commas.
fn several<T>(value: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    let alternatives = value.split(',').map(|one| match one.trim() {
        "" => Err("a value is missing".to_string()),
        one => read(one),
    });
    alternatives.collect()
}

fn sorts(word: &str) -> Result<&'static [ResourceKind], String> {
    match word {
        "guest" => Ok(&[ResourceKind::Vm, ResourceKind::Container]),
        "vm" | "qemu" => Ok(&[ResourceKind::Vm]),
        "container" | "lxc" | "ct" => Ok(&[ResourceKind::Container]),
        "node" => Ok(&[ResourceKind::Node]),
        "storage" => Ok(&[ResourceKind::Storage]),
        "pool" => Ok(&[ResourceKind::Pool]),
        _ => Err("the types are guest, vm, container, node, storage and pool".into()),
    }
}

fn ids(text: &str) -> Result<Ids, String> {
    let rule = || "a VMID is written `100`, `100-199` or `10*`".to_string();
    let digits = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'*')
    };
    if text.contains('*') {
        return match digits(text) {
            true => Ok(Ids::Like(Pattern::new(text))),
            false => Err(rule()),
        };
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let read = |text: &str| match digits(text) {
        true => text.parse::<u32>().map_err(|_| rule()),
        false => Err(rule()),
    };
    match (read(first)?, read(last)?) {
        (first, last) if first > last => Err("the range ends before it begins".into()),
        (first, last) => Ok(Ids::Range(first, last)),
    }
}

fn template(value: &str) -> Result<Test, String> {
    match value {
        "yes" | "true" | "1" => Ok(Test::Template(true)),
        "no" | "false" | "0" => Ok(Test::Template(false)),
        _ => Err("it is `template:yes` or `template:no`".into()),
    }
}

/// A comparison; `rest` begins with its sign.
fn number(key: &str, rest: &str) -> Result<Test, Wrong> {
    let Some((_, values)) = MEASURES.iter().find(|(name, _)| *name == key) else {
        return Err(unknown(key, &format!("`{}` is no number", repeated(key))));
    };
    let signs = [
        ("<=", Comparison::AtMost),
        (">=", Comparison::AtLeast),
        ("<", Comparison::Less),
        (">", Comparison::More),
        ("=", Comparison::Equal),
    ];
    let signs = signs.into_iter();
    let mut sign = signs.filter_map(|(sign, order)| Some((order, rest.strip_prefix(sign)?)));
    let (order, text) = sign.next().unwrap_or((Comparison::Equal, rest));
    let wrong = || {
        let given = match text {
            "" => String::new(),
            text => format!("`{}` is none: ", repeated(text)),
        };
        Wrong::Said(format!("{given}`{key}` is compared with {values}"))
    };
    let (amount, unit) = amount(key, text).ok_or_else(wrong)?;
    let measure = match (key, unit) {
        ("cpu", NumberUnit::Percent | NumberUnit::None) => Measure::CpuPercent,
        ("cpus", NumberUnit::None) => Measure::Cpus,
        ("mem" | "memory", NumberUnit::Percent) => Measure::MemoryPercent,
        ("mem" | "memory", NumberUnit::Bytes) => Measure::Memory,
        ("disk", NumberUnit::Percent) => Measure::DiskPercent,
        ("disk", NumberUnit::Bytes) => Measure::Disk,
        ("uptime", NumberUnit::Seconds) => Measure::Uptime,
        _ => return Err(wrong()),
    };
    Ok(Test::Number(measure, order, amount))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum NumberUnit {
    None,
    Percent,
    Bytes,
    Seconds,
}

/// A number and its unit; sizes become bytes, times seconds. `None` where it is none.
fn amount(key: &str, text: &str) -> Option<(f64, NumberUnit)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (digits, unit) = text
        .split_at_checked(end.unwrap_or(text.len()))
        .unwrap_or_default();
    let number = digits.parse::<f64>().ok()?;
    let (scale, unit) = match (unit.trim().to_ascii_lowercase().as_str(), key) {
        ("", _) => (1.0, NumberUnit::None),
        ("%", _) => (1.0, NumberUnit::Percent),
        ("s", _) => (1.0, NumberUnit::Seconds),
        ("m" | "min", "uptime") => (60.0, NumberUnit::Seconds),
        ("h", _) => (3600.0, NumberUnit::Seconds),
        ("d", _) => (86_400.0, NumberUnit::Seconds),
        ("w", _) => (604_800.0, NumberUnit::Seconds),
        ("k" | "kb" | "kib", _) => (KIB, NumberUnit::Bytes),
        ("m" | "mb" | "mib", _) => (KIB.powi(2), NumberUnit::Bytes),
        ("g" | "gb" | "gib", _) => (KIB.powi(3), NumberUnit::Bytes),
        ("t" | "tb" | "tib", _) => (KIB.powi(4), NumberUnit::Bytes),
        _ => return None,
    };
    Some((number * scale, unit))
}
