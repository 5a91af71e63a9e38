//! How every function begins: logging, configuration, the platform, and one call that opens the connection.

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use ports::Clock;

use crate::{
    AwsPlatform, DeadLetters, Error,
    config::{self, Problems, variable},
    log,
};

/// What a function is made of.
pub struct Started<T> {
    pub platform: AwsPlatform,
    /// What the deployment chose.
    pub chosen: T,
    pub clock: Clock,
    sdk: SdkConfig,
}

impl<T> Started<T> {
    /// The dead letters that the sweep looks at.
    ///
    /// # Errors
    ///
    /// Every address that is missing or wrong, at once.
    pub fn dead_letters(&self) -> Result<DeadLetters, Error> {
        let mut problems = Vec::new();
        let urls = config::queue_addresses("DEAD_LETTER_URL", &variable, &mut problems);
        if !problems.is_empty() {
            return Err(cannot_start(problems));
        }
        let client = aws_sdk_sqs::Client::new(&self.sdk);
        Ok(DeadLetters::new(client, urls, self.platform.clone(), self.clock.clone()))
    }
}

/// Starts a function. `choose` reads what the deployment chose out of the environment, which it is given as a look-up,
/// and answers a sentence for each variable that is wrong.
///
/// # Errors
///
/// Every variable that is missing or wrong, at once.
pub async fn start<T, P: ToString>(
    choose: impl FnOnce(&dyn Fn(&str) -> Option<String>) -> Result<T, Vec<P>>,
    clock: Clock,
) -> Result<Started<T>, Error> {
    let mut problems = Vec::new();
    log::start(&variable("STAGE").unwrap_or_default(), clock.clone());
    let resources = config::resources(&variable, &mut problems);
    let chosen = match choose(&variable) {
        Ok(chosen) if problems.is_empty() => chosen,
        Ok(_) => return Err(cannot_start(problems)),
        Err(also) => {
            problems.extend(also.iter().map(ToString::to_string));
            return Err(cannot_start(problems));
        }
    };
    let sdk = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .timeout_config(time_outs())
        .load()
        .await;
    let platform = AwsPlatform::new(&sdk, resources, clock.clone());
    // The first call of a process opens a connection, which costs as much as all the rest. While a function starts
    // this is not waited for by anybody.
    if let Err(error) = platform.open_connection().await {
        tracing::warn!(event = "start.unconnected", "the table cannot be reached yet: {error}");
    }
    Ok(Started { platform, chosen, clock, sdk })
}

fn cannot_start(problems: Vec<String>) -> Error {
    let problems = Problems(problems);
    tracing::error!(event = "start.refused", "{problems}");
    Error::from(problems)
}

/// A throttled call is repeated within a second or so; what takes longer is the queue's business.
const ATTEMPTS: u32 = 5;

/// No call of a platform takes long, and a function that waits is paid for.
fn time_outs() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(5))
        .operation_timeout(Duration::from_secs(20))
        .build()
}
