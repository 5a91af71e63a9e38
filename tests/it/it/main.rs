//! Scenarios, faults, the platform contract and the architecture, in one test binary.

mod api;
mod architecture;
mod contract;
mod deployment_file;
mod scenarios;
mod walk;
mod world;
