//! What one enrollment costs the application in processor time, beside the RSA key that it cannot do without.

use std::time::Instant;

use clap::Args;
use serde_json::{Value, json};

use crate::{
    process::say,
    world::{Setting, World},
};

#[derive(Args)]
pub(crate) struct Options {
    /// How many people get a certificate.
    #[arg(long, default_value_t = 500)]
    people: u32,
    /// Keys made alone, half before and half after, so that a machine that gets slower meanwhile is seen.
    #[arg(long, default_value_t = 500)]
    keys: u32,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let people = u64::from(options.people);
    let setting = Setting {
        people: &[usize::try_from(options.people)?],
        timing: "",
        settings: json!({}),
        counting: false,
        issue_after_ms: 1_000,
    };
    let mut world = World::start(setting).await?;
    let operator = world.operators[0].clone();
    let keys_before = world.bare_key_ms(options.keys / 2).await?;

    let (cost_before, report_before, begun) = (world.cost().await?, world.report().await?, Instant::now());
    operator.start_import().await?;
    operator.until_imported(u64::MAX).await?;
    let batch = operator.plan().await?;
    operator.approve(&batch).await?;
    let imported = operator.until(async || {
        let over = ["imported", "blocked", "unsure", "held", "rejected", "expired", "failed"];
        let mut count = 0;
        for state in over {
            count += operator.count(&batch, state).await?;
        }
        Ok((count == people).then_some(()))
    });
    imported.await?;
    let seconds = begun.elapsed().as_secs_f64();
    let (cost, report) = (world.cost().await?, world.report().await?);
    let keys_after = world.bare_key_ms(options.keys / 2).await?;

    let cpu_ms = cost["cpu_ms"].as_f64().unwrap_or_default() - cost_before["cpu_ms"].as_f64().unwrap_or_default();
    let each = cpu_ms / f64::from(options.people);
    let key = f64::midpoint(keys_before, keys_after);
    let requests = |vendor: &str| sum(&report[vendor]) - sum(&report_before[vendor]);
    say(&json!({
        "enrollments": people,
        "imported": operator.count(&batch, "imported").await?,
        "seconds": rounded(seconds),
        "cpu_ms_per_enrollment": rounded(each),
        "rsa_key_cpu_ms": rounded(key),
        "rsa_key_cpu_ms_before_and_after": [rounded(keys_before), rounded(keys_after)],
        "ratio": rounded(each / key),
        "peak_memory_bytes": cost["peak_memory_bytes"],
        "sslcom_requests_per_enrollment": rounded(requests("sslcom") / f64::from(options.people)),
        "microsoft_requests_per_enrollment": rounded(requests("microsoft") / f64::from(options.people)),
        "purchases": report["purchases"],
        "defects": report["defects"],
    }));
    Ok(())
}

/// All calls of a vendor.
pub(crate) fn sum(calls: &Value) -> f64 {
    calls.as_object().into_iter().flatten().filter_map(|(_, count)| count.as_f64()).sum()
}

/// To three places.
pub(crate) fn rounded(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}
