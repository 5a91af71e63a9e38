//! The walk from a directory to a device, with everything that may happen on it: the real application and the
//! simulators in one process, over real HTTP, worked by an operator through the API.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod judged;
mod money;
mod ordinary;
mod restarted;
mod world;
