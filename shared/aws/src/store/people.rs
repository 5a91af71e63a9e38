//! The rows of people, as the directory gave them, and where reading the directory stands.

use domain::{IntegrationId, Person, PersonId, person::fold_case};
use futures_util::{StreamExt, TryStreamExt, stream};
use ports::{DirectoryCursor, Page, PeopleFilter, cursor};

use super::{
    body::{self, VERSION},
    keys::{self, Key, List, Place, shortened},
    span::Span,
    table::{Condition, Outcome, Table, number, text},
};

/// Writes of one call under way at the same time.
const SIDE_BY_SIDE: usize = 32;
/// People that are looked at together to find those who left.
const LOOKED_AT: usize = 1_000;

pub(super) async fn put(table: &Table, scope: IntegrationId, people: &[Person]) -> Outcome<()> {
    let newest = "attribute_not_exists(pk) OR generation <= :generation";
    let mut writes = Vec::with_capacity(people.len());
    for person in people {
        let condition = Condition::new(newest, [(":generation", number(person.generation))]);
        let item = body::person(Place::of_person(scope, person), person)?;
        // One that a newer run saw stays as it is.
        writes.push(async move { table.put_if(item, condition).await.map(drop) });
    }
    stream::iter(writes).buffer_unordered(SIDE_BY_SIDE).try_collect().await
}

/// Reads everybody, because an index that lags would leave somebody out. A full run has just done the same.
pub(super) async fn mark_left(table: &Table, scope: IntegrationId, generation: u64) -> Outcome<u64> {
    let mut left = 0;
    let mut after = String::new();
    loop {
        let rows = table.rows(&keys::people(scope), &Span::beginning("", &after), LOOKED_AT).await?;
        let Some(last) = rows.last() else { return Ok(left) };
        after = text(last, "sk")?;
        let people = rows.iter().map(body::read_person).collect::<Outcome<Vec<_>>>()?;
        let unseen = people.into_iter().filter(|person| !person.left && person.generation < generation);
        let marked = stream::iter(unseen.map(|person| async move {
            let still = "attribute_exists(pk) AND gone = :here AND generation < :generation";
            let (here, now) = (false_value(), number(generation));
            mark(table, scope, person.id, Condition::new(still, [(":here", here), (":generation", now)])).await
        }));
        let marked: Vec<bool> = marked.buffer_unordered(SIDE_BY_SIDE).try_collect().await?;
        left += marked.into_iter().map(u64::from).sum::<u64>();
    }
}

pub(super) async fn mark_person_left(table: &Table, scope: IntegrationId, person: PersonId) -> Outcome<()> {
    mark(table, scope, person, Condition::new("attribute_exists(pk)", [])).await.map(drop)
}

async fn mark(table: &Table, scope: IntegrationId, person: PersonId, mut condition: Condition) -> Outcome<bool> {
    condition.values.push((":gone", aws_sdk_dynamodb::types::AttributeValue::Bool(true)));
    table.update_if(&Key::person(scope, person), "SET gone = :gone", condition).await
}

fn false_value() -> aws_sdk_dynamodb::types::AttributeValue {
    aws_sdk_dynamodb::types::AttributeValue::Bool(false)
}

pub(super) async fn one(table: &Table, scope: IntegrationId, person: PersonId) -> Outcome<Option<Person>> {
    table.get(&Key::person(scope, person)).await?.as_ref().map(body::read_person).transpose()
}

pub(super) async fn page(
    table: &Table,
    scope: IntegrationId,
    filter: &PeopleFilter,
    after: Option<&str>,
    limit: usize,
) -> Outcome<Page<Person>> {
    let Some(part) = cursor::part(String::new(), after, limit) else {
        return Ok(Page { items: Vec::new(), next: None });
    };
    let rows = match filter {
        PeopleFilter::Everybody => {
            let rows = table.rows(&keys::people(scope), &Span::beginning("", &part.after), part.rows).await?;
            rows.into_iter().map(|item| Ok((text(&item, "sk")?, item))).collect::<Outcome<Vec<_>>>()?
        }
        PeopleFilter::Name { prefix } => {
            let (list, partition) = keys::people_by_name(scope);
            table.list(list, &partition, span(prefix, &part.after), part.rows).await?
        }
        PeopleFilter::Address { prefix } => {
            let (list, partition) = keys::people_by_address(scope);
            table.list(list, &partition, span(prefix, &part.after), part.rows).await?
        }
    };
    let rows = rows.into_iter().map(|(sort, item)| Ok((sort, body::read_person(&item)?))).collect::<Outcome<_>>()?;
    Ok(cursor::page(&part, rows)?)
}

/// A cursor of another prefix must not lead out of this one.
fn span(prefix: &str, after: &str) -> Span {
    Span::beginning(shortened(&fold_case(prefix)), after)
}

/// One person counts once, also when both of their addresses are this one.
pub(super) async fn with_address(table: &Table, scope: IntegrationId, folded: &str) -> Outcome<u32> {
    let all = Span::all();
    let mut keys = Vec::new();
    for (list, partition) in [keys::people_with_primary(scope, folded), keys::people_with_mail(scope, folded)] {
        let hints: Vec<_> = named(table, list, &partition, &all).await?;
        keys.extend(hints);
    }
    keys.sort_by(|one: &Key, other| one.sort.cmp(&other.sort));
    keys.dedup();
    let now = table.get_many(keys).await?;
    let people = now.values().map(body::read_person).collect::<Outcome<Vec<_>>>()?;
    let has = |address: Option<String>| address.as_deref() == Some(folded);
    let with =
        people.iter().filter(|person| !person.left && (has(person.folded_primary()) || has(person.folded_mail())));
    Ok(u32::try_from(with.count())?)
}

/// More people than this do not share an address; the answer is "too many" long before.
const SHARING: usize = 100;

async fn named(table: &Table, list: List, partition: &str, span: &Span) -> Outcome<Vec<Key>> {
    table.hints(list, partition, span, SHARING).await?.iter().map(Key::of).collect()
}

pub(super) async fn directory_cursor(table: &Table, scope: IntegrationId) -> Outcome<DirectoryCursor> {
    let stored = table.get(&Key::directory_cursor(scope)).await?;
    Ok(stored.as_ref().map(body::read).transpose()?.unwrap_or_default())
}

pub(super) async fn save_directory_cursor(
    table: &Table,
    scope: IntegrationId,
    cursor: &DirectoryCursor,
) -> Outcome<bool> {
    let next = DirectoryCursor { version: cursor.version.saturating_add(1), ..cursor.clone() };
    let item = body::row(Key::directory_cursor(scope), &next, [(VERSION, number(next.version))])?;
    // There is no row before the first import, and a reader takes that for version 0.
    let condition = match cursor.version {
        0 => Condition::is_new(),
        read => Condition::new("version_number = :read", [(":read", number(read))]),
    };
    table.put_if(item, condition).await
}
