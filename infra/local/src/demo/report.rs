//! What came of it: a table for people, one line of JSON for programs.

use std::time::Instant;

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::{Options, operator::Counts, vendors::Vendors};

/// How the demonstration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Everybody's certificate is in Intune and on the device, and was paid for once.
    Delivered,
    /// Something waits for a person, and says why and what to do.
    NeedsAPerson,
    /// Something that must never be.
    Wrong,
}

/// One cause for which something waits for a person.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Waits {
    /// A state of enrollments; or `import`, `plan` or `batch`.
    pub(super) what: String,
    pub(super) count: u64,
    pub(super) cause: String,
    pub(super) next_step: String,
}

/// What a look at everything that rests shows.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) waits: Vec<Waits>,
    pub(super) wrong: Vec<String>,
}

/// The figures that the demonstration is judged by. Purchases and deliveries are the vendors' own count.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    end: End,
    people: u64,
    ordered: u64,
    purchases: u64,
    issued: u64,
    imported: u64,
    delivered: u64,
    failed: u64,
    unsure: u64,
    elapsed_ms: u64,
    cpu_ms: u64,
    quirks: Vec<&'static str>,
    faults: Vec<String>,
    waits: Vec<Waits>,
    wrong: Vec<String>,
}

impl Report {
    pub(super) fn new(
        options: &Options,
        people: u64,
        counts: &Counts,
        vendors: &Vendors,
        started: Instant,
        Found { waits, mut wrong }: Found,
    ) -> Self {
        wrong.extend(vendors.defects());
        let wanted = u64::from(options.people);
        let all = [people, vendors.purchases(), counts.of(&["imported"]), vendors.delivered()];
        let end = match (all.iter().all(|count| *count == wanted), waits.is_empty()) {
            _ if !wrong.is_empty() => End::Wrong,
            (true, true) => End::Delivered,
            (_, false) if waits.iter().all(|waits| !waits.cause.is_empty() && !waits.next_step.is_empty()) => {
                End::NeedsAPerson
            }
            (_, false) => {
                wrong.push("something waits for a person and does not say why, or what to do".to_owned());
                End::Wrong
            }
            (false, true) => {
                wrong.push("somebody has no certificate, and nothing says so".to_owned());
                End::Wrong
            }
        };
        let cpu = cpu_time::ProcessTime::try_now().map(|time| time.as_duration());
        let bought =
            ["bought", "validating", "issued", "importing", "imported", "held", "rejected", "expired", "failed"];
        Self {
            end,
            people,
            ordered: counts.of(&bought),
            purchases: vendors.purchases(),
            issued: counts.of(&["issued", "importing", "imported"]),
            imported: counts.of(&["imported"]),
            delivered: vendors.delivered(),
            failed: counts.of(&["failed", "blocked", "held", "rejected", "expired", "cancelled"]),
            unsure: counts.of(&["unsure"]),
            elapsed_ms: milliseconds(started.elapsed()),
            cpu_ms: cpu.map(milliseconds).unwrap_or_default(),
            quirks: options.vendor_quirk.iter().map(|quirk| quirk.name).collect(),
            faults: options.fault.clone(),
            waits,
            wrong,
        }
    }

    pub(super) fn end(&self) -> End {
        self.end
    }

    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        for (what, count) in [
            ("people imported from Entra ID", self.people),
            ("orders placed", self.ordered),
            ("purchases at SSL.com's till", self.purchases),
            ("certificates issued", self.issued),
            ("imported into Intune", self.imported),
            ("opened by the device", self.delivered),
            ("failed, blocked, held or given up", self.failed),
            ("unsure whether bought", self.unsure),
        ] {
            table.add_row([what.to_owned(), count.to_string()]);
        }
        if let Some(column) = table.column_mut(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let seconds = self.elapsed_ms as f64 / 1_000.0;
        let waits = self.waits.iter().map(|Waits { what, count, cause, next_step }| {
            format!("\nwaits for a person: {count} {what}: {cause}\n    {next_step}")
        });
        let wrong = self.wrong.iter().map(|wrong| format!("\nwrong: {wrong}"));
        format!("\n{table}\nin {seconds:.1} s{}", waits.chain(wrong).collect::<String>())
    }
}

fn milliseconds(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
