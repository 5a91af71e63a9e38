//! The CA's orders with the indexes that keep each request independent of how many there are.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    io,
};

use serde::{Deserialize, Serialize};

use super::order::Order;
use crate::{ca, journal::Entry};

#[derive(Default)]
pub(super) struct Books {
    pub(super) orders: Vec<Order>,
    pub(super) by_reference: HashMap<String, usize>,
    /// In order of creation.
    pub(super) by_account: HashMap<String, Vec<usize>>,
    pub(super) spent_cents: HashMap<String, u64>,
    pub(super) added_cents: HashMap<String, u64>,
    pub(super) defects: Defects,
    used: HashSet<String>,
    numbers: HashSet<(String, String)>,
    /// Mailboxes in lower case with the orders that wait for their click.
    awaiting_click: HashMap<String, BTreeSet<usize>>,
    pub(super) closed: bool,
}

/// What a client must never do, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Defects {
    /// Requests put on an issued order, which throws the paid certificate away.
    pub rekeys: u64,
    /// Requests put on an order that had another one already.
    pub replaced_requests: u64,
    /// Updates of a reference that this account does not have.
    pub updates_of_unknown_references: u64,
    /// Purchases beyond the first for one external_order_number.
    pub repeated_purchases: u64,
    /// Purchases that cannot be found again, for want of an external_order_number.
    pub purchases_without_number: u64,
    /// Callback addresses or parameters with an `@`: personal data handed on for no reason.
    pub callbacks_with_personal_data: u64,
    /// Bodies that are not declared as JSON.
    pub wrong_content_types: u64,
}

impl Books {
    /// Reads what a journal holds: the books, and the CA if one was made before.
    pub(super) fn read(entries: Vec<Entry>) -> io::Result<(Self, Option<ca::Stored>)> {
        let mut books = Self::default();
        let mut stored_ca = None;
        for Entry { kind, key, value } in entries {
            match kind.as_str() {
                "ca" => stored_ca = Some(serde_json::from_value(value)?),
                "order" => books.insert(serde_json::from_value(value)?),
                "funds" => {
                    books.added_cents.insert(key, serde_json::from_value(value)?);
                }
                "defects" => books.defects = serde_json::from_value(value)?,
                _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "not SSL.com's journal")),
            }
        }
        Ok((books, stored_ca))
    }

    pub(super) fn insert(&mut self, order: Order) {
        let number = order.number;
        self.by_reference.insert(order.reference.clone(), number);
        self.by_account.entry(order.account.clone()).or_default().push(number);
        *self.spent_cents.entry(order.account.clone()).or_default() += order.amount_cents;
        self.used.extend(order.used.iter().cloned());
        if let Some(external) = &order.external_order_number {
            self.numbers.insert((order.account.clone(), external.clone()));
        }
        let awaits_click = order.validation.as_ref().is_some_and(|mail| !mail.clicked);
        self.orders.push(order);
        if awaits_click {
            self.awaits_click(number);
        }
    }

    /// A request or a public key may be used once, ever.
    pub(super) fn is_used(&self, digest: &str) -> bool {
        self.used.contains(digest)
    }

    pub(super) fn mark_used(&mut self, number: usize, digest: String) {
        self.used.insert(digest.clone());
        self.orders[number].used.insert(digest);
    }

    /// Whether this account bought under this number before.
    pub(super) fn is_bought(&self, account: &str, external_order_number: &str) -> bool {
        self.numbers.contains(&(account.to_owned(), external_order_number.to_owned()))
    }

    /// The order of this account, if the reference is one of its own.
    pub(super) fn find(&self, account: &str, reference: &str) -> Option<usize> {
        let number = *self.by_reference.get(reference)?;
        (self.orders[number].account == account).then_some(number)
    }

    pub(super) fn awaits_click(&mut self, number: usize) {
        if let Some(request) = &self.orders[number].request {
            self.awaiting_click.entry(request.mailbox.to_lowercase()).or_default().insert(number);
        }
    }

    pub(super) fn awaiting_click(&self, mailbox: &str) -> Vec<usize> {
        let orders = self.awaiting_click.get(&mailbox.to_lowercase());
        orders.into_iter().flatten().copied().collect()
    }

    /// No mail of this order waits any more.
    pub(super) fn clicked(&mut self, number: usize) {
        if let Some(request) = &self.orders[number].request
            && let Some(waiting) = self.awaiting_click.get_mut(&request.mailbox.to_lowercase())
        {
            waiting.remove(&number);
        }
    }
}
