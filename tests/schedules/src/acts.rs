//! What the workers, the sweep, SSL.com's callbacks and the operator do.

use domain::{
    BatchId, Enrollment, EnrollmentId, State,
    batch::BatchStatus,
    jobs::{BatchJob, CheckOrder, Job, PlaceOrder},
    transition::Actor as By,
};
use flow::{Decision, Flow, Refusal, approve_batch, connect, held, import_again, order_callback, reconcile, resolve};
use jiff::Timestamp;
use ports::IntegrationStore;

use crate::{
    chance::ended,
    gate::Ended,
    lane::{ACCOUNT_KEY, Hook, PRICE_CENTS},
    platform::GatedPlatform,
    queue::Message,
    run::{Actor, Held, Run},
};

/// What an operator can do.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Approve(BatchId),
    Resume(BatchId),
    StopBuying(bool),
    Cancel(EnrollmentId),
    /// The order that stands in SSL.com's own books.
    Bought(EnrollmentId, String),
    /// Without a word about having looked: the product has to look itself.
    NotBought(EnrollmentId),
    /// After a look into SSL.com's own books.
    NotBoughtSeen(EnrollmentId),
    Unblock(EnrollmentId),
    Retry(EnrollmentId),
    RetryHeld(EnrollmentId),
    AcceptHeld(EnrollmentId),
    ImportAgain(EnrollmentId),
    ResendValidation(EnrollmentId),
}

