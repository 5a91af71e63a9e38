//! The steps of an enrollment, one function each, and what an operator can ask for.
//!
//! The only room that knows both vendors. It reads no clock and no environment and never sleeps: a vendor that is
//! slow, away or throttling becomes a due time in the store.
//!
//! One enrollment walks through the files in this order: [`connect`], [`import_people`], [`plan_batch`],
//! [`approve_batch`], [`place_order`], [`check_order`] (with [`look_up`] after a lost answer), [`import_pfx`].
//! [`reconcile`] releases whatever is due; [`resolve`] is what a person decides when a machine must not, [`held`] about a
//! certificate that is held, each from a [`Decision`]; [`after_restore`] comes first after a backup was put back.

pub mod after_restore;
pub mod approve_batch;
mod assess_person;
mod brakes;
mod ca_pace;
pub mod check_order;
mod commit;
pub mod connect;
mod context;
mod decision;
pub mod deployment_input;
mod every_enrollment;
mod finish_batch;
mod graph_access;
pub mod held;
pub mod import_again;
pub mod import_people;
pub mod import_pfx;
mod keys;
pub mod look_up;
pub mod order_callback;
mod order_list;
mod outcome;
pub mod place_order;
pub mod plan_batch;
pub mod preflight;
pub mod reconcile;
pub mod refusal;
pub mod resolve;
pub mod settings_input;
pub mod unique_json;
pub mod vouchers;

pub use context::{CannotStart, Deployment, Flow, VendorEndpoints};
pub use decision::Decision;
pub use outcome::{Outcome, run};
pub use refusal::{FieldProblem, Refusal};
