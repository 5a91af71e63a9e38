//! Metrics out of what the steps say anyway: an event with a name of the table below becomes a line in CloudWatch's
//! embedded metric format, from which CloudWatch makes the metric. No request is sent and nothing waits.

use std::{collections::BTreeMap, io::Write};

use ports::Clock;
use serde_json::{Map, Value, json};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, fmt::MakeWriter, layer::Context};

/// The namespace of every metric; the template's alarms and dashboard read the same.
const NAMESPACE: &str = "IntuneSmime";

struct Metric {
    /// The `event` field.
    event: &'static str,
    /// The state that the enrollment entered, where the event is a change.
    entered: Option<&'static str>,
    name: &'static str,
    unit: &'static str,
    /// The field with the value; without one, each event counts as one.
    value: Option<&'static str>,
    /// A field by which the metric is divided, beside the sum of all. It must have few values.
    by: Option<&'static str>,
}

const fn count(event: &'static str, name: &'static str) -> Metric {
    Metric { event, entered: None, name, unit: "Count", value: None, by: None }
}

const fn entered(state: &'static str, name: &'static str) -> Metric {
    Metric { entered: Some(state), ..count("enrollment.changed", name) }
}

const METRICS: &[Metric] = &[
    entered("bought", "OrdersPlaced"),
    entered("imported", "PfxImported"),
    Metric { value: Some("unsure"), ..count("sweep.done", "OrdersUnsure") },
    count("order.surplus", "OrdersSurplus"),
    Metric { by: Some("cause"), ..entered("failed", "StepsFailed") },
    Metric { by: Some("cause"), ..count("step.failed", "StepsFailed") },
    Metric {
        unit: "Milliseconds",
        value: Some("milliseconds"),
        by: Some("vendor"),
        ..count("vendor.answered", "VendorLatency")
    },
    Metric { by: Some("vendor"), ..count("vendor.throttled", "VendorThrottled") },
    Metric { unit: "Seconds", value: Some("oldest_seconds"), ..count("sweep.done", "BacklogAgeSeconds") },
    count("secret.expires", "SecretExpiresSoon"),
];

/// Writes the lines.
pub(crate) struct Metrics<W> {
    stage: String,
    clock: Clock,
    writer: W,
}

impl<W> Metrics<W> {
    pub(crate) fn new(stage: &str, clock: Clock, writer: W) -> Self {
        Self { stage: stage.to_owned(), clock, writer }
    }
}

impl<S, W> Layer<S> for Metrics<W>
where
    S: Subscriber,
    W: for<'writer> MakeWriter<'writer> + 'static,
{
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().fields().field("event").is_none() {
            return;
        }
        let mut said = Said::default();
        event.record(&mut said);
        let says = |field: &str, word: &str| said.texts.get(field).is_some_and(|said| said == word);
        let is_of =
            |metric: &&Metric| says("event", metric.event) && metric.entered.is_none_or(|state| says("entered", state));
        for metric in METRICS.iter().filter(is_of) {
            let value = match metric.value {
                None => Some(1.0),
                Some(field) => said.numbers.get(field).copied(),
            };
            if let Some(value) = value {
                let line = self.line(metric, value, metric.by.and_then(|by| said.texts.get(by)));
                // A line that cannot be written has nobody to be told to.
                let _ = writeln!(self.writer.make_writer(), "{line}");
            }
        }
    }
}

impl<W> Metrics<W> {
    fn line(&self, metric: &Metric, value: f64, by: Option<&String>) -> Value {
        let mut dimensions = vec![vec!["stage"]];
        let mut line =
            Map::from_iter([("stage".to_owned(), json!(self.stage)), (metric.name.to_owned(), json!(value))]);
        if let (Some(name), Some(text)) = (metric.by, by) {
            dimensions.push(vec!["stage", name]);
            line.insert(name.to_owned(), json!(text));
        }
        let described = json!({
            "Timestamp": (self.clock)().as_millisecond(),
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": dimensions,
                "Metrics": [{ "Name": metric.name, "Unit": metric.unit }],
            }],
        });
        line.insert("_aws".to_owned(), described);
        Value::Object(line)
    }
}

/// The fields of an event that metrics are made of.
#[derive(Default)]
struct Said {
    texts: BTreeMap<&'static str, String>,
    numbers: BTreeMap<&'static str, f64>,
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() != "message" {
            self.texts.insert(field.name(), format!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.texts.insert(field.name(), value.to_owned());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.numbers.insert(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.numbers.insert(field.name(), value as f64);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.numbers.insert(field.name(), value as f64);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use jiff::Timestamp;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(say: impl FnOnce()) -> Vec<Value> {
        let lines = Lines::default();
        let writer = lines.clone();
        let clock: Clock = Arc::new(|| Timestamp::UNIX_EPOCH);
        let layer = Metrics::new("test", clock, move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), say);
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn an_event_with_a_name_of_the_table_is_counted() {
        let lines = written(|| {
            tracing::info!(event = "enrollment.changed", entered = Some("bought"), "an order was placed");
            tracing::info!(event = "enrollment.changed", entered = None::<&str>, "nothing that counts");
        });
        let expected = json!({
            "_aws": {
                "Timestamp": 0,
                "CloudWatchMetrics": [{
                    "Namespace": "IntuneSmime",
                    "Dimensions": [["stage"]],
                    "Metrics": [{ "Name": "OrdersPlaced", "Unit": "Count" }],
                }],
            },
            "stage": "test",
            "OrdersPlaced": 1.0,
        });
        assert_eq!(lines, [expected]);
    }

    #[test]
    fn a_measured_value_is_divided_by_its_field_and_summed_over_all() {
        let lines = written(|| {
            tracing::info!(event = "vendor.answered", vendor = "intune", milliseconds = 42_u64, "answered");
        });
        assert_eq!(lines[0]["VendorLatency"], 42.0);
        assert_eq!(lines[0]["vendor"], "intune");
        assert_eq!(lines[0]["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["stage"], ["stage", "vendor"]]));
    }

    #[test]
    fn one_event_may_carry_more_than_one_metric() {
        let lines = written(|| {
            tracing::info!(event = "sweep.done", due = 0_usize, oldest_seconds = 0_i64, unsure = 2_u64, "swept");
        });
        let values: Vec<_> = lines.iter().map(|line| (&line["OrdersUnsure"], &line["BacklogAgeSeconds"])).collect();
        assert_eq!(values, [(&json!(2.0), &Value::Null), (&Value::Null, &json!(0.0))]);
    }

    #[test]
    fn other_events_and_those_without_their_value_are_no_metric() {
        let lines = written(|| {
            tracing::info!(event = "step.postponed", "later");
            tracing::info!("without a name");
            tracing::info!(event = "vendor.answered", vendor = "intune", "without a time");
        });
        assert_eq!(lines, Vec::<Value>::new());
    }
}
