//! What is logged while a test runs. The runtime of a test is one thread, and so is what it logs.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tracing::subscriber::DefaultGuard;

/// Every level, until it is dropped.
pub(super) struct Log {
    written: Written,
    _guard: DefaultGuard,
    _second: tracing::Dispatch,
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    pub(super) fn of_this_thread() -> Self {
        let written = Written::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .json()
            .with_writer(move || writer.clone())
            .finish();
        // While there is one subscriber in the process, tracing asks only the present thread's whether it wants a new
        // callsite; tests on other threads have none, and their "no" would be remembered for this one.
        let second = tracing::Dispatch::new(tracing_subscriber::registry());
        Self { written, _guard: tracing::subscriber::set_default(subscriber), _second: second }
    }

    /// The lines of our own rooms.
    pub(super) fn ours(&self) -> Vec<Value> {
        let text = String::from_utf8(self.written.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let is_ours = |line: &Value| {
            ["web", "flow", "local"].iter().any(|room| line["target"].as_str().unwrap().starts_with(room))
        };
        lines.filter(is_ours).collect()
    }

    /// What was written so far is forgotten.
    pub(super) fn begin_again(&self) {
        self.written.0.lock().unwrap().clear();
    }
}
