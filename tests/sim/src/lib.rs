//! The vendors as HTTP servers on localhost: SSL.com, Entra ID, Microsoft Graph with Intune, and a
//! connector with its device.
//!
//! The simulators are judges. They are written from public vendor facts, share no code with the
//! rooms they judge, refuse what they do not understand, and count what must never happen.

#![expect(clippy::result_large_err, reason = "asn1 derives readers that return its large ParseError")]

pub mod ca;
pub mod connector;
pub mod device;
pub mod directory;
pub mod entra;
pub mod faults;
pub mod graph;
pub mod journal;
pub mod microsoft;
pub mod operator;
pub mod pfx;
pub mod server;
pub mod sslcom;
