//! How busy a guest or a node was, and how full a storage: what nodes have recorded over an hour to a year,
//! as least, average and peak, with a few points between.

use serde_json::{Map, Value, json};

use super::disks::thousandths;
use super::guest::{GUEST, answer_for};
use crate::api::loose::{fraction, number};
use crate::api::methods::sending;
use crate::api::request::{Request, Verb};
use crate::error::{Code, Error};
use crate::fleet::index::{Guest, GuestKind};
use crate::gate::reach::Reach;
use crate::time::iso;
use crate::tool::args::Args;
use crate::tool::param::{Param, ParamKind, Word};
use crate::tool::{Actions, HandlerResult, RunFn, Subject, Tool};

pub const OF_GUEST: Tool = Tool {
    name: "guest_metrics",
    title: "Show a guest's load over time",
    about: "Shows how busy a guest was over the last hour to year: least, average and peak of CPU, memory, disk \
            and network I/O and pressure, and a few points. How it is now says guest_get.",
    actions: Actions::one(&[&[sending::get("/nodes/{node}/{kind}/{vmid}/rrddata")]]),
    subject: Subject::Guest,
    params: &[GUEST, TIMEFRAME, POINTS],
    answer: ANSWER,
    task: false,
    plan: None,
    run: RunFn::AtOnce(of_guest),
};

pub static OF_NODES: &[Tool] = &[Tool {
    name: "node_metrics",
    title: "Show a node's load over time",
    about: "Shows how busy a node was over the last hour to year, or with `storage` how full a storage: least, \
            average, peak and a few points.",
    actions: Actions::one(&[&[
        sending::get("/nodes/{node}/rrddata"),
        sending::get("/nodes/{node}/storage/{storage}/rrddata"),
    ]]),
    subject: Subject::Node,
    params: &[
        Param::new("node", ParamKind::Word(Word::Node), "its name"),
        Param::new(
            "storage",
            ParamKind::Word(Word::Storage),
            "of this one, as the node has it",
        )
        .optional(),
        TIMEFRAME,
        POINTS,
    ],
    answer: ANSWER,
    task: false,
    plan: None,
    run: RunFn::AtOnce(of_node),
}];

const TIMEFRAMES: &[&str] = &["hour", "day", "week", "month", "year"];
/// In these each row is a minute, and an average of it is its peak too.
const BY_MINUTES: &[&str] = &["hour", "day"];
const POINTS_MAX: i64 = 60;
const POINTS_DEFAULT: i64 = 12;

const TIMEFRAME: Param =
    Param::new("timeframe", ParamKind::OneOf(TIMEFRAMES), "else hour").optional();
const POINTS: Param =
    Param::new("points", ParamKind::Int(0, POINTS_MAX), "how many, else 12").optional();
const ANSWER: &[(&str, &str)] = &[("timeframe", "string"), ("samples", "integer")];

/// A number that is recorded.
struct Metric {
    name: &'static str,
    /// What a row calls it.
    key: &'static str,
    unit: Unit,
}

