//! `POST /certificates`: takes the money and opens an order.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use serde_json::Value;

use super::{
    behaviour::OrderAmount,
    fields::{Fields, Refusal},
    order::{Order, OrderState, Receiver},
    submission::Submission,
    world::World,
};

/// Buys one order. It is entered and paid in one step, so there is no order without its price and
/// no price without its order.
pub(super) fn create(world: &World, mut fields: Fields) -> Result<Value, Refusal> {
    let account = world.authenticate(&mut fields)?;
    let code = fields.required_number("product")?;
    let period_days = fields.required_number("period")?;
    let external_order_number = fields.text("external_order_number")?;
    let receiver = receiver(world, &mut fields)?;
    if let Some(choice) = fields.text("hide_certificate_reference")?
        && !matches!(choice.as_str(), "y" | "n")
    {
        return Err(fields.refuse("hide_certificate_reference", "is neither y nor n"));
    }
    let submission = Submission::read(world, &mut fields)?;
    fields.finish()?;

    let product = world.product(code).ok_or_else(|| Refusal::field("product", "is not a valid product code"))?;
    if !account.products.contains(&code) {
        return Err(Refusal::field("product", "is not available to this account"));
    }
    let price = *product
        .prices
        .get(&period_days)
        .ok_or_else(|| Refusal::field("period", "is not available for this product"))?;
    // Seen in the sandbox 2026-06: the request and the registrant must come in a second step.
    if submission.has_request() && submission.has_registrant() {
        return Err(Refusal::trip());
    }

    let behaviour = world.behaviour().clone();
    let amount_cents = match behaviour.order_amount {
        OrderAmount::Equal | OrderAmount::Unreadable => price,
        OrderAmount::Different(more) => price + more,
    };
    let bought = world.change(|books| {
        let spent = books.spent_cents.get(&account.id()).copied().unwrap_or(0);
        let added = books.added_cents.get(&account.id()).copied().unwrap_or(0);
        if spent + amount_cents > account.funds_cents + added {
            return Err(no_funds(behaviour.no_funds_status));
        }
        match &external_order_number {
            None => world.add_defect(books, |defects| &mut defects.purchases_without_number),
            Some(number) if books.is_bought(&account.id(), number) => {
                world.add_defect(books, |defects| &mut defects.repeated_purchases);
            }
            Some(_) => {}
        }
        let number = books.orders.len();
        let mut order = Order {
            number,
            reference: reference(world.seed, number),
            account: account.id(),
            product: code,
            period_days,
            amount_cents,
            shown_amount: match behaviour.order_amount {
                OrderAmount::Unreadable => "as agreed".to_owned(),
                _ => format!("${}.{:02}", amount_cents / 100, amount_cents % 100),
            },
            external_order_number,
            created: world.now(),
            request: None,
            used: BTreeSet::new(),
            registrant: None,
            has_contacts: false,
            validation: None,
            vetted: false,
            receiver,
            called_back: false,
            state: OrderState::Unused,
            certificate: None,
            superseded: Vec::new(),
            revoked: BTreeSet::new(),
        };
        submission.must_fit(&order, books, product)?;
        let digests = submission.apply(&mut order, world.now());
        books.insert(order);
        for digest in digests {
            books.mark_used(number, digest);
        }
        let then = world.save(books, number);
        Ok((books.orders[number].to_json(&behaviour, &world.ca), then))
    });
    let (answer, then) = bought.ok_or_else(Refusal::trip)??;
    world.let_happen(then);
    Ok(answer)
}

/// What an order or an update says about the receiver of its callback.
pub(super) fn receiver(world: &World, fields: &mut Fields) -> Result<Option<Receiver>, Refusal> {
    let Some(mut callback) = fields.object("callback")? else { return Ok(None) };
    let url = callback.required_text("url")?;
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return Err(callback.refuse("url", "is not an address on the web"));
    }
    let by_get = match callback.text("method")?.as_deref() {
        None | Some("post") => false,
        Some("get") => true,
        Some(_) => return Err(callback.refuse("method", "is neither post nor get")),
    };
    let mut basic = None;
    if let Some(mut auth) = callback.object("auth")? {
        if let Some(mut credentials) = auth.object("basic")? {
            let username = credentials.required_text("username")?;
            basic = Some((username, credentials.required_text("password")?));
            credentials.finish()?;
        }
        auth.finish()?;
    }
    let mut parameters = BTreeMap::new();
    if let Some(mut given) = callback.object("parameters")? {
        for name in given.names() {
            parameters.insert(name.clone(), given.text(&name)?.unwrap_or_default());
        }
    }
    callback.finish()?;
    if url.contains('@') || parameters.values().any(|value| value.contains('@')) {
        world.count_defect(|defects| &mut defects.callbacks_with_personal_data);
    }
    Ok(Some(Receiver { url, by_get, basic, parameters }))
}

fn no_funds(status: u16) -> Refusal {
    Refusal::of(
        StatusCode::from_u16(status).unwrap_or(StatusCode::OK),
        "funded_account",
        "insufficient funds in the funded account",
    )
}

/// References look like `co-abcd1234`. The same seed gives the same ones, none of them twice:
/// multiplying by an odd number permutes the numbers under 2^40.
fn reference(seed: u64, number: usize) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut rest = (number as u64).wrapping_add(seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) & 0xFF_FFFF_FFFF;
    let mut text = *b"co-00000000";
    for digit in text.iter_mut().skip(3).rev() {
        *digit = DIGITS[(rest % 36) as usize];
        rest /= 36;
    }
    text.iter().map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn references_are_never_given_twice() {
        let references: HashSet<_> = (0..20_000).map(|number| reference(7, number)).collect();
        assert_eq!(references.len(), 20_000);
        assert!(references.iter().all(|text| text.len() == 11 && text.starts_with("co-")));
    }
}
