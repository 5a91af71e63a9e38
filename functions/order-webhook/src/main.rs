//! SSL.com's callback: an order became ready.

use std::{alloc::System, sync::Arc};

use flow::{Flow, deployment_input::from_variables};
use jiff::Timestamp;
use web::{Access, Options, Surface};
use zeroizing_alloc::ZeroAlloc;

/// Freed memory is overwritten: it may have held a key or a secret.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), aws::Error> {
    let started = aws::start(|variable| from_variables(variable), Arc::new(Timestamp::now)).await?;
    let flow = Flow::new(started.platform, started.chosen.vendors, started.chosen.deployment, started.clock)?;
    let options = Options { surface: Surface::Webhook, ..Options::default() };
    aws::http::run(web::router(flow, Access::default(), options)).await
}
