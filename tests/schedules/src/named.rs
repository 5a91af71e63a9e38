//! Schedules that were once counter-examples, each written down step by step under the name of what it showed.

use std::time::Duration;

use domain::{
    EnrollmentId,
    enrollment::StateName,
    jobs::{CheckOrder, Job, PlaceOrder},
};
use jiff::SignedDuration;
use ports::IntegrationStore;

use crate::{
    acts::Act,
    lane::Lane,
    plan,
    proxy::{Sent, Server},
    random::Random,
    run::{Actor, At, Held, Late, Run},
    world::{Traits, World},
};

/// The first choices of a schedule without chance: one person, who has been approved.
async fn one_person(lane: &mut Lane) -> Held<(Run<'_>, EnrollmentId)> {
    lane.clock.set(lane.start);
    let traits = Traits::of_one_person();
    let world = World::new(lane, &traits).await;
    lane.platform.put_in(Some(world.local.clone()));
    let mut run = Run::new(lane, world, Random::new(1));
    plan(&mut run).await?;
    let batch = run.world.batches[0];
    run.act(Act::Approve(batch)).await?;
    run.everybody_goes_home().await?;
    run.handle_messages().await?;
    let enrollment = run.world.enrollments().await[0].id;
    Ok((run, enrollment))
}

impl Run<'_> {
    /// The sweep and the workers go on until the enrollment is so far.
    async fn until(&mut self, enrollment: EnrollmentId, state: StateName) -> Held {
        while self.world.rows.enrollment(enrollment).await.unwrap().unwrap().state.name() != state {
            self.sweep().await?;
            self.everybody_goes_home().await?;
            let messages = self.lane.platform.messages.visible();
            let message = messages.into_iter().next().ok_or("nothing is left to be done")?;
            self.work_on(Actor::A, message).await?;
            self.everybody_goes_home().await?;
        }
        Ok(())
    }

    /// This worker begins to check the order, of which a message was delivered to it.
    async fn begin_check(&mut self, worker: Actor, enrollment: EnrollmentId) -> Held {
        let check = CheckOrder::One { integration: self.world.integration, enrollment };
        self.begin(worker, Job::CheckOrder(check)).await
    }

    async fn begin(&mut self, worker: Actor, job: Job) -> Held {
        self.lane.platform.messages.clear();
        self.lane.platform.messages.send(vec![job], Duration::ZERO).unwrap();
        let message = self.lane.platform.messages.visible().remove(0);
        self.work_on(worker, message).await
    }

    /// It goes on until the row says so.
    async fn until_state(&mut self, worker: Actor, enrollment: EnrollmentId, state: StateName) -> Held {
        while self.world.rows.enrollment(enrollment).await.unwrap().unwrap().state.name() != state {
            self.go_on(worker).await?;
        }
        Ok(())
    }

    /// It goes on until it is about to write to SSL.com, or is done.
    async fn until_write(&mut self, worker: Actor) -> Held {
        while !self.is_home(worker) && !self.is_about_to_write(worker) {
            self.go_on(worker).await?;
        }
        Ok(())
    }

    fn is_about_to_write(&self, worker: Actor) -> bool {
        matches!(&self.slots[worker as usize].at, At::Vendor { sent, .. } if is_write(sent))
    }
}

/// An order, or the request for its certificate.
fn is_write(sent: &Sent) -> bool {
    sent.server == Server::SslCom && sent.method != axum::http::Method::GET
}

fn in_a_lane(test: impl AsyncFnOnce(&mut Lane) -> Held) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut lane = Lane::new().await;
        let held = test(&mut lane).await;
        assert_eq!(held, Ok(()));
    });
}

/// Seed 54 of the first run: both read that the order waits for its request, and both handed it in.
#[test]
fn of_two_workers_that_check_one_order_one_hands_in_its_request() {
    in_a_lane(async |lane| {
        let (mut run, enrollment) = one_person(lane).await?;
        run.until(enrollment, StateName::Bought).await?;
        run.begin_check(Actor::A, enrollment).await?;
        run.begin_check(Actor::B, enrollment).await?;
        run.until_write(Actor::A).await?;
        run.until_write(Actor::B).await?;
        assert!(run.is_about_to_write(Actor::A) && run.is_home(Actor::B));
        run.settle().await?;
        run.judge_end().await
    });
}

/// Seed 11 of the first run: the client had given up, the order was checked again at once, and SSL.com acted twice.
#[test]
fn a_request_that_may_be_under_way_is_not_handed_in_again() {
    in_a_lane(async |lane| {
        let (mut run, enrollment) = one_person(lane).await?;
        run.until(enrollment, StateName::Bought).await?;
        run.begin_check(Actor::A, enrollment).await?;
        run.until_write(Actor::A).await?;
        let At::Vendor { sent, .. } = &run.slots[Actor::A as usize].at else { return Err("it wrote nothing".into()) };
        let late = Late { at: run.now() + SignedDuration::from_secs(50), sent: sent.clone() };
        run.late.push(late);
        run.crash(Actor::A, false).await?;
        run.advance(run.now() + SignedDuration::from_secs(20)).await?;
        run.begin_check(Actor::B, enrollment).await?;
        run.until_write(Actor::B).await?;
        assert!(run.is_home(Actor::B), "it may be under way");
        run.settle().await?;
        run.judge_end().await
    });
}

/// A worker that stood still between its write and its request does not send it when it wakes up.
#[test]
fn a_request_that_was_not_handed_in_in_time_is_handed_in_by_somebody_else() {
    in_a_lane(async |lane| {
        let (mut run, enrollment) = one_person(lane).await?;
        run.until(enrollment, StateName::Bought).await?;
        run.begin_check(Actor::A, enrollment).await?;
        while !matches!(run.slots[Actor::A as usize].at, At::Platform { name: "commit", .. }) {
            run.go_on(Actor::A).await?;
        }
        run.advance(run.now() + SignedDuration::from_secs(61)).await?;
        run.until_write(Actor::A).await?;
        assert!(run.is_home(Actor::A), "its time was over");
        run.settle().await?;
        run.judge_end().await
    });
}

/// Seed 17 after a pause was added: what was read between the last look at the clock and the order took too long.
#[test]
fn a_worker_that_stands_still_anywhere_after_it_wrote_that_it_buys_does_not_buy_when_it_wakes_up() {
    in_a_lane(async |lane| {
        let mut stood_still_at = Vec::new();
        loop {
            let (mut run, enrollment) = one_person(lane).await?;
            run.until(enrollment, StateName::Requested).await?;
            let place = PlaceOrder::One { integration: run.world.integration, enrollment };
            run.begin(Actor::A, Job::PlaceOrder(place)).await?;
            run.until_state(Actor::A, enrollment, StateName::Buying).await?;
            for _ in &stood_still_at {
                run.go_on(Actor::A).await?;
            }
            let At::Platform { name, .. } = &run.slots[Actor::A as usize].at else { break };
            stood_still_at.push(name.to_string());
            run.advance(run.now() + SignedDuration::from_secs(61)).await?;
            run.until_write(Actor::A).await?;
            assert!(run.is_home(Actor::A), "it stood still at {stood_still_at:?}");
            run.settle().await?;
            run.judge_end().await?;
        }
        assert!(stood_still_at.iter().any(|name| name == "integration"), "{stood_still_at:?}");
        Ok(())
    });
}
