//! Two integrations against vendors that are slow and throttle. Everything is real but the time: the application's clock
//! and the vendors' go faster than the machine's, so that hours of waiting are watched in minutes.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use crate::{
    application,
    operator::Operator,
    process::say,
    throughput::{rounded, sum},
    vendors::Question,
    world::{Setting, World},
};

#[derive(Args)]
pub(crate) struct Options {
    /// Enrollments of the large integration.
    #[arg(long, default_value_t = 9_900)]
    large: u32,
    /// Enrollments of the small one, which asks after the large one has begun.
    #[arg(long, default_value_t = 100)]
    small: u32,
    /// Seconds that pass in one.
    #[arg(long, default_value_t = 30)]
    speed: u32,
    /// How long each answer of SSL.com takes.
    #[arg(long, default_value_t = 3_000)]
    sslcom_after_ms: u64,
    /// Calls that SSL.com takes in a minute; 0: as many as there are.
    #[arg(long, default_value_t = 180)]
    sslcom_calls_per_minute: u32,
    /// Make RSA keys. Without it P-256, so that waiting and not the processor decides.
    #[arg(long)]
    rsa: bool,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let people = [usize::try_from(options.large)?, usize::try_from(options.small)?];
    let sweep = Duration::from_mins(1).as_millis() / u128::from(options.speed.max(1));
    let setting = Setting {
        people: &people,
        // A minute, as where a schedule sweeps.
        timing: &format!("sweep_every = \"{sweep}ms\""),
        settings: if options.rsa { json!({}) } else { json!({ "key_algorithm": "p256" }) },
        counting: true,
        issue_after_ms: 3_000 / u64::from(options.speed.max(1)),
    };
    let mut world = World::start(setting).await?;
    let [large, small] = &world.operators[..] else { anyhow::bail!("there are two integrations") };
    let (large, small) = (large.clone(), small.clone());
    let batches = (imported_and_planned(&large).await?, imported_and_planned(&small).await?);

    world.application.ask(&application::Question::Speed { factor: options.speed }).await?;
    let limit = options.sslcom_calls_per_minute;
    world
        .vendors
        .ask(&Question::Answer {
            speed: options.speed,
            sslcom_after_ms: options.sslcom_after_ms,
            sslcom_calls_per_minute: (limit > 0).then_some(limit),
            graph_limits: true,
        })
        .await?;
    let (before, counted_before, begun) = (world.report().await?, world.cost().await?, Instant::now());
    large.approve(&batches.0).await?;
    large.until(async || Ok((large.count(&batches.0, "imported").await? > 0).then_some(()))).await?;
    let small_begun = Instant::now();
    small.approve(&batches.1).await?;

    let mut small_done: Option<(Duration, u64)> = None;
    let mut resolved = 0;
    let mut glances = tokio::time::interval(Duration::from_millis(500));
    loop {
        glances.tick().await;
        let done = (large.count(&batches.0, "imported").await?, small.count(&batches.1, "imported").await?);
        if done.1 == u64::from(options.small) && small_done.is_none() {
            small_done = Some((small_begun.elapsed(), done.0));
        }
        if done == (u64::from(options.large), u64::from(options.small)) {
            break;
        }
        resolved += large.resolve_unsure().await? + small.resolve_unsure().await?;
        let lost = lost(&large, &batches.0).await? + lost(&small, &batches.1).await?;
        anyhow::ensure!(lost == 0, "{lost} enrollments ended otherwise than imported");
    }
    let virtual_minutes = begun.elapsed().as_secs_f64() * f64::from(options.speed) / 60.0;
    let (after, cost) = (world.report().await?, world.cost().await?);
    let all = f64::from(options.large + options.small);
    let sent = |vendor: &str| sum(&after[vendor]) - sum(&before[vendor]);
    let counted = difference(&cost["counted"], &counted_before["counted"]);
    let received: f64 = counted_like(&counted, "message.received");
    say(&json!({
        "enrollments": [options.large, options.small],
        "all_imported": true,
        "resolved_by_the_operator": resolved,
        "minutes_of_their_time": rounded(virtual_minutes),
        "seconds": rounded(begun.elapsed().as_secs_f64()),
        "small_done_after_minutes": small_done.map(|(after, _)| rounded(after.as_secs_f64() * f64::from(options.speed) / 60.0)),
        "large_imported_when_small_was_done": small_done.map(|(_, imported)| imported),
        "sslcom_sent": sent("sslcom"),
        "sslcom_sent_by_needed": rounded(sent("sslcom") / (all * SSLCOM_NEEDED)),
        "microsoft_sent": sent("microsoft"),
        "microsoft_sent_by_needed": rounded(sent("microsoft") / (all * GRAPH_NEEDED)),
        "sweeps_per_minute": rounded(counted_like(&counted, "sweep.ended") / virtual_minutes),
        "messages_per_enrollment": rounded(received / all),
        "messages_per_minute": rounded(received / virtual_minutes),
        "cpu_ms_per_enrollment": rounded((number(&cost["cpu_ms"]) - number(&counted_before["cpu_ms"])) / all),
        "peak_memory_bytes": cost["peak_memory_bytes"],
        "purchases": after["purchases"],
        "defects": after["defects"],
        "sslcom": difference(&after["sslcom"], &before["sslcom"]),
        "microsoft": difference(&after["microsoft"], &before["microsoft"]),
        "counted": counted,
    }));
    Ok(())
}

/// The order, a look at it, the request, and a look at the certificate.
const SSLCOM_NEEDED: f64 = 4.0;
/// The person, read fresh, and the record.
const GRAPH_NEEDED: f64 = 2.0;

async fn imported_and_planned(operator: &Operator) -> anyhow::Result<String> {
    operator.start_import().await?;
    operator.until_imported(u64::MAX).await?;
    operator.plan().await
}

/// Enrollments that nothing will move any more.
async fn lost(operator: &Operator, batch: &str) -> anyhow::Result<u64> {
    let mut lost = 0;
    for state in ["blocked", "held", "rejected", "expired", "failed", "cancelled"] {
        lost += operator.count(batch, state).await?;
    }
    Ok(lost)
}

fn counted_like(counted: &Value, beginning: &str) -> f64 {
    let rows = counted.as_object().into_iter().flatten();
    rows.filter(|(name, _)| name.starts_with(beginning)).map(|(_, count)| number(count)).sum()
}

fn difference(after: &Value, before: &Value) -> Value {
    let rows = after.as_object().into_iter().flatten();
    rows.map(|(name, count)| (name.clone(), json!(number(count) - number(&before[name])))).collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_default()
}
