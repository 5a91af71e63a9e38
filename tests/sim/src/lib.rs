//! The vendors as HTTP servers on localhost: SSL.com, Entra ID, Microsoft Graph with Intune, and a
//! connector with its device.
//!
//! The simulators are judges. They are written from public vendor facts, share no code with the
//! rooms they judge, refuse what they do not understand, and count what must never happen.

pub mod device;
pub mod directory;
pub mod ca;
pub mod faults;
pub mod journal;
pub mod pfx;
pub mod server;
pub mod sslcom;
