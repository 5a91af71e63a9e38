//! A large directory: how often Graph is asked, what the application needs of memory, what a kill in the middle costs, and
//! how quickly the API's lists answer afterwards.

use std::time::Instant;

use clap::Args;
use serde_json::{Value, json};

use crate::{
    cost::milliseconds,
    operator::Operator,
    process::say,
    throughput::rounded,
    world::{Setting, World},
};

#[derive(Args)]
pub(crate) struct Options {
    #[arg(long, default_value_t = 100_000)]
    people: u32,
    /// How often each list is asked for.
    #[arg(long, default_value_t = 200)]
    asked: u32,
}

/// Graph's largest page.
const PAGE: u32 = 999;

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let people = options.people;
    let setting = Setting {
        people: &[usize::try_from(people)?],
        timing: "",
        settings: json!({}),
        counting: false,
        issue_after_ms: 20,
    };
    let mut world = World::start(setting).await?;
    let begun = Instant::now();
    world.operators[0].start_import().await?;
    let at_the_kill = world.operators[0].until_imported(u64::from(people / 2)).await?["seen"].clone();
    let memory_before = world.cost().await?["peak_memory_bytes"].clone();
    world.kill_and_start_again().await?;
    let operator = world.operators[0].clone();
    let import = operator.until_imported(u64::MAX).await?;
    let import_seconds = begun.elapsed().as_secs_f64();
    let after_import = world.cost().await?;
    let report = world.report().await?;

    let planned = Instant::now();
    let batch = operator.plan().await?;
    let plan_seconds = planned.elapsed().as_secs_f64();
    let after_plan = world.cost().await?;
    let lists = lists(&operator, &batch, options.asked).await?;
    say(&json!({
        "people": people,
        "seen": import["seen"],
        "seen_at_the_kill": at_the_kill,
        "list_requests": report["microsoft"]["graph.users"],
        "list_requests_without_a_kill": people.div_ceil(PAGE),
        "delta_requests": report["microsoft"]["graph.users_delta"],
        "import_seconds": rounded(import_seconds),
        "peak_memory_bytes_before_the_kill": memory_before,
        "peak_memory_bytes_import": after_import["peak_memory_bytes"],
        "import_cpu_ms_after_the_kill": after_import["cpu_ms"],
        "plan_seconds": rounded(plan_seconds),
        "peak_memory_bytes_plan": after_plan["peak_memory_bytes"],
        "peak_memory_bytes_lists": world.cost().await?["peak_memory_bytes"],
        "lists": lists,
    }));
    Ok(())
}

/// How long each list took, over HTTP, while nothing else is done.
async fn lists(operator: &Operator, batch: &str, asked: u32) -> anyhow::Result<Value> {
    let somebody = &operator.get("/people?limit=1").await?["items"][0];
    let (name, address) = (beginning(&somebody["name"]), beginning(&somebody["address"]));
    let enrollments = operator.get("/enrollments?state=planned&limit=200").await?;
    let next = enrollments["next"].as_str().unwrap_or_default().to_owned();
    let mut answer = json!({});
    for (what, path) in [
        ("people", "/people".to_owned()),
        ("people_by_name", format!("/people?name={name}")),
        ("people_by_address", format!("/people?address={address}")),
        ("enrollments", "/enrollments".to_owned()),
        ("enrollments_by_state", "/enrollments?state=planned".to_owned()),
        ("enrollments_by_state_next_part", format!("/enrollments?state=planned&after={next}")),
        ("enrollments_of_the_batch", format!("/enrollments?batch={batch}")),
        ("plan_rows", format!("/batches/{batch}/plan")),
        ("plan_rows_new", format!("/batches/{batch}/plan?assessment=new")),
        ("counts", "/counts".to_owned()),
    ] {
        let mut times = Vec::new();
        for _ in 0..asked.max(1) {
            let begun = Instant::now();
            operator.get(&path).await?;
            times.push(milliseconds(begun.elapsed()));
        }
        times.sort_by(f64::total_cmp);
        let part = |percent: usize| rounded(times[(times.len() - 1) * percent / 100]);
        answer[what] = json!({ "p50_ms": part(50), "p99_ms": part(99) });
    }
    Ok(answer)
}

/// What somebody types who looks for a person: a few letters.
fn beginning(text: &Value) -> String {
    text.as_str().unwrap_or("a").chars().filter(char::is_ascii_alphanumeric).take(3).collect()
}
