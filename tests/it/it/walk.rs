//! The walk from a directory to a device, with everything that may happen on it: the real application and the
//! simulators in one process, over real HTTP, worked by an operator through the API.

mod judged;
mod money;
mod ordinary;
mod restarted;
mod world;
