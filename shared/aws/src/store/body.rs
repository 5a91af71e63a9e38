//! Whole rows as their serial form, in one attribute.

use domain::{Enrollment, Person};
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    keys::Place,
    table::{Fault, Item, Outcome, integer, item, number, string, text},
};

/// The attribute with the serial form.
const BODY: &str = "body";
/// The version that a compare-and-set compares.
pub(super) const VERSION: &str = "version_number";
/// When somebody has to look after an enrollment, in nanoseconds. The sweep moves it without touching the body.
pub(super) const DUE_AT: &str = "due_at";
/// Whether a person has left the directory. Set without touching the body.
pub(super) const GONE: &str = "gone";
/// The import run that saw a person last.
pub(super) const GENERATION: &str = "generation";

/// A row that is its serial form and nothing else.
pub(super) fn row<const N: usize>(
    place: impl Into<Place>,
    value: &impl Serialize,
    attributes: [(&'static str, aws_sdk_dynamodb::types::AttributeValue); N],
) -> Outcome<Item> {
    let mut item = item(place, attributes);
    item.insert(BODY.to_owned(), string(serde_json::to_string(value)?));
    Ok(item)
}

pub(super) fn read<T: DeserializeOwned>(item: &Item) -> Outcome<T> {
    let body = item.get(BODY).and_then(|body| body.as_s().ok()).ok_or("a row has no body")?;
    Ok(serde_json::from_str(body)?)
}

pub(super) fn enrollment(place: impl Into<Place>, value: &Enrollment) -> Outcome<Item> {
    let mut item = row(place, value, [(VERSION, number(value.version)), ("run", string(""))])?;
    match value.written_by {
        Some(run) => item.insert("run".to_owned(), string(run)),
        None => item.remove("run"),
    };
    if let Some(due_at) = value.due_at {
        item.insert(DUE_AT.to_owned(), nanoseconds(due_at));
    }
    item.insert(OF_BATCH.to_owned(), string(value.batch));
    Ok(item)
}

/// An enrollment does not change its batch.
pub(super) const OF_BATCH: &str = "of_batch";

pub(super) fn read_enrollment(item: &Item) -> Outcome<Enrollment> {
    let due_at = item.get(DUE_AT).map(|_| time(item, DUE_AT)).transpose()?;
    Ok(Enrollment { due_at, ..read(item)? })
}

pub(super) fn person(place: Place, value: &Person) -> Outcome<Item> {
    let gone = aws_sdk_dynamodb::types::AttributeValue::Bool(value.left);
    row(place, value, [(GENERATION, number(value.generation)), (GONE, gone)])
}

pub(super) fn read_person(item: &Item) -> Outcome<Person> {
    let gone = item.get(GONE).and_then(|gone| gone.as_bool().ok()).copied();
    Ok(Person { left: gone.ok_or("a person's row does not say whether they left")?, ..read(item)? })
}

pub(super) fn nanoseconds(time: Timestamp) -> aws_sdk_dynamodb::types::AttributeValue {
    number(time.as_nanosecond())
}

pub(super) fn time(item: &Item, name: &str) -> Outcome<Timestamp> {
    Ok(Timestamp::from_nanosecond(integer(item, name)?)?)
}

/// When DynamoDB may clear a row away, in seconds. That takes days, so who reads the row looks at the time itself.
pub(super) fn cleared_after(time: Timestamp) -> aws_sdk_dynamodb::types::AttributeValue {
    number(time.as_second().saturating_add(1))
}

/// A parsed id of a text attribute.
pub(super) fn id<T: std::str::FromStr<Err: Into<Fault>>>(item: &Item, name: &str) -> Outcome<T> {
    text(item, name)?.parse().map_err(Into::into)
}
