//! What came of it: a table for people, one line of JSON for programs.

use std::time::Instant;

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::{Options, operator::Counts, vendors::Vendors};

/// The figures that the demonstration is judged by. Purchases and deliveries are the vendors' own count.
#[derive(Debug, Serialize)]
pub(super) struct Report {
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
    #[serde(skip)]
    wanted: u64,
    #[serde(skip)]
    defects: Vec<String>,
}

impl Report {
    pub(super) fn new(options: &Options, people: u64, counts: &Counts, vendors: &Vendors, started: Instant) -> Self {
        let cpu = cpu_time::ProcessTime::try_now().map(|time| time.as_duration());
        let bought =
            ["bought", "validating", "issued", "importing", "imported", "held", "rejected", "expired", "failed"];
        Self {
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
            wanted: u64::from(options.people),
            defects: vendors.defects(),
        }
    }

    /// Everybody has a certificate in Intune and on the device, and was bought for once.
    pub(super) fn as_hoped(&self) -> bool {
        let all = [self.people, self.purchases, self.imported, self.delivered];
        all.iter().all(|count| *count == self.wanted) && self.defects.is_empty()
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
        let defects = self.defects.iter().map(|defect| format!("\nseen by a simulator: {defect}"));
        format!("\n{table}\nin {seconds:.1} s{}", defects.collect::<String>())
    }
}

fn milliseconds(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
