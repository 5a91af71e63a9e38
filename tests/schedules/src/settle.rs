//! Nothing goes wrong any more: everything comes to its end, and an operator decides what waits for one.

use domain::{State, batch::BatchStatus, enrollment::StateName};
use jiff::SignedDuration;
use sim::sslcom::OrderState;

use crate::{
    acts::Act,
    run::{Actor, Held, Run},
};

/// Far more than anything needs. Whoever is not at rest by then never will be.
const MOST_ROUNDS: usize = 1_500;

impl Run<'_> {
    pub(crate) async fn settle(&mut self) -> Held {
        self.note("from here on nothing goes wrong");
        for _ in 0..MOST_ROUNDS {
            self.everybody_goes_home().await?;
            let moved = self.handle_messages().await? | self.vendors_act().await? | self.operator_decides().await?;
            if moved {
                continue;
            }
            self.sweep().await?;
            self.everybody_goes_home().await?;
            if !self.lane.platform.messages.visible().is_empty() {
                continue;
            }
            match self.next_due().await {
                Some(due) => {
                    let wait = due.duration_since(self.now()).max(SignedDuration::from_secs(1));
                    self.advance(self.now() + wait).await?;
                }
                None => return Ok(()),
            }
        }
        let rows = self.world.enrollments().await;
        let states: Vec<_> =
            rows.iter().map(|row| format!("{} {}", self.world.name(row.id), row.state.name())).collect();
        Err(format!("it never comes to rest: {}", states.join(", ")))
    }

    /// Lets everybody who is away do the rest of what they do.
    pub(crate) async fn everybody_goes_home(&mut self) -> Held {
        while let Some(actor) = self.away().first().copied() {
            self.go_on(actor).await?;
        }
        Ok(())
    }

    /// Worker A takes whatever waits.
    pub(crate) async fn handle_messages(&mut self) -> Held<bool> {
        let mut moved = false;
        while let Some(message) = self.lane.platform.messages.visible().into_iter().next() {
            self.work_on(Actor::A, message).await?;
            self.everybody_goes_home().await?;
            moved = true;
        }
        Ok(moved)
    }

    async fn vendors_act(&mut self) -> Held<bool> {
        let mut moved = false;
        for order in self.world.sslcom.orders() {
            if let (OrderState::Validating, Some(mailbox)) = (&order.state, &order.mailbox) {
                self.click(mailbox).await?;
            }
        }
        for reference in self.world.sslcom.ready() {
            self.issue(&reference).await?;
            moved = true;
        }
        while let Some(hook) = self.hooks.pop() {
            self.hook(hook).await?;
            self.everybody_goes_home().await?;
            moved = true;
        }
        Ok(moved)
    }

    /// Everything that waits for a person gets an answer, the truth.
    async fn operator_decides(&mut self) -> Held<bool> {
        if self.stopped().await {
            return self.decided(Act::StopBuying(false)).await;
        }
        for batch in self.world.batches.clone() {
            match self.status(batch).await {
                BatchStatus::Ready => return self.decided(Act::Approve(batch)).await,
                BatchStatus::Stopped { .. } => {
                    self.pay_in();
                    return self.decided(Act::Resume(batch)).await;
                }
                _ => {}
            }
        }
        for row in self.world.enrollments().await {
            let act = match &row.state {
                State::Unsure { .. } => self.honest(&row),
                State::Blocked { .. } => Act::Unblock(row.id),
                State::Failed { .. } => Act::Retry(row.id),
                State::Held { .. } => Act::RetryHeld(row.id),
                _ => continue,
            };
            return self.decided(act).await;
        }
        Ok(false)
    }

    async fn decided(&mut self, act: Act) -> Held<bool> {
        let shown = format!("{act:?}");
        let before = self.trace.len();
        self.act(act).await?;
        self.everybody_goes_home().await?;
        let refused =
            self.trace[before..].iter().find(|line| line.contains("Operator ends") && line.contains("Refused"));
        match refused {
            // Nothing is wrong any more, so nothing stands in the way of the truth.
            Some(line) => Err(format!("there is no way out: {shown}: {line}")),
            None => Ok(true),
        }
    }

    /// The states in which an enrollment may end.
    pub(crate) fn is_end(name: StateName) -> bool {
        matches!(name, StateName::Imported | StateName::Cancelled | StateName::Rejected | StateName::Expired)
    }
}
