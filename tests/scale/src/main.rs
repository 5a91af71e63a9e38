//! How much, how fast, and with how little: the application in one process, the vendors in another, and what came of it as
//! one line of JSON. `cargo run --profile bench -p scale -- --help`.

mod application;
mod backpressure;
mod clock;
mod cost;
mod counted;
mod many_people;
mod operator;
mod process;
mod throughput;
mod vendors;
mod world;

use clap::{Parser, Subcommand};
use zeroizing_alloc::ZeroAlloc;

/// As the application has it: overwriting freed memory is part of what is measured.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<std::alloc::System> = ZeroAlloc(std::alloc::System);

/// Measures the application against simulators in another process, and prints one line of JSON.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Processor time of one enrollment, beside that of the RSA key it needs.
    Throughput(throughput::Options),
    /// A large directory: requests, memory, an import that is killed, and how quickly the API answers afterwards.
    People(many_people::Options),
    /// Two integrations against vendors that are slow and throttle.
    Backpressure(backpressure::Options),
    /// The process of the simulators; the other commands start it.
    #[command(hide = true)]
    Vendors(vendors::Options),
    /// The process of the application; the other commands start it.
    #[command(hide = true)]
    Application(application::Options),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Throughput(options) => throughput::run(options).await,
        Command::People(options) => many_people::run(options).await,
        Command::Backpressure(options) => backpressure::run(options).await,
        Command::Vendors(options) => vendors::run(options).await,
        Command::Application(options) => application::run(options).await,
    }
}
