//! Scenarios, faults, the platform contract and the architecture, in one test binary.

mod api;
mod architecture;
mod deployment_file;
mod fuzz_corpus;
mod judge;
mod local_platform;
mod matrix;
mod program;
mod scenarios;
mod secrets;
mod world;
