//! One page of the account's orders. A look-up may conclude "not bought" from listings, so what cannot be read in one is
//! counted and not passed over.

use serde_json::{Map, Value};

use crate::{Amount, OrderRef, OrderStatus, StatusTable, order::text};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// In SSL.com's order.
    pub orders: Vec<OrderSummary>,
    /// Entries without a readable ref. Unless it is 0, an order may be there and not be seen.
    pub unreadable: usize,
}

/// What a listing tells of an order. Which members its entries have is not documented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderSummary {
    pub order_ref: OrderRef,
    pub status: OrderStatus,
    pub external_order_number: Option<String>,
    pub amount: Option<Amount>,
    pub product: Option<String>,
}

impl Listing {
    /// From a list, or from an object with one list in it. `None` for anything else.
    pub(crate) fn read(answer: &Value, statuses: &StatusTable) -> Option<Self> {
        let mut listing = Self::default();
        for entry in entries(answer)? {
            match entry.as_object().and_then(|order| OrderSummary::read(order, statuses)) {
                Some(order) => listing.orders.push(order),
                None => listing.unreadable += 1,
            }
        }
        Some(listing)
    }
}

impl OrderSummary {
    fn read(order: &Map<String, Value>, statuses: &StatusTable) -> Option<Self> {
        Some(Self {
            order_ref: OrderRef::read(order).ok()??,
            status: statuses.read(&text(order, "order_status").unwrap_or_default()),
            external_order_number: text(order, "external_order_number"),
            amount: order.get("order_amount").and_then(Amount::read),
            product: text(order, "product"),
        })
    }
}

fn entries(answer: &Value) -> Option<&Vec<Value>> {
    let members = match answer {
        Value::Array(entries) => return Some(entries),
        // A single order has a list too, its contents; it is not a listing without orders.
        Value::Object(members) if !members.contains_key("ref") && !members.contains_key("order_status") => members,
        _ => return None,
    };
    let said_beside = |name: &str| matches!(name, "errors" | "warnings" | "messages");
    let mut lists = members.iter().filter(|(name, _)| !said_beside(name)).filter_map(|(_, value)| value.as_array());
    lists.next().filter(|_| lists.next().is_none())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use serde_json::json;

    use super::*;

    fn read(answer: &Value) -> Option<Listing> {
        Listing::read(answer, &StatusTable::default())
    }

    #[test]
    fn a_list_is_read_bare_and_wrapped() {
        let entry = json!({ "ref": "co-1", "order_status": "issued", "external_order_number": "e-1", "order_amount": "$38.00" });
        let beside = json!({ "certificate_orders": [entry], "warnings": [] });
        for answer in [json!([entry]), json!({ "page": 1, "certificates": [entry] }), beside] {
            let listing = read(&answer).unwrap();
            assert_eq!((listing.orders.len(), listing.unreadable), (1, 0));
            assert_eq!(listing.orders[0].order_ref.as_str(), "co-1");
            assert_eq!(listing.orders[0].external_order_number.as_deref(), Some("e-1"));
            assert_eq!(listing.orders[0].amount.as_ref().unwrap().cents, Some(3_800));
        }
        assert_eq!(read(&json!([])), Some(Listing::default()));
    }

    #[test]
    fn what_is_not_a_listing_is_not_an_empty_listing() {
        let order = json!({ "ref": "co-1", "certificate_contents": [] });
        for answer in [
            json!({}),
            json!(null),
            json!("none"),
            json!({ "a": [], "b": [] }),
            order,
            json!({ "order_status": "x", "y": [] }),
        ] {
            assert_eq!(read(&answer), None, "{answer}");
        }
    }

    #[test]
    fn entries_that_cannot_be_read_are_counted() {
        let listing = read(&json!([{ "ref": "co-1" }, { "ref": null }, "co-2", { "ref": ["co-3"] }])).unwrap();
        assert_eq!((listing.orders.len(), listing.unreadable), (1, 3));
    }
}
