//! `GET /certificates`: the account's orders in pages, the newest first.

use jiff::{civil::Date, fmt::strtime, tz::TimeZone};
use serde_json::Value;

use super::{
    behaviour::{Behaviour, ExternalOrderNumber, PastTheEnd},
    fields::{Fields, Refusal},
    order::{Order, OrderState},
    world::World,
};

pub(super) fn list(world: &World, mut fields: Fields) -> Result<Value, Refusal> {
    let account = world.authenticate(&mut fields)?;
    let behaviour = world.behaviour().clone();
    let per_page = fields.number("per_page")?.unwrap_or(10);
    let page = fields.number("page")?.unwrap_or(behaviour.first_page);
    let filter = Filter::read(&mut fields)?;
    let columns = fields.text("fields")?;
    fields.finish()?;
    if !behaviour.listing_available {
        return Err(Refusal::trip());
    }
    if per_page == 0 || page < behaviour.first_page {
        return Err(Refusal::field("page", "there is no such page"));
    }
    let (page, per_page) = ((page - behaviour.first_page) as usize, per_page as usize);

    let books = world.books();
    let numbers = books.by_account.get(&account.id());
    let found: Vec<_> = numbers
        .into_iter()
        .flatten()
        .rev()
        .map(|number| &books.orders[*number])
        .filter(|order| filter.takes(order, product_name(world, order), &behaviour))
        .collect();
    // Of no order there is one page, an empty one.
    let last = found.len().saturating_sub(1) / per_page;
    let page = match behaviour.past_the_end {
        PastTheEnd::Refused if page > last => return Err(Refusal::field("page", "there is no such page")),
        PastTheEnd::Repeats => page.min(last),
        PastTheEnd::Empty | PastTheEnd::Refused => page,
    };
    let entries = found.into_iter().skip(page.saturating_mul(per_page)).take(per_page).map(|order| {
        let mut summary = order.to_summary(&behaviour, product_name(world, order));
        if let Some(columns) = &columns {
            summary.retain(|name, _| columns.split(',').any(|column| column.trim() == name));
        }
        Value::Object(summary)
    });
    Ok(Value::Array(entries.collect()))
}

struct Filter {
    start: Option<Date>,
    /// The last day, included; today when absent.
    end: Option<Date>,
    vouchers: bool,
    search: Option<String>,
}

impl Filter {
    fn read(fields: &mut Fields) -> Result<Self, Refusal> {
        let start = date(fields, "start")?;
        let end = date(fields, "end")?;
        let vouchers = match fields.text("filter")?.as_deref() {
            None => false,
            Some("vouchers") => true,
            Some(_) => return Err(fields.refuse("filter", "is not understood here")),
        };
        Ok(Self { start, end, vouchers, search: fields.text("search")? })
    }

    fn takes(&self, order: &Order, product_name: &str, behaviour: &Behaviour) -> bool {
        let day = order.created.to_zoned(TimeZone::UTC).date();
        self.start.is_none_or(|start| day >= start)
            && self.end.is_none_or(|end| day <= end)
            && (!self.vouchers || order.state == OrderState::Unused)
            && (self.vouchers || behaviour.vouchers_listed || order.state != OrderState::Unused)
            && self.search.as_deref().is_none_or(|text| matches(order, product_name, text, behaviour))
    }
}

/// `search` looks at the product and the certificate; whether also at the caller's own number is
/// undocumented, hence a switch.
fn matches(order: &Order, product_name: &str, text: &str, behaviour: &Behaviour) -> bool {
    let by_number = behaviour.external_order_number == ExternalOrderNumber::Searchable
        && order.external_order_number.as_deref() == Some(text);
    let by_mailbox = order.request.as_ref().is_some_and(|request| request.mailbox.contains(text));
    by_number || by_mailbox || product_name == text || order.reference == text
}

fn product_name(world: &World, order: &Order) -> &'static str {
    world.product(order.product).map_or("", |product| product.name)
}

fn date(fields: &mut Fields, name: &str) -> Result<Option<Date>, Refusal> {
    let Some(text) = fields.text(name)? else { return Ok(None) };
    strtime::parse("%m-%d-%Y", &text)
        .and_then(|parsed| parsed.to_date())
        .map(Some)
        .map_err(|_| fields.refuse(name, "is not a date like 12-31-2026"))
}
