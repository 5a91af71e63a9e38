//! The sweep: releases what is due into its queue, and marks what the queues gave up.

use std::{alloc::System, sync::Arc};

use flow::{
    Flow,
    deployment_input::from_variables,
    reconcile::{mark_dead_letter, reconcile},
};
use jiff::Timestamp;
use zeroizing_alloc::ZeroAlloc;

/// Freed memory is overwritten: it may have held a key or a secret.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), aws::Error> {
    let started = aws::start(|variable| from_variables(variable), Arc::new(Timestamp::now)).await?;
    let letters = started.dead_letters()?;
    let flow = Flow::new(started.platform, started.chosen.vendors, started.chosen.deployment, started.clock)?;
    aws::schedule::run(async || {
        reconcile(&flow).await?;
        letters.mark(async |job| mark_dead_letter(&flow, &job).await).await
    })
    .await
}
