//! One schedule while it runs: who is where, what is under way outside, and how somebody goes on.
//!
//! One runs at a time, from one gate to the next, so that a seed is a schedule, exactly.

use std::{panic::AssertUnwindSafe, time::Duration};

use axum::{
    body::Bytes,
    http::{HeaderMap, Method, StatusCode, header},
};
use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use sim::sslcom::behaviour::Callback;
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{
    figures::Figures,
    gate::{Arrival, Ended, Go},
    lane::{Hook, Lane},
    proxy::{Request, Sent, Server, Told},
    random::Random,
    world::World,
};

/// A counter-example, in a sentence.
pub(crate) type Held<T = ()> = Result<T, String>;

/// A run between two gates takes milliseconds; who takes so long on whatever machine does not come any more.
const PATIENCE: Duration = Duration::from_secs(300);
/// Characters of a SHA-1 thumbprint in hex.
const THUMBPRINT: usize = 40;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Actor {
    A,
    B,
    Sweep,
    Operator,
    Hook,
}

impl Actor {
    pub(crate) const ALL: [Self; 5] = [Self::A, Self::B, Self::Sweep, Self::Operator, Self::Hook];
    pub(crate) const WORKERS: [Self; 2] = [Self::A, Self::B];
}

/// Where somebody is.
pub(crate) enum At {
    /// Has nothing to do.
    Home,
    Platform {
        name: &'static str,
        go: oneshot::Sender<Go>,
    },
    Vendor {
        sent: Sent,
        client: oneshot::Sender<Told>,
        since: Timestamp,
    },
}

pub(crate) struct Slot {
    pub(crate) at: At,
    task: Option<JoinHandle<()>>,
    /// The message that is worked on.
    message: Option<u64>,
    pub(crate) doing: String,
    /// Since it began, something was made to go wrong.
    disturbed: bool,
    /// The stop switch as it was read last.
    pub(crate) stop_read: Option<bool>,
}

/// A request whose client has given up, and on which the vendor will act.
pub(crate) struct Late {
    pub(crate) at: Timestamp,
    pub(crate) sent: Sent,
}

pub(crate) struct Run<'a> {
    pub(crate) lane: &'a mut Lane,
    pub(crate) world: World,
    pub(crate) random: Random,
    pub(crate) slots: [Slot; 5],
    pub(crate) late: Vec<Late>,
    pub(crate) hooks: Vec<Hook>,
    hooks_seen: usize,
    pub(crate) trace: Vec<String>,
    pub(crate) figures: Figures,
}

