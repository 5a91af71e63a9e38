//! The whole application in one process: the local platform, the workers and the sweep, the HTTP server, the
//! deployment file, and the demonstration against simulators.

pub mod config;
pub mod demo;
pub mod platform;
pub mod runner;
pub mod serve;
