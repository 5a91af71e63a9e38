//! The rows of integrations, and of the tenants that each has for itself.

use domain::{Integration, IntegrationId};
use ports::{Page, cursor};

use super::{
    body::{self, VERSION},
    keys::{INTEGRATIONS, Key},
    span::Span,
    table::{Condition, Fault, Outcome, Table, item, number, string, text},
    transaction::Written,
};

pub(super) async fn create(table: &Table, integration: &Integration) -> Outcome<bool> {
    let parts = vec![
        table.put_part(row(integration)?, Condition::is_new())?,
        table.put_part(tenant_row(integration)?, Condition::is_new())?,
    ];
    match table.transact(parts).await? {
        Written::Done => Ok(true),
        Written::Refused(_) => Ok(false),
    }
}

pub(super) async fn one(table: &Table, id: IntegrationId) -> Outcome<Option<Integration>> {
    table.get(&Key::integration(id)).await?.as_ref().map(body::read).transpose()
}

pub(super) async fn page(table: &Table, after: Option<&str>, limit: usize) -> Outcome<Page<Integration>> {
    let Some(part) = cursor::part(String::new(), after, limit) else {
        return Ok(Page { items: Vec::new(), next: None });
    };
    let rows = table.rows(INTEGRATIONS, &Span::beginning("", &part.after), part.rows).await?;
    let rows = rows.iter().map(|item| Ok((text(item, "sk")?, body::read(item)?))).collect::<Outcome<_>>()?;
    Ok(cursor::page(&part, rows)?)
}

/// Every integration's id.
pub(super) async fn ids(table: &Table) -> Outcome<Vec<IntegrationId>> {
    let rows = table.rows(INTEGRATIONS, &Span::all(), usize::MAX).await?;
    rows.iter().map(|item| body::id(item, "sk")).collect()
}

/// False as well when another integration has the cloud and tenant that the row now names.
pub(super) async fn save(table: &Table, scope: IntegrationId, integration: &Integration) -> Outcome<bool> {
    belongs(scope, integration.id)?;
    let Some(before) = one(table, scope).await? else { return Ok(false) };
    if before.version != integration.version {
        return Ok(false);
    }
    let next = Integration { version: integration.version.saturating_add(1), ..integration.clone() };
    let unchanged = Condition::new("version_number = :read", [(":read", number(integration.version))]);
    if tenant_key(&before)? == tenant_key(&next)? {
        return table.put_if(row(&next)?, unchanged).await;
    }
    let parts = vec![
        table.put_part(row(&next)?, unchanged)?,
        table.put_part(tenant_row(&next)?, Condition::is_new())?,
        table.delete_part(&tenant_key(&before)?, Condition::default())?,
    ];
    match table.transact(parts).await? {
        Written::Done => Ok(true),
        Written::Refused(_) => Ok(false),
    }
}

/// A handle writes rows of its own integration and of no other.
pub(super) fn belongs(scope: IntegrationId, integration: IntegrationId) -> Outcome<()> {
    match integration == scope {
        true => Ok(()),
        false => Err(Fault::from("the row belongs to another integration")),
    }
}

fn row(integration: &Integration) -> Outcome<super::table::Item> {
    body::row(Key::integration(integration.id), integration, [(VERSION, number(integration.version))])
}

fn tenant_row(integration: &Integration) -> Outcome<super::table::Item> {
    Ok(item(tenant_key(integration)?, [("holder", string(integration.id))]))
}

fn tenant_key(integration: &Integration) -> Outcome<Key> {
    let settings = &integration.settings;
    match serde_json::to_value(settings.cloud)? {
        serde_json::Value::String(cloud) => Ok(Key::tenant(&cloud, settings.tenant_id)),
        _ => Err("a cloud is one word".into()),
    }
}
