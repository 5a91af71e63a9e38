//! The client of the part of SSL.com's web services (SWS) that an S/MIME order needs. It is the only room that can spend
//! money, and [`Client::create`] is the only call that does.
//!
//! Every request is sent once. [`Error`] tells the caller whether nothing happened, SSL.com said no, or only a look-up
//! can tell.

mod amount;
mod answer;
mod body;
mod client;
mod endpoint;
mod error;
mod listing;
mod order;
mod problems;
mod product;
mod redaction;
mod request;
mod status;
mod watch;

pub use amount::Amount;
pub use client::Client;
pub use endpoint::{Credentials, Endpoint, StateField};
pub use error::{Error, Uncertainty};
pub use listing::{Listing, OrderSummary};
pub use order::{NotAnOrderRef, Order, OrderRef, Validation};
pub use problems::{FieldProblem, RefusalCause};
pub use product::{CertificateType, LONGEST_CERTIFICATE_DAYS, Offer, Product, ProductCode, ProductTable};
pub use request::{Callback, Contact, Contacts, CsrSubmission, ListQuery, NewOrder, Registrant};
pub use status::{OrderStatus, Stage, StatusMatch, StatusRow, StatusTable};
pub use watch::Watch;
