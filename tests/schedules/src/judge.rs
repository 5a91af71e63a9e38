//! What must hold, from the simulators' own books and not from our rows.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use domain::{
    Enrollment, EnrollmentId, State,
    enrollment::{KeyFacet, StateName},
    transition::{Event, apply},
};
use ports::IntegrationStore;
use sim::sslcom::{Defects, OrderRecord};

use crate::{
    proxy::Sent,
    run::{Actor, At, Held, Run, is_purchase, order_number},
};

/// The devices open a record in milliseconds.
const PATIENCE: Duration = Duration::from_secs(300);

impl Run<'_> {
    /// A purchase that leaves us: of the one that holds the right to it, in its time, with the switch off, and alone.
    pub(crate) async fn judge_request(&mut self, actor: Actor, sent: &Sent) -> Held {
        if !is_purchase(sent) {
            return Ok(());
        }
        let number = order_number(sent).ok_or("a purchase has no number")?;
        let shown = self.shown(sent);
        let row = match owner(&number) {
            Some(id) => self.world.rows.enrollment(id).await.map_err(|error| error.to_string())?,
            None => None,
        };
        let row = row.ok_or_else(|| format!("{shown} is of no enrollment"))?;
        match row.state {
            State::Buying { deadline, .. } if row.order_number() == number && self.now() < deadline => {}
            _ => return Err(format!("{shown} was sent while the row was {:?} of attempt {}", row.state, row.attempt)),
        }
        if self.slot(actor).stop_read != Some(false) {
            return Err(format!("{shown} was sent although buying was stopped"));
        }
        let at_gates = self.slots.iter().filter_map(|slot| match &slot.at {
            At::Vendor { sent, .. } => order_number(sent),
            _ => None,
        });
        let open = at_gates.chain(self.late.iter().filter_map(|late| order_number(&late.sent)));
        let claims: Vec<String> = open.filter_map(|number| self.claim(&number)).collect();
        match self.claim(&number) {
            Some(claim) if claims.contains(&claim) => {
                Err(format!("{shown} was sent beside another for the same claim"))
            }
            Some(_) => Ok(()),
            None => Err(format!("{shown} is of no claim")),
        }
    }

    /// What a number buys: person, address and purpose.
    fn claim(&self, number: &str) -> Option<String> {
        let (_, planned) = self.world.planned.get(&owner(number)?)?;
        Some(planned.claim().to_string())
    }

    /// After every step: nothing was bought twice, and SSL.com saw nothing that must never happen.
    pub(crate) fn judge_books(&mut self) -> Held {
        let mut bought = BTreeMap::<String, Vec<String>>::new();
        for order in self.world.sslcom.orders() {
            let number = order.external_order_number.unwrap_or_default();
            let claim = self.claim(&number).ok_or_else(|| format!("{} was bought for nobody", order.reference))?;
            bought.entry(claim).or_default().push(order.reference);
        }
        self.figures.purchases = bought.values().map(|references| references.len() as u64).sum();
        self.figures.duplicates = bought.values().map(|references| references.len() as u64 - 1).sum();
        if let Some((claim, references)) = bought.iter().find(|(_, references)| references.len() > 1) {
            return Err(format!("bought {} times: {claim}: {}", references.len(), references.join(", ")));
        }
        match self.world.sslcom.defects() {
            defects if defects == Defects::default() => Ok(()),
            defects => Err(format!("SSL.com saw what must never happen: {defects:?}")),
        }
    }

    /// At the end.
    pub(crate) async fn judge_end(&mut self) -> Held {
        let rows = self.world.enrollments().await;
        for row in &rows {
            if !Self::is_end(row.state.name()) {
                return Err(format!("{} ended as {:?}", self.world.name(row.id), row.state));
            }
            if !matches!(row.key, KeyFacet::None | KeyFacet::Destroyed) {
                return Err(format!("the key of {} is {:?} in the end", self.world.name(row.id), row.key));
            }
            *self.figures.ends.entry(row.state.name().as_str()).or_default() += 1;
        }
        self.figures.enrollments = rows.len() as u64;
        self.figures.imported = rows.iter().filter(|row| row.state.name() == StateName::Imported).count() as u64;
        self.judge_references(&rows)?;
        self.judge_claims(&rows).await?;
        self.judge_timelines(&rows).await?;
        self.judge_counts(&rows).await?;
        self.judge_records(&rows).await
    }

    /// Every paid order stands in exactly one row, and nothing else does.
    fn judge_references(&mut self, rows: &[Enrollment]) -> Held {
        let paid: BTreeSet<String> = self.world.sslcom.orders().into_iter().map(|order| order.reference).collect();
        let mut known = BTreeMap::<&str, usize>::new();
        for row in rows {
            let own = row.purchase.iter().map(|purchase| purchase.reference.as_str());
            for reference in own.chain(row.surplus.iter().map(String::as_str)) {
                *known.entry(reference).or_default() += 1;
            }
            self.figures.surplus += row.surplus.len() as u64;
        }
        let lost: Vec<_> = paid.iter().filter(|reference| !known.contains_key(reference.as_str())).collect();
        self.figures.lost = lost.len() as u64;
        if !lost.is_empty() {
            return Err(format!("paid, and in no row: {lost:?}"));
        }
        match known.iter().find(|(reference, count)| **count != 1 || !paid.contains(**reference)) {
            Some((reference, count)) => Err(format!("{reference} stands in {count} rows and may not be paid")),
            None => Ok(()),
        }
    }

    /// A claim is held by who got something for it. Whoever gave up holds none.
    async fn judge_claims(&self, rows: &[Enrollment]) -> Held {
        for row in rows {
            let holder = self.world.rows.claim(&row.claim()).await.map_err(|error| error.to_string())?;
            let holds = holder == Some(row.id);
            if holds == matches!(row.state, State::Cancelled { .. }) {
                let word = if holds { "holds" } else { "does not hold" };
                return Err(format!("{} is {} and {word} its claim", self.world.name(row.id), row.state.name()));
            }
        }
        Ok(())
    }

    /// What the timeline says leads from the plan to the row.
    async fn judge_timelines(&mut self, rows: &[Enrollment]) -> Held {
        for row in rows {
            let Some((name, planned)) = self.world.planned.get(&row.id) else {
                return Err(format!("{} was not planned", row.id));
            };
            let timeline = self.world.rows.timeline(row.id, None, 1_000).await.map_err(|error| error.to_string())?;
            let mut told = planned.clone();
            for happened in timeline.items {
                *self.figures.events.entry(happened.what.name()).or_default() += 1;
                if matches!(happened.what, Event::PurchaseMissing { .. }) {
                    self.figures.unsure += 1;
                }
                told = apply(&told, &happened).map_err(|refused| format!("the timeline of {name}: {refused}"))?;
            }
            let facts = |row: &Enrollment| {
                (row.state.clone(), row.attempt, row.purchase.clone(), row.surplus.clone(), row.key, row.intune, row.ca)
            };
            if facts(&told) != facts(row) {
                return Err(format!(
                    "the timeline of {name} leads to {:?}, and the row is {:?}",
                    told.state, row.state
                ));
            }
        }
        Ok(())
    }

    async fn judge_counts(&self, rows: &[Enrollment]) -> Held {
        let mut real = BTreeMap::<StateName, u64>::new();
        for row in rows {
            *real.entry(row.state.name()).or_default() += 1;
        }
        let counts = self.world.rows.counts(None).await.map_err(|error| error.to_string())?;
        let counted: BTreeMap<_, _> = counts.into_iter().filter(|(_, count)| *count > 0).collect();
        if counted == real { Ok(()) } else { Err(format!("counted {counted:?} and there are {real:?}")) }
    }

    /// One record for each imported certificate, for that person, and the person's device opened it.
    async fn judge_records(&self, rows: &[Enrollment]) -> Held {
        if tokio::time::timeout(PATIENCE, self.world.microsoft.settled()).await.is_err() {
            return Err("the connector did not try every record".to_owned());
        }
        let imported: BTreeSet<_> = rows
            .iter()
            .filter(|row| row.state.name() == StateName::Imported)
            .filter_map(|row| Some((row.person.0, row.certificate.as_ref()?.thumbprint.to_string())))
            .collect();
        let records: Vec<_> = self.world.microsoft.records();
        let found: BTreeSet<_> =
            records.iter().map(|record| (record.user_id, record.thumbprint.to_lowercase())).collect();
        if found != imported || records.len() != imported.len() {
            return Err(format!("{} records in Intune for {} imported certificates", records.len(), imported.len()));
        }
        let issued: Vec<OrderRecord> = self.world.sslcom.orders();
        let valid = issued.iter().filter(|order| order.certificate.is_some()).count();
        if valid < imported.len() {
            return Err(format!("{valid} certificates were issued and {} are imported", imported.len()));
        }
        let delivered = self.world.microsoft.delivered_count();
        if delivered == imported.len() as u64 && self.world.microsoft.failed_count() == 0 {
            return Ok(());
        }
        Err(format!(
            "devices opened {delivered} of {} records: {:?}",
            imported.len(),
            self.world.microsoft.deliveries()
        ))
    }
}

/// Whose number it is.
fn owner(number: &str) -> Option<EnrollmentId> {
    number.rsplit_once('-')?.0.parse().ok()
}
