//! What deciding costs: the next step of an enrollment, and each change of its walk.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use domain::{
    step,
    transition::{Event, apply},
};

#[path = "../tests/domain/samples.rs"]
mod samples;

criterion_group!(benches, plan, walk);
criterion_main!(benches);

fn plan(criterion: &mut Criterion) {
    let rows = [samples::rows(), samples::later_rows()].concat();
    let now = samples::at(20);
    criterion.bench_function("plan: every sample row", |bencher| {
        bencher.iter(|| {
            for (_, row) in &rows {
                black_box(step::plan(black_box(row), now));
            }
        });
    });
}

fn walk(criterion: &mut Criterion) {
    let events = samples::events();
    let pick = |name: &str| events.iter().find(|event| event.name() == name).expect("a kind of event").clone();
    let walk: Vec<Event> = [
        "approved",
        "buying_started",
        "purchase_found",
        "request_submitted",
        "still_validating",
        "certificate_accepted",
        "import_started",
        "imported",
        "key_destroyed",
    ]
    .map(pick)
    .into();
    let happened: Vec<_> = walk.into_iter().map(samples::happened).collect();
    let new = samples::planned(1);
    criterion.bench_function("apply: from the plan to the destroyed key", |bencher| {
        bencher
            .iter(|| happened.iter().fold(new.clone(), |row, happened| apply(&row, happened).expect("a legal walk")));
    });
}