#[derive(Clone, Copy)]
enum Unit {
    /// It is recorded as it is shown.
    Same,
    /// Percent of one.
    Share,
    /// Percent of what stands under this key.
    Of(&'static str),
    /// A byte each second becomes a KiB each second.
    Kib,
    /// Bytes become GiB.
    Gib,
}

const fn metric(name: &'static str, key: &'static str, unit: Unit) -> Metric {
    Metric { name, key, unit }
}

/// Pressure is percent of the time, from Proxmox VE 9 on.
#[rustfmt::skip] // One metric a line.
const GUESTS: &[Metric] = &[
    metric("cpu_percent", "cpu", Unit::Share),
    metric("memory_percent", "mem", Unit::Of("maxmem")),
    metric("disk_percent", "disk", Unit::Of("maxdisk")),
    metric("disk_read_kib_s", "diskread", Unit::Kib),
    metric("disk_write_kib_s", "diskwrite", Unit::Kib),
    metric("net_in_kib_s", "netin", Unit::Kib),
    metric("net_out_kib_s", "netout", Unit::Kib),
    metric("pressure_cpu_percent", "pressurecpusome", Unit::Same),
    metric("pressure_io_percent", "pressureiosome", Unit::Same),
    metric("pressure_memory_percent", "pressurememorysome", Unit::Same),
];

#[rustfmt::skip] // One metric a line.
const NODES: &[Metric] = &[
    metric("cpu_percent", "cpu", Unit::Share),
    metric("iowait_percent", "iowait", Unit::Share),
    metric("load", "loadavg", Unit::Same),
    metric("memory_percent", "memused", Unit::Of("memtotal")),
    metric("swap_percent", "swapused", Unit::Of("swaptotal")),
    metric("root_percent", "rootused", Unit::Of("roottotal")),
    metric("net_in_kib_s", "netin", Unit::Kib),
    metric("net_out_kib_s", "netout", Unit::Kib),
    metric("pressure_cpu_percent", "pressurecpusome", Unit::Same),
    metric("pressure_io_percent", "pressureiosome", Unit::Same),
    metric("pressure_memory_percent", "pressurememorysome", Unit::Same),
];

const STORAGES: &[Metric] = &[
    metric("used_gib", "used", Unit::Gib),
    metric("used_percent", "used", Unit::Of("total")),
];

impl Metric {
    /// What a row says of it, as it is shown.
    fn of(&self, row: &Value) -> Option<f64> {
        let value = |key: &str| {
            let value = row.get(key).filter(|value| !value.is_null())?;
            Some(fraction(Some(value))).filter(|value| value.is_finite())
        };
        let recorded = value(self.key)?;
        match self.unit {
            Unit::Same => Some(recorded),
            Unit::Share => Some(recorded * 100.0),
            Unit::Of(whole) => {
                let whole = value(whole).filter(|whole| *whole > 0.0)?;
                Some(recorded / whole * 100.0)
            }
            Unit::Kib => Some(recorded / 1024.0),
            Unit::Gib => Some(recorded / 1024.0_f64.powi(3)),
        }
    }
}

fn of_guest(reach: &Reach, args: &Args) -> HandlerResult {
    let mut answer = answer_for(reach)?;
    let request = reach.on_guest(Verb::Get, "/rrddata", &[])?;
    let is_container = |guest: &Guest| guest.kind == GuestKind::Lxc;
    // How full the disk of a VM is Proxmox does not know: it says 0.
    let is_known = |metric: &&Metric| metric.key != "disk" || reach.guest().is_ok_and(is_container);
    let metrics: Vec<&Metric> = GUESTS.iter().filter(is_known).collect();
    match history(reach, args, request, &metrics)? {
        Some(recorded) => answer.extend(recorded),
        None => {
            let note = "nothing is recorded of it yet: the first numbers come within a minute after it was made";
            answer.insert("timeframe".into(), timeframe(args).into());
            answer.insert("samples".into(), 0.into());
            answer.insert("notes".into(), json!([note]));
        }
    }
    Ok(answer)
}

fn of_node(reach: &Reach, args: &Args) -> HandlerResult {
    let node = args.need("node")?;
    let mut answer = Map::new();
    answer.insert("node".into(), node.into());
    let (request, metrics) = match args.text("storage") {
        Some(storage) => {
            answer.insert("storage".into(), storage.into());
            let path = "/nodes/{node}/storage/{storage}/rrddata";
            (Request::new(Verb::Get, path, &[node, storage])?, STORAGES)
        }
        None => {
            let path = "/nodes/{node}/rrddata";
            (Request::new(Verb::Get, path, &[node])?, NODES)
        }
    };
    let metrics: Vec<&Metric> = metrics.iter().collect();
    let Some(recorded) = history(reach, args, request, &metrics)? else {
        let of = args.text("storage");
        let of = of.map_or(String::new(), |one| format!(" of a storage `{one}`"));
        return Err(Error::bad(format!(
            "{}: node `{node}` has recorded nothing{of}: storage_list says which there are",
            reach.cluster_name()
        )));
    };
    answer.extend(recorded);
    Ok(answer)
}

fn timeframe(args: &Args) -> &str {
    args.text("timeframe").unwrap_or("hour")
}

/// What was recorded; nothing where no file is kept of it.
fn history(
    reach: &Reach,
    args: &Args,
    request: Request,
    metrics: &[&Metric],
) -> Result<Option<Map<String, Value>>, Error> {
    let timeframe = timeframe(args);
    let request = request.with("timeframe", timeframe);
    let points = usize::try_from(args.int("points").unwrap_or(POINTS_DEFAULT)).unwrap_or_default();
    let mut answer = Map::new();
    answer.insert("timeframe".into(), timeframe.into());
    let found = reach.rows(&request.clone().with("cf", "AVERAGE"), "time");
    let (mut series, points) = match found {
        Ok(rows) => {
            answer.extend(span(&rows, metrics));
            (summaries(&rows, metrics), points_of(&rows, metrics, points))
        }
        Err(error) if is_unrecorded(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    // Over a longer time an average of half an hour and more hides what was high for a minute.
    if !BY_MINUTES.contains(&timeframe) {
        let rows = reach.rows(&request.with("cf", "MAX"), "time")?;
        for (one, metric) in series.iter_mut().zip(metrics) {
            for row in rows.iter() {
                one.take_peak(metric, row);
            }
        }
    }
    let (idle, busy): (Vec<Summary>, Vec<Summary>) = series
        .into_iter()
        .filter(|one| one.count > 0)
        .partition(|one| one.peak == 0.0);
    answer.insert("metrics".into(), busy.iter().map(Summary::row).collect());
    if !idle.is_empty() {
        answer.insert(
            "always_zero".into(),
            idle.iter().map(|one| one.name).collect(),
        );
    }
    if !points.is_empty() {
        answer.insert("points".into(), points.into());
    }
    if answer.get("samples").and_then(Value::as_u64) == Some(0) {
        let note = "it did not run in that time, or nothing was recorded";
        answer.insert("notes".into(), json!([note]));
    }
    Ok(Some(answer))
}

/// Of a guest that is new, and of a storage that is not there, no file is kept (measured on 9.2).
fn is_unrecorded(error: &Error) -> bool {
    error.code == Code::Proxmox
        && error.cause.starts_with("RRD error")
        && error.cause.contains("No such file")
}

fn has_data(row: &Value, metrics: &[&Metric]) -> bool {
    // What is left of a guest that does not run: how large it is.
    metrics.iter().any(|one| {
        row.get(one.key)
            .is_some_and(|value| fraction(Some(value)) > 0.0)
    })
}

/// From when to when, and how much of it was recorded.
fn span(rows: &[Value], metrics: &[&Metric]) -> Map<String, Value> {
    let time = |row: Option<&Value>| number(row.and_then(|row| row.get("time")));
    let (first, last) = (time(rows.first()), time(rows.last()));
    let step_s = last.saturating_sub(first) / (rows.len().max(2) as u64 - 1);
    let samples = rows.iter().filter(|row| has_data(row, metrics)).count();
    let facts = [
        ("from", Value::from(iso(first))),
        ("to", iso(last).into()),
        ("step_s", step_s.into()),
        ("samples", samples.into()),
        ("without_data", (rows.len() - samples).into()),
    ];
    let facts = facts.map(|(key, value)| (key.to_string(), value));
    facts.into_iter().collect()
}

/// One metric over the whole time.
struct Summary {
    name: &'static str,
    count: u32,
    least: f64,
    sum: f64,
    peak: f64,
    peak_at: u64,
    last: f64,
}

impl Summary {
    fn of(metric: &Metric, rows: &[Value]) -> Summary {
        let mut summary = Summary {
            name: metric.name,
            count: 0,
            least: f64::INFINITY,
            sum: 0.0,
            peak: 0.0,
            peak_at: 0,
            last: 0.0,
        };
        for row in rows {
            if let Some(value) = metric.of(row) {
                summary.count += 1;
                summary.least = summary.least.min(value);
                summary.sum += value;
                summary.last = value;
            }
            summary.take_peak(metric, row);
        }
        summary
    }

    fn take_peak(&mut self, metric: &Metric, row: &Value) {
        if let Some(value) = metric.of(row).filter(|value| *value > self.peak) {
            self.peak = value;
            self.peak_at = number(row.get("time"));
        }
    }

    fn row(&self) -> Value {
        json!({
            "metric": self.name,
            "least": thousandths(self.least),
            "average": thousandths(self.sum / f64::from(self.count)),
            "peak": thousandths(self.peak),
            "peak_at": iso(self.peak_at),
            "last": thousandths(self.last),
        })
    }
}

fn summaries(rows: &[Value], metrics: &[&Metric]) -> Vec<Summary> {
    let each = metrics.iter();
    each.map(|metric| Summary::of(metric, rows)).collect()
}

/// So many averages of as many parts of the time, those without data left out.
fn points_of(rows: &[Value], metrics: &[&Metric], points: usize) -> Vec<Value> {
    if points == 0 || rows.is_empty() {
        return Vec::new();
    }
    let parts = rows.chunks(rows.len().div_ceil(points));
    let point = |part: &[Value]| {
        let mut point = Map::new();
        point.insert("time".into(), iso(number(part.first()?.get("time"))).into());
        for metric in metrics {
            let values: Vec<f64> = part.iter().filter_map(|row| metric.of(row)).collect();
            let average = values.iter().sum::<f64>() / values.len().max(1) as f64;
            let average = thousandths(average);
            if average != 0.0 {
                point.insert(metric.name.into(), average.into());
            }
        }
        (point.len() > 1).then(|| Value::Object(point))
    };
    parts.filter_map(point).collect()
}