impl Run<'_> {
    pub(crate) async fn work_on(&mut self, worker: Actor, message: Message) -> Held {
        let flow = self.lane.flows[worker as usize].clone();
        let doing = self.shown_job(&message.job);
        self.lane.platform.messages.take(message.id);
        let job = message.job.clone();
        if message.is_dead() {
            let work = async move { ended(reconcile::mark_dead_letter(&flow, &job).await) };
            return self.start(worker, format!("mark a dead letter: {doing}"), Some(message.id), work).await;
        }
        self.start(worker, doing, Some(message.id), async move { ended(flow::run(&flow, job).await) }).await
    }

    pub(crate) async fn sweep(&mut self) -> Held {
        let flow = self.others();
        self.start(Actor::Sweep, "sweep".to_owned(), None, async move { ended(reconcile::reconcile(&flow).await) })
            .await
    }

    pub(crate) async fn hook(&mut self, hook: Hook) -> Held {
        let flow = self.others();
        let work = async move {
            ended(order_callback::order_ready(&flow, &hook.token, Some((&hook.user, &hook.password))).await)
        };
        self.start(Actor::Hook, "callback".to_owned(), None, work).await
    }

    fn others(&self) -> Flow<GatedPlatform> {
        self.lane.flows[2].clone()
    }

    pub(crate) async fn issue(&mut self, reference: &str) -> Held {
        self.note(format!("SSL.com issues {reference}"));
        self.world.sslcom.issue(reference);
        self.collect_hooks().await
    }

    /// The person follows the link in the mail, if there is one.
    pub(crate) async fn click(&mut self, mailbox: &str) -> Held {
        let clicked = self.world.sslcom.click(mailbox);
        if clicked > 0 {
            self.note("somebody follows the link of a validation mail");
        }
        self.collect_hooks().await
    }

    /// Something that an operator may do about things as they are.
    pub(crate) async fn operator_acts(&mut self) -> Held {
        if !self.is_home(Actor::Operator) {
            return Ok(());
        }
        let stopped = self.stopped().await;
        if stopped || self.random.chance(60) {
            return self.act(Act::StopBuying(!stopped)).await;
        }
        for id in self.world.batches.clone() {
            let status = self.status(id).await;
            if status == BatchStatus::Ready && self.random.chance(700) {
                return self.act(Act::Approve(id)).await;
            }
            if matches!(status, BatchStatus::Stopped { .. }) && self.random.chance(300) {
                self.pay_in();
                return self.act(Act::Resume(id)).await;
            }
        }
        let rows = self.world.enrollments().await;
        let Some(row) = self.random.of(&rows).cloned() else { return Ok(()) };
        let chance = |run: &mut Self, per_mille, act| run.random.chance(per_mille).then_some(act);
        let act = match &row.state {
            State::Planned | State::Requested => chance(self, 100, Act::Cancel(row.id)),
            State::Blocked { .. } if self.random.chance(700) => Some(Act::Unblock(row.id)),
            State::Blocked { .. } => Some(Act::Cancel(row.id)),
            State::Validating { .. } => chance(self, 100, Act::ResendValidation(row.id)),
            State::Unsure { .. } if self.random.chance(500) => Some(Act::NotBought(row.id)),
            State::Unsure { .. } => Some(self.honest(&row)),
            State::Failed { .. } => Some(Act::Retry(row.id)),
            State::Held { .. } if self.random.chance(500) => Some(Act::AcceptHeld(row.id)),
            State::Held { .. } => Some(Act::RetryHeld(row.id)),
            State::Imported { .. } => chance(self, 300, Act::ImportAgain(row.id)),
            _ => None,
        };
        match act {
            Some(act) => self.act(act).await,
            None => Ok(()),
        }
    }

    /// What somebody answers who has looked into SSL.com's own books.
    pub(crate) fn honest(&self, row: &Enrollment) -> Act {
        let number = row.order_number();
        let orders = self.world.sslcom.orders();
        let order = orders.into_iter().find(|order| order.external_order_number.as_deref() == Some(&number));
        order.map_or(Act::NotBoughtSeen(row.id), |order| Act::Bought(row.id, order.reference))
    }

    pub(crate) async fn act(&mut self, act: Act) -> Held {
        let flow = self.others();
        let doing = self.shown_act(&act);
        let integration = self.world.integration;
        let work = async move {
            let by = By::Operator { name: "operator".to_owned() };
            let checked = Some("looked in the portal");
            let (id, by) = (integration, &by);
            let about = |row| Decision::about(&flow, id, row, by);
            let deciding = async {
                match act {
                    Act::Approve(batch) => said(approve_batch::approve(&flow, id, batch, by).await),
                    Act::Resume(batch) => said(approve_batch::resume(&flow, id, batch, by).await),
                    Act::StopBuying(stop) => said(connect::set_stop_buying(&flow, id, stop, by).await),
                    Act::Cancel(row) => said(resolve::cancel(about(row).await?, "not wanted").await),
                    Act::Bought(row, reference) => said(resolve::bought(about(row).await?, &reference).await),
                    Act::NotBought(row) => said(resolve::not_bought(about(row).await?, None).await),
                    Act::NotBoughtSeen(row) => said(resolve::not_bought(about(row).await?, checked).await),
                    Act::Unblock(row) => said(resolve::unblock(about(row).await?).await),
                    Act::Retry(row) => said(resolve::retry(about(row).await?).await),
                    Act::RetryHeld(row) => said(held::fetch_again(about(row).await?).await),
                    Act::AcceptHeld(row) => said(held::accept(about(row).await?, "good enough").await),
                    Act::ImportAgain(row) => said(import_again::one(about(row).await?).await),
                    Act::ResendValidation(row) => said(resolve::resend_validation(about(row).await?).await),
                }
            };
            match deciding.await {
                Ok(()) => Ended::Well("done".to_owned()),
                Err(Refusal::Platform(error)) => Ended::Failed(format!("{error}: {}", error.source)),
                Err(refusal) => Ended::Refused(refusal.to_string()),
            }
        };
        self.start(Actor::Operator, doing, None, work).await
    }

    /// There is enough for everything that is planned.
    pub(crate) fn pay_in(&mut self) {
        self.note("somebody pays in");
        self.world.sslcom.add_funds(ACCOUNT_KEY, 10 * PRICE_CENTS);
    }

    pub(crate) async fn stopped(&self) -> bool {
        let integration = self.world.rows.integration().await.unwrap();
        integration.is_some_and(|integration| integration.settings.stop_buying)
    }

    pub(crate) async fn status(&self, batch: BatchId) -> BatchStatus {
        self.world.rows.batch(batch).await.unwrap().map_or(BatchStatus::Abandoned, |batch| batch.status)
    }

    /// When the next thing happens by itself: a row, a batch or a message is due, or a vendor acts late.
    pub(crate) async fn next_due(&self) -> Option<Timestamp> {
        let mut due: Vec<Timestamp> = self.late.iter().map(|late| late.at).collect();
        due.extend(self.lane.platform.messages.next_visible_at());
        due.extend(self.world.enrollments().await.into_iter().filter_map(|row| row.due_at));
        for batch in &self.world.batches {
            let batch = self.world.rows.batch(*batch).await.unwrap();
            let unfinished = batch
                .filter(|batch| matches!(batch.status, BatchStatus::Planning | BatchStatus::Approving))
                .and_then(|batch| batch.due_at);
            due.extend(unfinished);
        }
        let now = self.now();
        due.into_iter().filter(|at| *at > now && *at < Timestamp::MAX).min()
    }

    pub(crate) fn shown_job(&self, job: &Job) -> String {
        let name = |id: &EnrollmentId| self.world.name(*id).to_owned();
        match job {
            Job::ImportPeople(_) => "import people".to_owned(),
            Job::Batch(BatchJob::Plan { batch, .. }) => format!("plan {}", self.shown_batch(*batch)),
            Job::Batch(BatchJob::Approve { batch, .. }) => format!("approve {}", self.shown_batch(*batch)),
            Job::PlaceOrder(PlaceOrder::One { enrollment, .. }) => format!("place the order of {}", name(enrollment)),
            Job::PlaceOrder(PlaceOrder::AfterRestore { .. }) => "compare with SSL.com".to_owned(),
            Job::CheckOrder(CheckOrder::One { enrollment, .. }) => format!("check the order of {}", name(enrollment)),
            Job::CheckOrder(CheckOrder::LookUp { .. }) => "look up".to_owned(),
            Job::ImportPfx(job) => format!("import {}", name(&job.enrollment)),
        }
    }

    fn shown_batch(&self, id: BatchId) -> String {
        let place = self.world.batches.iter().position(|batch| *batch == id).unwrap_or_default();
        format!("batch {}", place + 1)
    }

    fn shown_act(&self, act: &Act) -> String {
        let name = |id: &EnrollmentId| self.world.name(*id).to_owned();
        match act {
            Act::Approve(batch) => format!("approve {}", self.shown_batch(*batch)),
            Act::Resume(batch) => format!("resume {}", self.shown_batch(*batch)),
            Act::StopBuying(stop) => format!("stop buying: {stop}"),
            Act::Cancel(row) => format!("cancel {}", name(row)),
            Act::Bought(row, reference) => format!("{} was bought as {reference}", name(row)),
            Act::NotBought(row) => format!("{} was not bought, says somebody in a hurry", name(row)),
            Act::NotBoughtSeen(row) => format!("{} was not bought, says somebody who looked", name(row)),
            Act::Unblock(row) => format!("unblock {}", name(row)),
            Act::Retry(row) => format!("retry {}", name(row)),
            Act::RetryHeld(row) => format!("fetch the certificate of {} again", name(row)),
            Act::AcceptHeld(row) => format!("accept the certificate of {}", name(row)),
            Act::ImportAgain(row) => format!("import {} again", name(row)),
            Act::ResendValidation(row) => format!("send the validation mail of {} again", name(row)),
        }
    }
}

fn said<T>(answer: Result<T, Refusal>) -> Result<(), Refusal> {
    answer.map(drop)
}
