//! The local platform, and the runner of everything in one process.

pub mod platform;
