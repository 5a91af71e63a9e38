//! The one DynamoDB table: reading rows, ranges of rows, and writing them under conditions.
//!
//! Reads of rows are strongly consistent. Indexes hold keys only and lag behind: a list reads every row that an index
//! names once more and leaves out what is no longer where the index says.

use std::{collections::HashMap, sync::Arc, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::{AttributeValue, KeysAndAttributes, PutRequest, WriteRequest},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use ports::PlatformError;
use uuid::Uuid;

use super::{
    keys::{Key, List, Place},
    span::Span,
};

pub(super) type Fault = Box<dyn std::error::Error + Send + Sync>;
pub(super) type Outcome<T> = Result<T, Fault>;
pub(super) type Item = HashMap<String, AttributeValue>;

/// Which write of a row was the last one: a write that finds its own mark there was won before its answer was lost.
const MARK: &str = "mark";

/// DynamoDB reads at most 100 rows by key in one request, and writes 25.
const READ_AT_ONCE: usize = 100;
const WRITTEN_AT_ONCE: usize = 25;
/// Requests of one call under way at the same time.
const SIDE_BY_SIDE: usize = 16;
/// Other transactions on the same row are over within milliseconds.
pub(super) const TRIES: u32 = 12;

#[derive(Clone)]
pub(super) struct Table {
    pub(super) client: Client,
    pub(super) name: Arc<str>,
}

/// What has to hold of the row as it is stored.
#[derive(Clone, Default)]
pub(super) struct Condition {
    pub(super) holds: &'static str,
    pub(super) values: Vec<(&'static str, AttributeValue)>,
}

impl Table {
    pub(super) fn new(client: Client, name: &str) -> Self {
        Self { client, name: name.into() }
    }

    pub(super) async fn get(&self, key: &Key) -> Outcome<Option<Item>> {
        let read = self.client.get_item().table_name(&*self.name).set_key(Some(key.item())).consistent_read(true);
        Ok(read.send().await?.item)
    }

    /// The rows with these keys that there are, in no order.
    pub(super) async fn get_many(&self, keys: Vec<Key>) -> Outcome<HashMap<Key, Item>> {
        let chunks: Vec<Vec<Key>> = keys.chunks(READ_AT_ONCE).map(<[Key]>::to_vec).collect();
        let read = stream::iter(chunks).map(|chunk| self.get_chunk(chunk)).buffer_unordered(SIDE_BY_SIDE);
        let read: Vec<Vec<Item>> = read.try_collect().await?;
        read.into_iter().flatten().map(|item| Ok((Key::of(&item)?, item))).collect()
    }

    async fn get_chunk(&self, keys: Vec<Key>) -> Outcome<Vec<Item>> {
        let mut items = Vec::with_capacity(keys.len());
        let mut wanted: Vec<Item> = keys.iter().map(Key::item).collect();
        for tried in 0..TRIES {
            let keys = KeysAndAttributes::builder().set_keys(Some(wanted)).consistent_read(true).build()?;
            let read = self.client.batch_get_item().request_items(&*self.name, keys).send().await?;
            items.extend(read.responses.unwrap_or_default().remove(&*self.name).unwrap_or_default());
            let left = read.unprocessed_keys.unwrap_or_default().remove(&*self.name);
            wanted = left.map(|left| left.keys).unwrap_or_default();
            if wanted.is_empty() {
                return Ok(items);
            }
            pause(tried).await;
        }
        Err("DynamoDB left rows unread again and again".into())
    }

    /// The rows of a list, each with the text that it is sorted by, at most `limit`.
    pub(super) async fn list(
        &self,
        list: List,
        partition: &str,
        span: Span,
        limit: usize,
    ) -> Outcome<Vec<(String, Item)>> {
        let mut rows = Vec::new();
        let mut span = span;
        while rows.len() < limit {
            let wanted = (limit - rows.len()).max(LEAST_READ);
            let (found, last) = self.range(Some(list), partition, &span, wanted).await?;
            let keys = found.iter().map(Key::of).collect::<Outcome<Vec<_>>>()?;
            let Some(sort) = found.last().map(|item| text(item, list.sort())).transpose()? else { return Ok(rows) };
            span = span.after(&sort);
            let mut now = self.get_many(keys.clone()).await?;
            for (key, named) in keys.iter().zip(&found) {
                let sort = text(named, list.sort())?;
                let Some(item) = now.remove(key) else { continue };
                let is_still_there = text(&item, list.partition()).is_ok_and(|stored| stored == partition)
                    && text(&item, list.sort()).is_ok_and(|stored| stored == sort);
                if is_still_there {
                    rows.push((sort, item));
                }
            }
            if last {
                break;
            }
        }
        rows.truncate(limit);
        Ok(rows)
    }

    /// The keys that an index has, as hints that nobody reads again here.
    pub(super) async fn hints(&self, list: List, partition: &str, span: &Span, limit: usize) -> Outcome<Vec<Item>> {
        Ok(self.range(Some(list), partition, span, limit).await?.0)
    }

    /// The rows of one partition, in the order of their sort keys, at most `limit`.
    pub(super) async fn rows(&self, partition: &str, span: &Span, limit: usize) -> Outcome<Vec<Item>> {
        let mut span = span.clone();
        let mut rows: Vec<Item> = Vec::new();
        loop {
            let (found, last) = self.range(None, partition, &span, limit - rows.len()).await?;
            let Some(sort) = found.last().map(|item| text(item, "sk")).transpose()? else { return Ok(rows) };
            rows.extend(found);
            if last || rows.len() >= limit {
                return Ok(rows);
            }
            span = span.after(&sort);
        }
    }

    /// One request; also whether there is nothing behind what it answered.
    async fn range(
        &self,
        list: Option<List>,
        partition: &str,
        span: &Span,
        limit: usize,
    ) -> Outcome<(Vec<Item>, bool)> {
        if span.is_empty() {
            return Ok((Vec::new(), true));
        }
        let (hash, sort) = list.map_or(("pk", "sk"), |list| (list.partition(), list.sort()));
        let condition = match span {
            Span::Rising { .. } => "#p = :p AND #s BETWEEN :from AND :to",
            Span::FallingFrom(_) => "#p = :p AND #s < :from",
        };
        let query = self
            .client
            .query()
            .table_name(&*self.name)
            .set_index_name(list.map(|list| list.index().to_owned()))
            .consistent_read(list.is_none())
            .key_condition_expression(condition)
            .expression_attribute_names("#p", hash)
            .expression_attribute_names("#s", sort)
            .expression_attribute_values(":p", string(partition))
            .limit(i32::try_from(limit.clamp(1, 10_000))?);
        let query = match span {
            Span::Rising { from, to } => {
                query.expression_attribute_values(":from", string(from)).expression_attribute_values(":to", string(to))
            }
            Span::FallingFrom(from) => {
                query.expression_attribute_values(":from", string(from)).scan_index_forward(false)
            }
        };
        let read = query.send().await?;
        let last = read.last_evaluated_key.is_none_or(|key| key.is_empty());
        Ok((read.items.unwrap_or_default(), last))
    }

    /// Writes a row whatever there was.
    pub(super) async fn put(&self, item: Item) -> Outcome<()> {
        self.client.put_item().table_name(&*self.name).set_item(Some(item)).send().await?;
        Ok(())
    }

    /// Writes rows whatever there was, in no order.
    pub(super) async fn put_many(&self, items: Vec<Item>) -> Outcome<()> {
        let chunks: Vec<Vec<Item>> = items.chunks(WRITTEN_AT_ONCE).map(<[Item]>::to_vec).collect();
        let written = stream::iter(chunks).map(|chunk| self.put_chunk(chunk)).buffer_unordered(SIDE_BY_SIDE);
        written.try_collect().await
    }

    async fn put_chunk(&self, items: Vec<Item>) -> Outcome<()> {
        let put =
            |item| Ok(WriteRequest::builder().put_request(PutRequest::builder().set_item(Some(item)).build()?).build());
        let mut left = items.into_iter().map(put).collect::<Outcome<Vec<_>>>()?;
        for tried in 0..TRIES {
            let written = self.client.batch_write_item().request_items(&*self.name, left).send().await?;
            left = written.unprocessed_items.unwrap_or_default().remove(&*self.name).unwrap_or_default();
            if left.is_empty() {
                return Ok(());
            }
            pause(tried).await;
        }
        Err("DynamoDB left rows unwritten again and again".into())
    }

    /// Writes a row if the condition holds. False: it did not, and this was not the write that made it so.
    pub(super) async fn put_if(&self, mut item: Item, condition: Condition) -> Outcome<bool> {
        let mark = Uuid::new_v4().to_string();
        let key = Key::of(&item)?;
        item.insert(MARK.to_owned(), string(&mark));
        let put = self
            .client
            .put_item()
            .table_name(&*self.name)
            .set_item(Some(item))
            .condition_expression(condition.holds)
            .set_expression_attribute_values(condition.attribute_values())
            .send()
            .await;
        match put {
            Ok(_) => Ok(true),
            Err(error) if is_refusal(&error) => self.is_marked(&key, &mark).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Changes attributes of a row if the condition holds. False as with [`Table::put_if`].
    pub(super) async fn update_if(&self, key: &Key, set: &'static str, condition: Condition) -> Outcome<bool> {
        let mark = Uuid::new_v4().to_string();
        let update = self
            .client
            .update_item()
            .table_name(&*self.name)
            .set_key(Some(key.item()))
            .update_expression(format!("{set}, {MARK} = :mark"))
            .condition_expression(condition.holds)
            .set_expression_attribute_values(condition.attribute_values())
            .expression_attribute_values(":mark", string(&mark))
            .send()
            .await;
        match update {
            Ok(_) => Ok(true),
            Err(error) if is_refusal(&error) => self.is_marked(key, &mark).await,
            Err(error) => Err(error.into()),
        }
    }

    async fn is_marked(&self, key: &Key, mark: &str) -> Outcome<bool> {
        let stored = self.get(key).await?;
        Ok(stored.is_some_and(|item| text(&item, MARK).is_ok_and(|stored| stored == mark)))
    }

    /// Takes a row away if the condition holds, and answers it.
    pub(super) async fn take_if(&self, key: &Key, condition: Condition) -> Outcome<Option<Item>> {
        let taken = self
            .client
            .delete_item()
            .table_name(&*self.name)
            .set_key(Some(key.item()))
            .condition_expression(condition.holds)
            .set_expression_attribute_values(condition.attribute_values())
            .return_values(aws_sdk_dynamodb::types::ReturnValue::AllOld)
            .send()
            .await;
        match taken {
            Ok(taken) => Ok(taken.attributes),
            Err(error) if is_refusal(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// A list asks for at least so many keys, so that rows which have left it do not cost a request each.
const LEAST_READ: usize = 25;

impl Condition {
    pub(super) fn new<const N: usize>(holds: &'static str, values: [(&'static str, AttributeValue); N]) -> Self {
        Self { holds, values: values.into() }
    }

    pub(super) fn is_new() -> Self {
        Self::new("attribute_not_exists(pk)", [])
    }

    pub(super) fn expression(&self) -> Option<String> {
        (!self.holds.is_empty()).then(|| self.holds.to_owned())
    }

    pub(super) fn attribute_values(&self) -> Option<HashMap<String, AttributeValue>> {
        let values = self.values.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        (!self.values.is_empty()).then(|| values.collect())
    }
}

/// A row with a key, to begin with.
pub(super) fn item<const N: usize>(place: impl Into<Place>, attributes: [(&'static str, AttributeValue); N]) -> Item {
    let place: Place = place.into();
    let named = attributes.into_iter().map(|(name, value)| (name.to_owned(), value));
    place.attributes().into_iter().chain(named).collect()
}

pub(super) fn string(text: impl ToString) -> AttributeValue {
    AttributeValue::S(text.to_string())
}

pub(super) fn number(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// A text attribute.
pub(super) fn text(item: &Item, name: &str) -> Outcome<String> {
    let value = item.get(name).ok_or_else(|| format!("a row has no {name}"))?;
    value.as_s().cloned().map_err(|_| format!("{name} of a row is no text").into())
}

/// A number attribute.
pub(super) fn integer<T: std::str::FromStr>(item: &Item, name: &str) -> Outcome<T> {
    let value = item.get(name).ok_or_else(|| format!("a row has no {name}"))?;
    let digits = value.as_n().map_err(|_| format!("{name} of a row is no number"))?;
    digits.parse().map_err(|_| format!("{name} of a row is out of range").into())
}

fn is_refusal<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    error.as_service_error().and_then(ProvideErrorMetadata::code) == Some("ConditionalCheckFailedException")
}

pub(super) fn failed(doing: &'static str) -> impl FnOnce(Fault) -> PlatformError {
    move |fault| PlatformError::new(doing, fault)
}

/// From 5 ms to a second, doubled each time and spread so that rivals do not meet again.
pub(super) async fn pause(tried: u32) {
    let longest = 10 << tried.min(7);
    let random = u64::from(Uuid::new_v4().as_bytes()[0]);
    let milliseconds = longest / 2 + longest * random / 512;
    #[expect(clippy::disallowed_methods, reason = "DynamoDB tells nobody when another transaction is over")]
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

#[cfg(test)]
mod tests;
