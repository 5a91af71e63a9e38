//! Counts what the application logs, by the event's name and where there is one its queue. Nothing is written.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    layer::{Context, SubscriberExt},
    util::SubscriberInitExt,
};

/// Clones are one table.
#[derive(Clone, Default)]
pub(crate) struct Counted(Arc<Mutex<BTreeMap<String, u64>>>);

impl Counted {
    /// Counts from now on, for the whole process.
    pub(crate) fn install() -> Self {
        let counted = Self::default();
        let rooms = ["flow", "local", "web"].map(|room| (room, LevelFilter::DEBUG));
        tracing_subscriber::registry().with(counted.clone().with_filter(Targets::new().with_targets(rooms))).init();
        counted
    }

    pub(crate) fn all(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<S: Subscriber> Layer<S> for Counted {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut name = Name::default();
        event.record(&mut name);
        let name = match (name.event, name.detail) {
            (Some(event), Some(detail)) => format!("{event} {detail}"),
            (Some(event), None) => event,
            (None, _) => return,
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += 1;
    }
}

#[derive(Default)]
struct Name {
    event: Option<String>,
    detail: Option<String>,
}

impl Visit for Name {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "event" => self.event = Some(value.to_owned()),
            "queue" | "vendor" | "what" => self.detail = Some(value.to_owned()),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}
