//! The client over real HTTP, against a server that answers what a test tells it to.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod answers;
mod reads;
mod requests;
mod secrets;
mod vendor;
