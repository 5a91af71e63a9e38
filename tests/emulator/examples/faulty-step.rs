//! A function on the product's own loop whose step panics at one message and never ends at another: what the loop and
//! the queue make of that is what the tests look at.

use std::{convert::Infallible, sync::Arc};

use domain::jobs::{Job, QueueName};
use jiff::Timestamp;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), aws::Error> {
    aws::jobs::run(QueueName::PfxImport, Arc::new(Timestamp::now), async |job: Job| {
        match job.enrollment().map(|enrollment| enrollment.0.as_u128()) {
            Some(2) => panic!("at the second message"),
            Some(3) => loop {
                std::hint::spin_loop();
            },
            _ => Ok::<(), Infallible>(()),
        }
    })
    .await
}
