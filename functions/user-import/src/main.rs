//! Imports people: pages of the directory for each message of the user-import queue.

use std::{alloc::System, sync::Arc};

use domain::jobs::QueueName;
use flow::{Flow, deployment_input::from_variables};
use jiff::Timestamp;
use zeroizing_alloc::ZeroAlloc;

/// Freed memory is overwritten: it may have held a key or a secret.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), aws::Error> {
    let started = aws::start(|variable| from_variables(variable), Arc::new(Timestamp::now)).await?;
    let flow = Flow::new(started.platform, started.chosen.vendors, started.chosen.deployment, started.clock.clone())?;
    aws::jobs::run(QueueName::UserImport, started.clock, move |job| {
        let flow = flow.clone();
        async move { flow::run(&flow, job).await }
    })
    .await
}
