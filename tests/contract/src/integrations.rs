//! Integrations: one per (cloud, tenant id).

use domain::{Integration, IntegrationId, integration::Cloud};
use ports::{IntegrationStore, Platform, Store};
use uuid::Uuid;

use crate::samples::{MANY, all, integration, together};

pub async fn a_tenant_belongs_to_one_integration_of_its_cloud<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let store = platform.store();
    let first = integration();
    assert!(store.create_integration(&first).await?);
    assert_eq!(store.of(first.id).integration().await?, Some(first.clone()));

    let same_tenant = Integration { id: IntegrationId(Uuid::new_v4()), ..first.clone() };
    assert!(!store.create_integration(&same_tenant).await?);
    assert_eq!(store.of(same_tenant.id).integration().await?, None);

    let mut same_id = integration();
    same_id.id = first.id;
    assert!(!store.create_integration(&same_id).await?);
    assert_eq!(store.of(first.id).integration().await?, Some(first.clone()));

    let mut other_cloud = same_tenant;
    other_cloud.settings.cloud = Cloud::China;
    assert!(store.create_integration(&other_cloud).await?);
    Ok(())
}

pub async fn of_fifty_creators_of_one_tenant_one_wins<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let tenant = integration();
    let creators = (0..MANY).map(|_| {
        let store = platform.store().clone();
        let candidate = Integration { id: IntegrationId(Uuid::new_v4()), ..tenant.clone() };
        async move { store.create_integration(&candidate).await }
    });
    let won = together(creators).await?;
    assert_eq!(won.into_iter().filter(|won| *won).count(), 1);
    Ok(())
}

pub async fn an_integration_is_written_under_the_version_that_was_read<P: Platform>(
    platform: &P,
) -> anyhow::Result<()> {
    let created = integration();
    platform.store().create_integration(&created).await?;
    let rows = platform.store().of(created.id);
    let mut stopped = created.clone();
    stopped.settings.stop_buying = true;
    assert!(rows.save_integration(&stopped).await?);
    let renamed = Integration { ground: 9, ..created };
    assert!(!rows.save_integration(&renamed).await?, "it does not know that buying was stopped");
    stopped.version += 1;
    assert_eq!(rows.integration().await?, Some(stopped));
    Ok(())
}

pub async fn a_tenant_of_another_integration_cannot_be_taken_over<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (first, mut second) = (integration(), integration());
    platform.store().create_integration(&first).await?;
    platform.store().create_integration(&second).await?;
    let rows = platform.store().of(second.id);
    let own = second.settings.tenant_id;
    second.settings.tenant_id = first.settings.tenant_id;
    assert!(!rows.save_integration(&second).await?);
    second.settings.tenant_id = own;
    assert_eq!(rows.integration().await?, Some(second.clone()));

    second.settings.tenant_id = Uuid::new_v4();
    assert!(rows.save_integration(&second).await?, "a tenant that is free can be taken");
    let successor = Integration { id: IntegrationId(Uuid::new_v4()), ..integration() };
    let mut successor = successor;
    successor.settings.tenant_id = own;
    assert!(platform.store().create_integration(&successor).await?, "and the one that was left is free again");
    Ok(())
}

pub async fn integrations_that_come_meanwhile_do_not_disturb_a_list<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let store = platform.store();
    let mut before = Vec::new();
    for _ in 0..7 {
        let created = integration();
        store.create_integration(&created).await?;
        before.push(created);
    }
    let mut seen = all(async |after| {
        store.create_integration(&integration()).await?;
        store.integrations(after, 2).await
    })
    .await?;
    let mut ids: Vec<_> = seen.iter().map(|integration| integration.id).collect();
    let listed = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), listed, "nobody is listed twice");
    seen.retain(|integration| before.contains(integration));
    assert_eq!(seen.len(), before.len());
    assert_eq!(store.integrations(Some("no cursor at all".into()), 2).await?.next, None);
    Ok(())
}
