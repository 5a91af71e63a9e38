//! What rests when nothing moves by itself any more: what waits for a person, and what must not be.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Value, json};

use super::{
    operator::{Counts, MOVING, Operator, asks_for_a_person, number},
    report::{Found, Waits},
    vendors::Vendors,
};

impl Operator {
    /// What waits for a person and why, and what must not be: money without an owner, or a standstill without a reason.
    pub(super) async fn look_at_what_rests(
        &self,
        integration: &str,
        batch: &str,
        counts: &Counts,
        vendors: &Vendors,
    ) -> anyhow::Result<Found> {
        let stopped = self.get(&format!("/api/integrations/{integration}/batches/{batch}")).await?;
        let mut found = Found::default();
        if let Some(reason) = stopped["reason"].as_str() {
            let planned = number(&stopped, "planned") > 0;
            found.waits.push(match planned {
                true => Waits {
                    what: "batch".to_owned(),
                    count: 1,
                    cause: reason.to_owned(),
                    next_step:
                        "No further order of it is placed. Look at the reason, then resume the batch or leave it."
                            .to_owned(),
                },
                false => self.refused(integration, "plan", reason.to_owned()).await?,
            });
        }
        let everybody_is_done =
            counts.of(&["imported"]) == vendors.purchases() && counts.of_all() == vendors.purchases();
        if everybody_is_done {
            return Ok(found);
        }
        let rows = self.enrollments(integration, "").await?;
        found.waits.extend(waiting(&rows, &vendors.resting_orders()));
        found.wrong = unaccounted(&rows, &vendors.paid());
        let still = counts.of(&MOVING).saturating_sub(self.waiting_outside(integration, counts, vendors).await?);
        if still > 0 {
            found.wrong.push(format!("nothing moved any more, and {still} enrollments wait for nobody"));
        }
        Ok(found)
    }

    /// What was refused as a whole, with what the preflight finds wrong.
    pub(super) async fn refused(&self, integration: &str, what: &str, cause: String) -> anyhow::Result<Waits> {
        let preflight = self.get(&format!("/api/integrations/{integration}/preflight")).await?;
        let rows = preflight.as_array().into_iter().flatten().filter(|row| row["status"] == "bad");
        let bad: Vec<_> = rows
            .map(|row| {
                let part = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
                format!("preflight: {}: {}; {}", part("check"), part("result"), part("fix"))
            })
            .collect();
        let next_step = match bad.is_empty() {
            true => "Mend the cause, then begin again; nothing was bought for it.".to_owned(),
            false => bad.join(". "),
        };
        Ok(Waits { what: what.to_owned(), count: 1, cause, next_step })
    }
}

/// The enrollments that wait for a person, by state and cause.
fn waiting(rows: &[Value], resting: &HashSet<String>) -> Vec<Waits> {
    let mut found: BTreeMap<(String, String), Waits> = BTreeMap::new();
    for row in rows {
        let part = |name: &str| row[name].as_str().unwrap_or_default();
        let outside = asks_for_a_person(row, resting);
        if row["needs_a_person"] != json!(true) && !outside {
            continue;
        }
        let next_step = if outside { part("note") } else { part("next_step") };
        // What differs from one person to the next would make a cause for each.
        let same_for_all = |text: &str| {
            let text = text.replace(part("mailbox"), "the person");
            text.split(" (client-request-id").next().unwrap_or_default().to_owned()
        };
        let (what, cause) = (part("state").to_owned(), same_for_all(part("says")));
        let waits = found.entry((what.clone(), cause.clone())).or_insert_with(|| Waits {
            what,
            count: 0,
            cause,
            next_step: same_for_all(next_step),
        });
        waits.count += 1;
    }
    found.into_values().collect()
}

/// What was paid must have an owner: an enrollment that names the order, or one that says itself that it may have bought.
fn unaccounted(rows: &[Value], paid: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let by_id: HashMap<&str, &Value> = rows.iter().filter_map(|row| Some((row["id"].as_str()?, row))).collect();
    let mut orders: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
    for (number, references) in paid {
        let enrollment = number.rsplit_once('-').map_or(number.as_str(), |(enrollment, _attempt)| enrollment);
        orders.entry(enrollment).or_default().extend(references);
    }
    let mut wrong = Vec::new();
    for (enrollment, references) in orders {
        let row = by_id.get(enrollment).copied().unwrap_or(&Value::Null);
        if references.len() > 1 {
            wrong.push(format!("enrollment {enrollment} was bought {} times", references.len()));
        }
        let undecided = matches!(row["state"].as_str(), Some("unsure" | "buying"));
        let named = |reference: &String| {
            row["order"]["reference"] == **reference
                || row["surplus_orders"].as_array().is_some_and(|all| all.iter().any(|one| *one == **reference))
        };
        if !undecided && !references.iter().all(|reference| named(reference)) {
            wrong.push(format!("enrollment {enrollment} does not know what was paid for it"));
        }
    }
    wrong
}
