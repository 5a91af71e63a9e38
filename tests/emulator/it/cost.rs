//! What one certificate costs in calls: counted for a hundred people from the approval to the devices, at AWS by the
//! meter and at the vendors by their own counters.

use std::collections::BTreeMap;

use crate::{
    meter::{Call, Sum},
    run,
    world::World,
};

const PEOPLE: u64 = 100;

/// US dollars, on demand, us-east-1, list prices of November 2026.
mod price {
    pub(super) const WRITE_UNITS_PER_MILLION: f64 = 0.625;
    pub(super) const READ_UNITS_PER_MILLION: f64 = 0.125;
    pub(super) const KMS_PER_MILLION: f64 = 3.0;
    pub(super) const SECRETS_PER_MILLION: f64 = 5.0;
    pub(super) const QUEUE_PER_MILLION: f64 = 0.40;
    pub(super) const INVOCATIONS_PER_MILLION: f64 = 0.20;
    /// arm64.
    pub(super) const GIGABYTE_SECOND: f64 = 0.000_013_333_4;
    pub(super) const HTTP_PER_MILLION: f64 = 1.0;
}

/// How long an invocation is paid for, in seconds with half a gigabyte; the emulator is no measure of time. A purchase
/// waits for SSL.com and has a gigabyte.
const SECONDS: f64 = 1.0;
const SECONDS_OF_A_PURCHASE: f64 = 10.0;

#[test]
fn a_hundred_enrollments_are_counted() {
    run(async {
        let world = World::of("cost", PEOPLE as usize).await;
        let batch = world.plan().await;
        let vendors = |world: &World| -> BTreeMap<&str, u64> {
            let sslcom = ["sslcom.create", "sslcom.update", "sslcom.retrieve", "sslcom.validations", "sslcom.list"];
            let microsoft = ["entra.token", "graph.user", "graph.pfx_get", "graph.pfx_create", "graph.pfx_update"];
            let sslcom = sslcom.map(|call| (call, world.vendors.sslcom.calls(call)));
            sslcom.into_iter().chain(microsoft.map(|call| (call, world.vendors.microsoft.calls(call)))).collect()
        };
        // What a sweep costs that finds nothing, so that it is not counted with the certificates.
        world.sweep().await.unwrap();
        world.meter.take();
        world.sweep().await.unwrap();
        let idle: BTreeMap<Call, Sum> = world.meter.take();
        let idle: u64 = idle.iter().filter(|((by, _), _)| by == "reconcile").map(|(_, sum)| sum.calls).sum();

        let before = vendors(&world);
        world.approve(&batch).await;
        let done = tokio::time::timeout(std::time::Duration::from_secs(400), async {
            // Whoever asks the API is counted too, so nobody asks it.
            while world.vendors.microsoft.delivered_count() < PEOPLE {
                world.sweep().await.unwrap();
            }
        });
        assert!(done.await.is_ok(), "{} of {PEOPLE} were delivered", world.vendors.microsoft.delivered_count());
        let calls = world.meter.take();
        world.until_count(&batch, "imported", PEOPLE).await;
        world.everybody_has_one(PEOPLE).await;

        let mut table = format!("{:<18} {:<45} {:>9} {:>9}\n", "function", "call", "per cert.", "units");
        for ((by, action), sum) in calls.iter().filter(|((by, _), _)| by != "reconcile" && by != "api") {
            let (calls, units) = (per_person(sum.calls), per_person(sum.units));
            table.push_str(&format!("{by:<18} {action:<45} {calls:>9.2} {units:>9.2}\n"));
        }
        let mut vendor_calls = 0.0;
        for (call, count) in vendors(&world) {
            let count = per_person(count - before[call]);
            vendor_calls += count;
            table.push_str(&format!("{:<18} {call:<45} {count:>9.2}\n", "(vendor)"));
        }
        let counted = cost(&calls);
        table.push_str(&format!(
            "\nAWS calls per certificate: {:.1}; vendors' calls: {vendor_calls:.1}\n\
             a sweep that finds nothing: {idle} calls\n\
             10,000 certificates: {:.2} USD of calls and about {:.2} USD of computing\n",
            counted.calls,
            counted.dollars * 10_000.0,
            counted.computing * 10_000.0,
        ));
        std::fs::write(world.emulator.folder().join("cost.txt"), &table).unwrap();
        show(&table);
        // Twice of what was counted when this was written: a loop that was added would show.
        assert!(counted.calls < 80.0, "{table}");
        assert!(vendor_calls < 14.0, "{table}");
    });
}

struct Counted {
    calls: f64,
    dollars: f64,
    computing: f64,
}

fn cost(calls: &BTreeMap<Call, Sum>) -> Counted {
    let mut counted = Counted { calls: 0.0, dollars: 0.0, computing: 0.0 };
    for ((by, action), sum) in calls {
        let (calls, units) = (per_person(sum.calls), per_person(sum.units));
        // The sweep's calls are the same however many are due, and nobody looked at the console.
        if by == "reconcile" || by == "api" {
            continue;
        }
        counted.calls += calls;
        let reads = ["GetItem", "BatchGetItem", "Query"].iter().any(|read| action.contains(read));
        counted.dollars += 1e-6
            * match action.split(':').next() {
                Some("dynamodb") if reads => units * price::READ_UNITS_PER_MILLION,
                Some("dynamodb") => units * price::WRITE_UNITS_PER_MILLION,
                Some("kms") => calls * price::KMS_PER_MILLION,
                Some("secretsmanager") => calls * price::SECRETS_PER_MILLION,
                _ => calls * price::QUEUE_PER_MILLION,
            };
    }
    // For each: an order, about three looks at it and an import, each received and deleted; and one call of the webhook.
    let (orders, others) = (1.0, 4.0);
    counted.dollars += 1e-6 * 3.0 * (orders + others) * price::QUEUE_PER_MILLION + 1e-6 * price::HTTP_PER_MILLION;
    counted.dollars += 1e-6 * (orders + others + 1.0) * price::INVOCATIONS_PER_MILLION;
    counted.computing = price::GIGABYTE_SECOND * (orders * SECONDS_OF_A_PURCHASE + (others + 1.0) * SECONDS * 0.5);
    counted
}

fn per_person(count: u64) -> f64 {
    count as f64 / PEOPLE as f64
}

#[expect(clippy::print_stdout, reason = "the table is what this test is for")]
fn show(table: &str) {
    println!("{table}");
}
