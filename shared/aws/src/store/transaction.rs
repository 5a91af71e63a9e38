//! Several rows written together or not at all.

use aws_sdk_dynamodb::{
    operation::transact_write_items::TransactWriteItemsError,
    types::{Delete, Put, TransactWriteItem, Update},
};

use super::{
    keys::Key,
    table::{Condition, Item, Outcome, TRIES, Table, pause},
};

/// What became of a transaction.
pub(super) enum Written {
    Done,
    /// Which parts' conditions did not hold, by their place.
    Refused(Vec<usize>),
}

impl Table {
    /// Writes all of the parts or none. Waits while other transactions have one of the rows.
    pub(super) async fn transact(&self, parts: Vec<TransactWriteItem>) -> Outcome<Written> {
        for tried in 0..TRIES {
            let sent = self.client.transact_write_items().set_transact_items(Some(parts.clone())).send().await;
            let Err(error) = sent else { return Ok(Written::Done) };
            let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
            else {
                return Err(error.into());
            };
            let reasons = cancelled.cancellation_reasons();
            let is = |code: &str| {
                let places = reasons.iter().enumerate().filter(|(_, reason)| reason.code() == Some(code));
                places.map(|(place, _)| place).collect::<Vec<_>>()
            };
            let refused = is("ConditionalCheckFailed");
            if !refused.is_empty() {
                return Ok(Written::Refused(refused));
            }
            let passes = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];
            if passes.iter().all(|code| is(code).is_empty()) {
                return Err(error.into());
            }
            pause(tried).await;
        }
        Err("a transaction was never let through by others".into())
    }

    /// A part of a transaction that writes a row.
    pub(super) fn put_part(&self, item: Item, condition: Condition) -> Outcome<TransactWriteItem> {
        let put = Put::builder()
            .table_name(&*self.name)
            .set_item(Some(item))
            .set_condition_expression(condition.expression())
            .set_expression_attribute_values(condition.attribute_values());
        Ok(TransactWriteItem::builder().put(put.build()?).build())
    }

    /// A part of a transaction that changes attributes of a row, or makes the row.
    pub(super) fn update_part(&self, key: &Key, change: String, condition: Condition) -> Outcome<TransactWriteItem> {
        let update = Update::builder()
            .table_name(&*self.name)
            .set_key(Some(key.item()))
            .update_expression(change)
            .set_condition_expression(condition.expression())
            .set_expression_attribute_values(condition.attribute_values());
        Ok(TransactWriteItem::builder().update(update.build()?).build())
    }

    /// A part of a transaction that takes a row away.
    pub(super) fn delete_part(&self, key: &Key, condition: Condition) -> Outcome<TransactWriteItem> {
        let delete = Delete::builder()
            .table_name(&*self.name)
            .set_key(Some(key.item()))
            .set_condition_expression(condition.expression())
            .set_expression_attribute_values(condition.attribute_values());
        Ok(TransactWriteItem::builder().delete(delete.build()?).build())
    }
}
