//! One line of JSON for each event, flat, with the spans it happened in; and metrics beside it.
//!
//! CloudWatch Logs Insights finds every field by its name. Nothing here knows a secret: types that hold one do not print it.

use std::io;

use ports::Clock;
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{config::variable, metrics::Metrics};

/// Libraries of the transport: their finer levels print what goes over the wire, and that holds secrets.
const TRANSPORT: [&str; 8] =
    ["aws_smithy_runtime", "aws_smithy_runtime_api", "aws_runtime", "h2", "hyper", "hyper_util", "reqwest", "rustls"];

/// Begins to log. Lambda says the level, as the template's `LoggingConfig` chooses it.
pub(crate) fn start(stage: &str, clock: Clock) {
    let level = variable("AWS_LAMBDA_LOG_LEVEL").and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    let transport = TRANSPORT.map(|library| (library, LevelFilter::WARN));
    let filter = Targets::new().with_default(level).with_targets(transport);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(true)
        .with_ansi(false)
        .with_writer(io::stdout)
        .with_filter(filter);
    let metrics = Metrics::new(stage, clock, io::stdout).with_filter(LevelFilter::DEBUG);
    // A second start in one process would be a test; what is there already logs on.
    let _ = tracing_subscriber::registry().with(lines).with(metrics).try_init();
}
