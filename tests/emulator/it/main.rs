//! Everything that needs the emulator of AWS: the platform contract, and the deployed application end to end.
//!
//! Started by infra/emulator/run, which says where the parts are.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod cost;
mod dead_letters;
mod disturbances;
mod duplicates;
mod emulator;
mod front;
mod issuer;
mod lifecycle;
mod main_path;
mod matrix;
mod meter;
mod operator;
mod platform_contract;
mod processes;
mod roles;
mod stack;
mod tokens;
mod vendors;
mod world;

use std::{
    future::Future,
    path::{Path, PathBuf},
    sync::LazyLock,
    time::Duration,
};

use serde_json::Value;
use tokio::runtime::Runtime;

/// One runtime for all tests: what they share lives longer than one of them.
pub(crate) fn run(test: impl Future<Output = ()>) {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
    RUNTIME.block_on(test);
}

/// A path that infra/emulator/run tells.
#[expect(clippy::disallowed_methods, reason = "this is where the tests are told where things are")]
pub(crate) fn told(name: &str) -> PathBuf {
    let missing = |_| panic!("{name} is not set: these tests are started by infra/emulator/run");
    PathBuf::from(std::env::var(name).unwrap_or_else(missing))
}

pub(crate) fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// A client that follows no redirection.
pub(crate) fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(Duration::from_secs(60))
        .build()
        .unwrap()
}

/// A text of an answer.
#[track_caller]
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text")).to_owned()
}
