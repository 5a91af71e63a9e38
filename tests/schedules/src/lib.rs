//! Random schedules: a few enrollments, two workers, a sweep, an operator and SSL.com's callbacks, on virtual time.
//!
//! The product's own steps run over the local platform and talk HTTP to the simulators. Everybody stops before each call of
//! the platform and each request to a vendor; a seeded generator decides who goes on, what fails and how, who dies, what
//! is delivered twice, how much time passes. In the end nothing goes wrong any more, everything comes to rest, and the
//! simulators' books are compared with what must hold. The same seed is the same schedule.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod acts;
mod chance;
mod clock;
mod figures;
mod gate;
mod judge;
mod lane;
#[cfg(test)]
mod named;
mod platform;
mod proxy;
mod queue;
mod random;
mod run;
mod settle;
mod world;

use domain::{
    batch::BatchStatus,
    jobs::{BatchJob, Job},
};

pub use figures::Figures;

use crate::{
    lane::Lane,
    random::Random,
    run::{Held, Run},
    world::{Traits, World},
};

/// What came of one schedule.
#[derive(Debug)]
pub struct Outcome {
    pub figures: Figures,
    /// One line for each thing that happened.
    pub trace: Vec<String>,
    pub counter_example: Option<CounterExample>,
}

/// A schedule after which something did not hold.
#[derive(Clone, Debug)]
pub struct CounterExample {
    pub seed: u64,
    /// How many choices it takes.
    pub steps: u64,
    /// What did not hold.
    pub what: String,
    pub trace: Vec<String>,
}

impl std::fmt::Display for CounterExample {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seed, steps, what, trace } = self;
        writeln!(formatter, "{}", trace.join("\n"))?;
        write!(formatter, "schedule {seed}, {steps} choices: {what}")
    }
}

/// Runs schedules one after the other. What they have in common is made once.
pub struct Explorer(Lane);

impl Explorer {
    pub async fn new() -> Self {
        Self(Lane::new().await)
    }

    /// Runs the schedule of this seed, or its first choices only.
    pub async fn run(&mut self, seed: u64, most_steps: Option<u64>) -> Outcome {
        let lane = &mut self.0;
        lane.clock.set(lane.start);
        lane.platform.messages.clear();
        while lane.arrived.try_recv().is_ok() {}
        let mut random = Random::new(seed);
        let traits = Traits::of(&mut random);
        let world = World::new(lane, &traits).await;
        lane.platform.put_in(Some(world.local.clone()));
        let mut run = Run::new(lane, world, random);
        let held = schedule(&mut run, &traits, most_steps).await;
        run.everybody_dies().await;
        let mut figures = std::mem::take(&mut run.figures);
        figures.schedules = 1;
        let steps = figures.steps;
        let trace = std::mem::take(&mut run.trace);
        drop(run);
        lane.platform.put_in(None);
        lane.reopen().await;
        let counter_example = held.err().map(|what| CounterExample { seed, steps, what, trace: trace.clone() });
        Outcome { figures, trace, counter_example }
    }

    /// The fewest first choices of the schedule after which it still comes to something that does not hold.
    pub async fn shrink(&mut self, found: CounterExample) -> CounterExample {
        let mut shortest = found;
        let mut enough = 0;
        while enough < shortest.steps {
            let middle = enough + (shortest.steps - enough) / 2;
            match self.run(shortest.seed, Some(middle)).await.counter_example {
                Some(shorter) => shortest = CounterExample { steps: middle, ..shorter },
                None => enough = middle + 1,
            }
        }
        shortest
    }
}

async fn schedule(run: &mut Run<'_>, traits: &Traits, most_steps: Option<u64>) -> Held {
    let behaviour = &traits.behaviour;
    let (people, faults) = (traits.people, traits.faults);
    run.note(format!("{people} people, {faults} of 1,000 go wrong, {behaviour:?}"));
    plan(run).await?;
    let steps = most_steps.unwrap_or(traits.steps as u64).min(traits.steps as u64);
    while run.figures.steps < steps {
        run.happen(traits.faults).await?;
    }
    run.settle().await?;
    run.judge_end().await
}

/// Every schedule begins with plans that are ready to be approved.
async fn plan(run: &mut Run<'_>) -> Held {
    let integration = run.world.integration;
    for batch in run.world.batches.clone() {
        let job = Job::Batch(BatchJob::Plan { integration, batch });
        run.lane.platform.messages.send(vec![job], std::time::Duration::ZERO).map_err(|error| error.to_string())?;
        run.handle_messages().await?;
        if run.status(batch).await != BatchStatus::Ready {
            return Err("a plan is not ready although nothing went wrong".to_owned());
        }
    }
    let rows = run.world.enrollments().await;
    for (number, row) in rows.into_iter().enumerate() {
        let batch = run.world.batches.iter().position(|batch| *batch == row.batch).unwrap_or_default();
        run.world.planned.insert(row.id, (format!("e{}.{}", batch + 1, number + 1), row));
    }
    run.trace.truncate(1);
    Ok(())
}
