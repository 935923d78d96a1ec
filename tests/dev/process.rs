//! What the kernel knows of a running process: memory, CPU time, descriptors, threads.

use std::fs;
use std::time::Duration;

/// Clock ticks a second, as `/proc` counts CPU time on every Linux.
const TICKS: u64 = 100;

/// What a process takes at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// In memory now, and the most so far, in bytes.
    pub resident: u64,
    pub peak: u64,
    pub descriptors: u64,
    pub threads: u64,
}

/// The figures of the process of this number.
///
/// # Errors
/// It is gone.
pub fn figures(id: u32) -> Result<Figures, String> {
    let status = read(id, "status")?;
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        number.ok_or_else(|| format!("/proc/{id}/status has no {name}"))
    };
    let path = format!("/proc/{id}/fd");
    let open = fs::read_dir(&path).map_err(|cause| format!("{path}: {cause}"))?;
    Ok(Figures {
        resident: number("VmRSS:")? * 1024,
        peak: number("VmHWM:")? * 1024,
        descriptors: open.count() as u64,
        threads: number("Threads:")?,
    })
}

/// The CPU time that it has used, those of its threads included that have ended.
///
/// # Errors
/// It is gone.
pub fn cpu(id: u32) -> Result<Duration, String> {
    let stat = read(id, "stat")?;
    // The name in the second field may hold blanks.
    let behind = stat.rsplit_once(") ").map_or("", |(_, behind)| behind);
    let ticks = behind.split(' ').skip(11).take(2).map(str::parse::<u64>);
    let ticks = ticks.sum::<Result<u64, _>>();
    let ticks = ticks.map_err(|cause| format!("/proc/{id}/stat: {cause}"))?;
    Ok(Duration::from_millis(ticks * 1000 / TICKS))
}

fn read(id: u32, what: &str) -> Result<String, String> {
    let path = format!("/proc/{id}/{what}");
    fs::read_to_string(&path).map_err(|cause| format!("{path}: {cause}"))
}

/// The machine that was measured on: processor, how many, memory, kernel, and how busy it was.
pub fn machine() -> String {
    let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.split_once(':'));
        value.map_or_else(|| "?".into(), |(_, value)| value.trim().to_string())
    };
    let processor = field(&text("/proc/cpuinfo"), "model name");
    let count = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = field(&text("/proc/meminfo"), "MemTotal");
    let kilobytes: u64 = memory.trim_end_matches(" kB").parse().unwrap_or_default();
    let kernel = text("/proc/sys/kernel/osrelease");
    let load = text("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or("?").to_string();
    format!(
        "{count} x {processor}, {} GiB, Linux {}, load {load}",
        (kilobytes + (1 << 19)) >> 20,
        kernel.trim()
    )
}
