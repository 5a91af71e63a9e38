//! The client of Entra ID and Microsoft Graph: sign-in and tokens, the directory, and Intune's userPfxCertificates.
//!
//! Every request is sent once. When to ask again, and what a lost answer means, is decided by the caller, who is told by
//! [`Error`] which of the two it is.

mod cloud;
pub mod entra;
mod error;
pub mod graph;
mod retry_after;
mod sentence;
mod watch;
mod wire;

pub use cloud::{Cloud, Endpoints};
pub use entra::{App, AppToken, Entra};
pub use error::{Cause, Error, Refusal, RequestIds};
pub use graph::Graph;
pub use watch::Watch;
