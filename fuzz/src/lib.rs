//! What is done with any bytes that come from outside, and what must then hold. libFuzzer looks for bytes by which it does
//! not; `cargo test` replays those in `corpus/`, one folder for each module.

pub mod certificate_bundle;
pub mod connector_key;
pub mod graph_answers;
pub mod sslcom_answers;
mod vendor;
pub mod webhook;
