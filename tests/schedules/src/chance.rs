//! What happens next, by chance: the part of a schedule in which things go wrong.

use axum::body::Bytes;
use axum::http::{Method, StatusCode};
use jiff::SignedDuration;
use sim::sslcom::OrderState;

use crate::{
    gate::{Ended, Go},
    proxy::{Server, Told},
    run::{Actor, At, Held, Run, page},
};

#[derive(Clone, Copy)]
enum Choice {
    GoOn(Actor),
    Crash(Actor),
    Take,
    Sweep,
    Clock,
    Hook,
    LoseHook,
    Issue,
    Reject,
    Click,
    Operator,
    DeliverAgain,
}

/// What a vendor does to one request.
#[derive(Clone, Copy)]
enum Fault {
    Dropped,
    Lost,
    Late,
    FailedBefore,
    FailedAfter,
    ThrottledBefore,
    ThrottledAfter,
    Malformed,
    Refused,
}

impl Run<'_> {
    /// One choice.
    pub(crate) async fn happen(&mut self, faults: usize) -> Held {
        self.figures.steps += 1;
        let choices = self.choices(faults);
        match self.random.weighted(&choices) {
            Choice::GoOn(actor) => {
                // Of ten calls nine are the platform's, and whoever fails at each never comes to a vendor.
                let vendor = matches!(self.slot(actor).at, At::Vendor { .. });
                let often = if vendor { (5 * faults).min(650) } else { faults / 4 };
                if self.random.chance(often) { self.disturb(actor).await } else { self.go_on(actor).await }
            }
            Choice::Crash(actor) => {
                let after_acting = self.random.chance(500);
                self.crash(actor, after_acting).await
            }
            Choice::Take => self.take().await,
            Choice::Sweep => self.sweep().await,
            Choice::Clock => self.let_time_pass().await,
            Choice::Hook => {
                let hook = self.hooks.remove(self.random.below(self.hooks.len()));
                if self.random.chance(faults) {
                    self.figures.fault("callback twice");
                    self.hooks.push(hook.clone());
                }
                self.hook(hook).await
            }
            Choice::LoseHook => {
                self.figures.fault("callback lost");
                self.note("a callback is lost");
                self.hooks.remove(self.random.below(self.hooks.len()));
                Ok(())
            }
            Choice::Issue => self.issue_one().await,
            Choice::Reject => {
                self.reject_one();
                Ok(())
            }
            Choice::Click => self.click_one().await,
            Choice::Operator => self.operator_acts().await,
            Choice::DeliverAgain => {
                let all = self.lane.platform.messages.all();
                if let Some(message) = self.random.of(&all) {
                    self.figures.fault("message twice");
                    self.note(format!("{} is delivered again", self.shown_job(&message.job)));
                    self.lane.platform.messages.deliver_again(message.id);
                }
                Ok(())
            }
        }
    }

    fn choices(&self, faults: usize) -> Vec<(usize, Choice)> {
        let mut choices = vec![(5, Choice::Clock), (4, Choice::Operator)];
        for actor in self.away() {
            choices.push((24, Choice::GoOn(actor)));
            choices.push((faults / 140, Choice::Crash(actor)));
        }
        let has = |holds: bool, weight: usize, choice| holds.then_some((weight, choice));
        let worker_free = Actor::WORKERS.iter().any(|worker| self.is_home(*worker));
        let messages = &self.lane.platform.messages;
        let waiting = !messages.visible().is_empty();
        choices.extend(has(worker_free && waiting, 24, Choice::Take));
        choices.extend(has(self.is_home(Actor::Sweep), if waiting { 2 } else { 10 }, Choice::Sweep));
        choices.extend(has(!self.hooks.is_empty() && self.is_home(Actor::Hook), 10, Choice::Hook));
        choices.extend(has(!self.hooks.is_empty(), faults / 100, Choice::LoseHook));
        choices.extend(has(!self.world.sslcom.ready().is_empty(), 8, Choice::Issue));
        choices.extend(has(self.world.sslcom.count(|state| *state == OrderState::Validating) > 0, 3, Choice::Click));
        choices.extend(has(faults > 100 && !self.world.sslcom.orders().is_empty(), 1, Choice::Reject));
        choices.extend(has(!messages.all().is_empty(), 1 + faults / 150, Choice::DeliverAgain));
        choices
    }

    /// Something goes wrong where somebody stands.
    async fn disturb(&mut self, actor: Actor) -> Held {
        match std::mem::replace(&mut self.slot(actor).at, At::Home) {
            At::Home => Ok(()),
            At::Platform { name, go } => match self.random.below(5) {
                // Whatever it asks a vendor before it stops again is refused at the port.
                0 => {
                    self.figures.fault("ports closed");
                    self.note(format!("{actor:?} {name}, then nobody listens"));
                    for proxy in self.lane.proxies.values_mut() {
                        proxy.close().await;
                    }
                    let rested = self.undisturbed(actor, go).await;
                    for proxy in self.lane.proxies.values_mut() {
                        proxy.open().map_err(|error| format!("a proxy's port is taken: {error}"))?;
                    }
                    rested
                }
                1 | 2 => {
                    self.figures.fault("platform failed");
                    self.fail(actor, go, name, Go::FailBefore).await
                }
                _ => {
                    self.figures.fault("platform answer lost");
                    self.fail(actor, go, name, Go::FailAfter).await
                }
            },
            At::Vendor { sent, client, since } => {
                let reads = sent.method == Method::GET || sent.server == Server::Entra;
                let fault = self.random.weighted(&[
                    (2, Fault::Dropped),
                    (4, Fault::Lost),
                    (if reads { 0 } else { 5 }, Fault::Late),
                    (2, Fault::FailedBefore),
                    (3, Fault::FailedAfter),
                    (2, Fault::ThrottledBefore),
                    (1, Fault::ThrottledAfter),
                    (2, Fault::Malformed),
                    (1, Fault::Refused),
                ]);
                let shown = self.shown(&sent);
                let acts = matches!(fault, Fault::Lost | Fault::FailedAfter | Fault::ThrottledAfter | Fault::Malformed);
                let done = if acts { Some(self.perform(&sent).await?) } else { None };
                let wait = self.random.chance(600).then(|| self.random.between(1, 600));
                let (kind, told) = match fault {
                    Fault::Dropped => ("connection closed before acting", Told::Nothing),
                    Fault::Lost => ("answer lost", Told::Nothing),
                    Fault::Late => {
                        self.will_act(sent, since);
                        ("late effect", Told::Nothing)
                    }
                    Fault::FailedBefore => ("500 before acting", page(500, None)),
                    Fault::FailedAfter => ("500 after acting", page(500, None)),
                    Fault::ThrottledBefore => ("429 before acting", page(429, wait)),
                    Fault::ThrottledAfter => ("429 after acting", page(429, wait)),
                    Fault::Malformed => ("malformed", done.map_or(Told::Nothing, half)),
                    Fault::Refused => ("503 before acting", page(503, wait)),
                };
                self.figures.fault(kind);
                self.note(format!("{actor:?} {shown}: {kind}"));
                self.tell(actor, client, told).await
            }
        }
    }

    /// A worker takes a message, in no order.
    async fn take(&mut self) -> Held {
        let free: Vec<Actor> = Actor::WORKERS.into_iter().filter(|worker| self.is_home(*worker)).collect();
        let visible = self.lane.platform.messages.visible();
        let (Some(worker), Some(message)) = (self.random.of(&free).copied(), self.random.of(&visible).cloned()) else {
            return Ok(());
        };
        self.work_on(worker, message).await
    }

    async fn let_time_pass(&mut self) -> Held {
        let seconds = match self.random.below(100) {
            0..35 => self.random.between(1, 10),
            35..60 => match self.next_due().await {
                Some(due) => due.duration_since(self.now()).as_secs().clamp(1, 40 * 60),
                None => 1,
            },
            60..85 => self.random.between(20, 90),
            85..97 => self.random.between(120, 1_900),
            _ => self.random.between(3_600, 30_000),
        };
        let to = self.now() + SignedDuration::from_secs(seconds);
        self.note(format!("{seconds} seconds pass"));
        self.advance(to).await
    }

    async fn issue_one(&mut self) -> Held {
        let ready = self.world.sslcom.ready();
        match self.random.of(&ready).cloned() {
            Some(reference) => self.issue(&reference).await,
            None => Ok(()),
        }
    }

    fn reject_one(&mut self) {
        let orders = self.world.sslcom.orders();
        if self.random.chance(80)
            && let Some(order) = self.random.of(&orders)
        {
            self.figures.fault("order rejected");
            self.note(format!("SSL.com rejects {}", order.reference));
            self.world.sslcom.reject(&order.reference, "rejected");
        }
    }

    async fn click_one(&mut self) -> Held {
        let orders = self.world.sslcom.orders();
        match self.random.of(&orders).and_then(|order| order.mailbox.clone()) {
            Some(mailbox) => self.click(&mailbox).await,
            None => Ok(()),
        }
    }

    async fn undisturbed(&mut self, actor: Actor, go: tokio::sync::oneshot::Sender<Go>) -> Held {
        self.slot(actor).at = At::Platform { name: "(ports closed)", go };
        self.go_on(actor).await
    }
}

fn half(told: Told) -> Told {
    match told {
        Told::Answer(_, headers, body) => {
            let half = if body.len() < 2 { Bytes::from_static(b"{") } else { body.slice(..body.len() / 2) };
            Told::Answer(StatusCode::OK, headers, half)
        }
        Told::Nothing => Told::Nothing,
    }
}

/// How a step ended, in the words of the gate.
pub(crate) fn ended<T: std::fmt::Debug>(outcome: Result<T, ports::PlatformError>) -> Ended {
    match outcome {
        Ok(outcome) => Ended::Well(format!("{outcome:?}")),
        Err(error) => Ended::Failed(format!("{error}: {}", error.source)),
    }
}
