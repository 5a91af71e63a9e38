//! What an organisation lives through, from its settings to its devices, and everything that the vendors can do to it on
//! the way. A world checks at its end that SSL.com never saw what must not happen.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod authorize;
mod batches;
mod brakes;
mod directory;
mod everybody;
mod held;
mod intune;
mod keys;
mod large_directory;
mod left_out;
mod lost_answers;
mod names;
mod plans;
mod preflight;
mod restore;
mod unsure;
mod validation;
mod vouchers;
mod ways_out;

use serde_json::Value;

/// The enrollment, without the attempt, of an order: the key by which each enrollment gets one fault.
fn enrollment_of_order(body: &[u8]) -> Option<String> {
    let order: Value = serde_json::from_slice(body).ok()?;
    Some(order["external_order_number"].as_str()?.rsplit_once('-')?.0.to_owned())
}
