//! Scenarios, faults, the platform contract and the architecture, in one test binary.

mod api;
mod architecture;
mod contract;
mod deployment_file;
mod judge;
mod scenarios;
mod secrets;
mod walk;
mod world;