impl<'a> Run<'a> {
    pub(crate) fn new(lane: &'a mut Lane, world: World, random: Random) -> Self {
        let home = || Slot {
            at: At::Home,
            task: None,
            message: None,
            doing: String::new(),
            disturbed: false,
            stop_read: None,
        };
        Self {
            lane,
            world,
            random,
            slots: [home(), home(), home(), home(), home()],
            late: Vec::new(),
            hooks: Vec::new(),
            hooks_seen: 0,
            trace: Vec::new(),
            figures: Figures::default(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.lane.clock.now()
    }

    pub(crate) fn note(&mut self, line: impl AsRef<str>) {
        let elapsed = self.now().duration_since(self.lane.start).as_secs();
        let (hours, minutes, seconds) = (elapsed / 3_600, elapsed / 60 % 60, elapsed % 60);
        self.trace.push(format!("{hours:3}:{minutes:02}:{seconds:02} {}", line.as_ref()));
    }

    pub(crate) fn slot(&mut self, actor: Actor) -> &mut Slot {
        &mut self.slots[actor as usize]
    }

    pub(crate) fn is_home(&self, actor: Actor) -> bool {
        matches!(self.slots[actor as usize].at, At::Home)
    }

    pub(crate) fn away(&self) -> Vec<Actor> {
        Actor::ALL.into_iter().filter(|actor| !self.is_home(*actor)).collect()
    }

    /// Gives somebody something to do, and lets it come to its first gate.
    pub(crate) async fn start(
        &mut self,
        actor: Actor,
        doing: String,
        message: Option<u64>,
        work: impl Future<Output = Ended> + Send + 'static,
    ) -> Held {
        self.note(format!("{actor:?} begins: {doing}"));
        let gate = self.lane.platform.gate().clone();
        let task = tokio::spawn(async move {
            let ended = AssertUnwindSafe(work).catch_unwind().await.unwrap_or(Ended::Panicked);
            gate.tell(Arrival::Ended(ended));
        });
        *self.slot(actor) = Slot { at: At::Home, task: Some(task), message, doing, disturbed: false, stop_read: None };
        self.until_rest(actor).await
    }

    /// Waits until the one who runs is at a gate or done.
    async fn until_rest(&mut self, actor: Actor) -> Held {
        let arrived = tokio::time::timeout(PATIENCE, self.lane.arrived.recv()).await;
        let Ok(Some(arrival)) = arrived else {
            return Err(format!("{actor:?} neither came to a gate nor to its end: {}", self.slot(actor).doing));
        };
        if let Some(stopped) = self.lane.platform.gate().take_stop() {
            self.slot(actor).stop_read = Some(stopped);
        }
        match arrival {
            Arrival::Platform { name, go } => self.slot(actor).at = At::Platform { name, go },
            Arrival::Vendor(request) => {
                let Request { sent, client } = *request;
                self.judge_request(actor, &sent).await?;
                let since = self.now();
                self.slot(actor).at = At::Vendor { sent, client, since };
            }
            Arrival::Ended(ended) => self.ended(actor, ended)?,
            Arrival::Frozen => return Err(format!("{actor:?} stopped although nobody asked for it")),
        }
        self.judge_books()
    }

    fn ended(&mut self, actor: Actor, ended: Ended) -> Held {
        let slot = self.slot(actor);
        slot.at = At::Home;
        slot.task = None;
        let (message, disturbed, doing) = (slot.message.take(), slot.disturbed, std::mem::take(&mut slot.doing));
        self.note(format!("{actor:?} ends: {doing}: {ended:?}"));
        match ended {
            Ended::Panicked => return Err(format!("a step panicked: {doing}")),
            Ended::Failed(why) if !disturbed => return Err(format!("a step failed by itself: {doing}: {why}")),
            Ended::Failed(_) => {
                if let Some(message) = message {
                    self.lane.platform.messages.give_back(message, SignedDuration::from_secs(30));
                }
            }
            Ended::Well(_) | Ended::Refused(_) => {
                if let Some(message) = message {
                    self.lane.platform.messages.delete(message);
                }
            }
        }
        Ok(())
    }

    /// Lets somebody go on whom nothing disturbs.
    pub(crate) async fn go_on(&mut self, actor: Actor) -> Held {
        match std::mem::replace(&mut self.slot(actor).at, At::Home) {
            At::Home => Ok(()),
            At::Platform { name, go } => {
                self.note(format!("{actor:?} {name}"));
                let _ = go.send(Go::Act);
                self.until_rest(actor).await
            }
            At::Vendor { sent, client, .. } => {
                let told = self.perform(&sent).await?;
                self.note(format!("{actor:?} {} → {}", self.shown(&sent), shown_answer(&told)));
                self.tell(actor, client, told).await
            }
        }
    }

    /// The platform fails under somebody, before or after it did what was asked.
    pub(crate) async fn fail(&mut self, actor: Actor, go: oneshot::Sender<Go>, name: &str, how: Go) -> Held {
        self.note(format!("{actor:?} {name} {how:?}"));
        self.slot(actor).disturbed = true;
        let _ = go.send(how);
        self.until_rest(actor).await
    }

    /// Answers a client, and waits until it has made something of it.
    pub(crate) async fn tell(&mut self, actor: Actor, client: oneshot::Sender<Told>, told: Told) -> Held {
        let _ = client.send(told);
        self.until_rest(actor).await
    }

    /// The process in which somebody works is gone. Its message is taken by somebody else when its time has come.
    pub(crate) async fn crash(&mut self, actor: Actor, after_acting: bool) -> Held {
        self.figures.crashes += 1;
        let doing = std::mem::take(&mut self.slot(actor).doing);
        match std::mem::replace(&mut self.slot(actor).at, At::Home) {
            At::Platform { name, go } => {
                self.note(format!("{actor:?} dies {} {name}: {doing}", if after_acting { "after" } else { "before" }));
                if after_acting {
                    let _ = go.send(Go::ActAndFreeze);
                    match tokio::time::timeout(PATIENCE, self.lane.arrived.recv()).await {
                        Ok(Some(Arrival::Frozen)) => {}
                        _ => return Err(format!("{actor:?} did not stop when it was told to: {doing}")),
                    }
                }
            }
            At::Vendor { sent, client, .. } => {
                let when = if after_acting { "after" } else { "before" };
                self.note(format!("{actor:?} dies {when} {}: {doing}", self.shown(&sent)));
                if after_acting {
                    self.perform(&sent).await?;
                }
                drop(client);
            }
            At::Home => {}
        }
        let slot = self.slot(actor);
        slot.message = None;
        if let Some(task) = slot.task.take() {
            task.abort();
            let _ = task.await;
        }
        let _ = self.lane.platform.gate().take_stop();
        self.judge_books()
    }

    /// Nobody goes on; the schedule is over.
    pub(crate) async fn everybody_dies(&mut self) {
        for slot in &mut self.slots {
            slot.at = At::Home;
            if let Some(task) = slot.task.take() {
                task.abort();
                let _ = task.await;
            }
        }
    }

    /// The vendor acts on a request.
    pub(crate) async fn perform(&mut self, sent: &Sent) -> Held<Told> {
        let sim = match sent.server {
            Server::SslCom => self.world.sslcom.base_url(),
            Server::Entra => self.world.microsoft.entra_base_url(),
            Server::Graph => self.world.microsoft.graph_base_url(),
        };
        let mut headers = sent.headers.clone();
        for own in [header::HOST, header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
            headers.remove(own);
        }
        let url = format!("{sim}{}", sent.path_and_query);
        let request =
            self.lane.http.request(sent.method.clone(), url).headers(headers).body(self.at_their_address(sent));
        let answer = request.send().await.map_err(|error| format!("a simulator did not answer: {error}"))?;
        let status = answer.status();
        let mut headers = answer.headers().clone();
        for own in [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::DATE] {
            headers.remove(own);
        }
        let body = answer.bytes().await.map_err(|error| format!("a simulator broke off: {error}"))?;
        let body = self.at_our_address(body);
        self.collect_hooks().await?;
        Ok(Told::Answer(status, headers, body))
    }

    /// A token is asked for by Graph's address.
    fn at_their_address(&self, sent: &Sent) -> Bytes {
        let encoded = |url: &str| url.trim_start_matches("http://").replace(':', "%3A");
        let (theirs, ours) = (self.world.microsoft.graph_base_url(), self.lane.proxies["Graph"].base_url());
        match std::str::from_utf8(&sent.body) {
            Ok(text) if sent.server == Server::Entra => Bytes::from(text.replace(&encoded(&ours), &encoded(theirs))),
            _ => sent.body.clone(),
        }
    }

    /// Graph's links name its own address, and the product follows none to elsewhere.
    fn at_our_address(&self, body: Bytes) -> Bytes {
        let (theirs, ours) = (self.world.microsoft.graph_base_url(), self.lane.proxies["Graph"].base_url());
        match std::str::from_utf8(&body) {
            Ok(text) if text.contains(theirs) => Bytes::from(text.replace(theirs, &ours)),
            _ => body,
        }
    }

    /// Waits for the callbacks that SSL.com says it makes.
    pub(crate) async fn collect_hooks(&mut self) -> Held {
        let times = if self.world.sslcom.behaviour().callback == Callback::Twice { 2 } else { 1 };
        let expected = self.world.sslcom.orders().iter().filter(|order| order.called_back).count() * times;
        while self.hooks_seen < expected {
            match tokio::time::timeout(PATIENCE, self.lane.hooks.recv()).await {
                Ok(Some(hook)) => self.hooks.push(hook),
                _ => return Err("a callback did not come".to_owned()),
            }
            self.hooks_seen += 1;
        }
        Ok(())
    }

    /// The clock goes on to then, past everything that happens by itself on the way.
    pub(crate) async fn advance(&mut self, to: Timestamp) -> Held {
        while let Some(next) = self.next_late(to) {
            let Late { at, sent } = self.late.remove(next);
            self.lane.clock.set(at.max(self.now()));
            let told = self.perform(&sent).await?;
            self.note(format!("late: {} → {}", self.shown(&sent), shown_answer(&told)));
            self.judge_books()?;
        }
        self.lane.clock.set(to.max(self.now()));
        for actor in Actor::ALL {
            self.time_out(actor).await?;
        }
        Ok(())
    }

    fn next_late(&self, to: Timestamp) -> Option<usize> {
        let due = self.late.iter().enumerate().filter(|(_, late)| late.at <= to);
        due.min_by_key(|(_, late)| late.at).map(|(index, _)| index)
    }

    /// Who has waited for a vendor for longer than a client waits has given up; the vendor may act all the same.
    async fn time_out(&mut self, actor: Actor) -> Held {
        let now = self.now();
        let At::Vendor { sent, since, .. } = &self.slots[actor as usize].at else { return Ok(()) };
        if now.duration_since(*since) < patience_of_client(sent) {
            return Ok(());
        }
        let At::Vendor { sent, client, since } = std::mem::replace(&mut self.slot(actor).at, At::Home) else {
            return Ok(());
        };
        self.figures.fault("timed out");
        let what = self.random.below(3);
        self.note(format!("{actor:?} {} timed out, {}", self.shown(&sent), ["not done", "done", "done later"][what]));
        match what {
            0 => {}
            2 if now < since + longest_delay(&sent) => self.will_act(sent, since),
            // Or it is too late for later.
            _ => drop(self.perform(&sent).await?),
        }
        self.tell(actor, client, Told::Nothing).await
    }

    /// The vendor will act on it, within a time that what is waited for in the product allows.
    pub(crate) fn will_act(&mut self, sent: Sent, since: Timestamp) {
        let longest = longest_delay(&sent);
        let at = (since + SignedDuration::from_secs(self.random.between(1, longest.as_secs()))).max(self.now());
        self.late.push(Late { at, sent });
    }

    /// A request in the trace: without credentials and ids that differ from run to run.
    pub(crate) fn shown(&self, sent: &Sent) -> String {
        let path = sent.path_and_query.split('?').next().unwrap_or_default();
        // A record's id ends with the thumbprint, and keys are not a choice of the schedule.
        let path = path.rsplit_once('-').filter(|(_, end)| end.len() == THUMBPRINT).map_or(path, |(start, _)| start);
        let number = order_number(sent).unwrap_or_default();
        let (enrollment, attempt) = number.rsplit_once('-').unwrap_or_default();
        let whose = enrollment.parse().map(|id| format!(" for {}-{attempt}", self.world.name(id))).unwrap_or_default();
        format!("{:?} {} {path}{whose}", sent.server, sent.method)
    }
}

/// What a client waits: the clients' own time-outs, as numbers of virtual time.
fn patience_of_client(sent: &Sent) -> SignedDuration {
    match sent.server {
        Server::SslCom if is_purchase(sent) => SignedDuration::from_mins(5),
        Server::SslCom => SignedDuration::from_mins(1),
        Server::Entra | Server::Graph => SignedDuration::from_secs(30),
    }
}

/// From the sending to the last moment at which a vendor may act on a request whose client gave up.
///
/// A purchase: within the quiet time, which is what the quiet time is for. Another write to SSL.com: before it may be
/// written again. Graph may be as late as it likes: a record's id is known beforehand.
fn longest_delay(sent: &Sent) -> SignedDuration {
    match sent.server {
        Server::SslCom if is_purchase(sent) => SignedDuration::from_mins(25),
        Server::SslCom => SignedDuration::from_secs(50),
        Server::Entra | Server::Graph => SignedDuration::from_mins(20),
    }
}

pub(crate) fn is_purchase(sent: &Sent) -> bool {
    sent.server == Server::SslCom && sent.method == Method::POST && sent.path_and_query == "/certificates"
}

/// The caller's number of a purchase.
pub(crate) fn order_number(sent: &Sent) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(&sent.body).ok().filter(|_| is_purchase(sent))?;
    body["external_order_number"].as_str().map(str::to_owned)
}

pub(crate) fn shown_answer(told: &Told) -> String {
    match told {
        Told::Answer(status, ..) => status.as_u16().to_string(),
        Told::Nothing => "nothing".to_owned(),
    }
}

/// An answer that no vendor gave.
pub(crate) fn page(status: u16, retry_after: Option<i64>) -> Told {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/html"));
    if let Some(seconds) = retry_after {
        headers.insert(header::RETRY_AFTER, header::HeaderValue::from(seconds));
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Told::Answer(status, headers, Bytes::from_static(b"<html><body>something went wrong</body></html>"))
}
