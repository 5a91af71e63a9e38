//! The AWS platform, and how a function stands on it: [`AwsPlatform`] over DynamoDB, SQS, Secrets Manager and KMS;
//! [`start()`] with the configuration; then [`jobs`], [`http`] or [`schedule`].
//!
//! Nothing here knows what an enrollment's state means.

pub mod config;
mod correlation;
mod dead_letters;
pub mod http;
pub mod jobs;
mod log;
mod metrics;
mod platform;
mod queue;
pub mod schedule;
mod start;
mod store;
mod vault;

pub use dead_letters::DeadLetters;
pub use lambda_runtime::Error;
pub use platform::{AwsPlatform, Resources};
pub use queue::AwsQueue;
pub use start::{Started, start};
pub use store::{AwsIntegrationStore, AwsStore};
pub use vault::AwsVault;
