//! What this process has cost so far, as the operating system says.

use std::time::Duration;

use anyhow::Context;
use cpu_time::{ProcessTime, ThreadTime};
use domain::KeyAlgorithm;
use serde_json::{Value, json};

/// Processor time of all threads, and the most memory that was ever resident (`VmHWM`).
pub(crate) fn of_this_process() -> anyhow::Result<Value> {
    let cpu = ProcessTime::try_now().context("no processor time")?.as_duration();
    Ok(json!({ "cpu_ms": milliseconds(cpu), "peak_memory_bytes": peak_memory()? }))
}

/// So many keys and nothing else, in this process: mean milliseconds of processor time of one.
pub(crate) fn of_bare_keys(count: u32) -> anyhow::Result<f64> {
    let begun = ThreadTime::try_now().context("no processor time")?;
    for _ in 0..count {
        pki::PrivateKey::generate(KeyAlgorithm::Rsa2048)?;
    }
    Ok(milliseconds(begun.try_elapsed()?) / f64::from(count))
}

pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn peak_memory() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("memory is measured on Linux only")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes * 1024)
}
