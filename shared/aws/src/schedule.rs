//! Work that begins by the clock.

use std::future::Future;

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;

use crate::{Error, correlation, jobs::chain};

/// Works at each event until Lambda ends the process. What the event holds does not matter.
///
/// An error is told to Lambda, which counts it; the next event is the next try.
pub async fn run<W, Working, T, E>(work: W) -> Result<(), Error>
where
    W: Fn() -> Working,
    Working: Future<Output = Result<T, E>>,
    E: std::error::Error + Send + Sync + 'static,
{
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let worked = correlation::under(Some(&event.context.request_id), "schedule", work()).await;
        match worked {
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::error!(event = "sweep.failed", "the sweep failed: {}", chain(&error));
                Err(Error::from(error))
            }
        }
    }))
    .await
}
