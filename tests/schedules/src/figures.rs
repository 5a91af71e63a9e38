//! What many schedules saw, added up.

use std::collections::BTreeMap;

use serde_json::{Value, json};

#[derive(Clone, Debug, Default)]
pub struct Figures {
    pub schedules: u64,
    /// Choices of the schedule.
    pub steps: u64,
    /// Faults by kind: what the vendors and the platform did, and what became of messages.
    pub faults: BTreeMap<&'static str, u64>,
    pub crashes: u64,
    pub enrollments: u64,
    pub purchases: u64,
    /// Purchases beyond the first for one claim.
    pub duplicates: u64,
    /// Paid orders that stand beside another on a row.
    pub surplus: u64,
    /// How often an enrollment became Unsure.
    pub unsure: u64,
    /// Paid orders that no row knows.
    pub lost: u64,
    pub imported: u64,
    /// Enrollments by the state in which they ended.
    pub ends: BTreeMap<&'static str, u64>,
    /// How often each event was written into a timeline.
    pub events: BTreeMap<&'static str, u64>,
}

impl Figures {
    pub(crate) fn fault(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
    }

    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.schedules, other.schedules),
            (&mut self.steps, other.steps),
            (&mut self.crashes, other.crashes),
            (&mut self.enrollments, other.enrollments),
            (&mut self.purchases, other.purchases),
            (&mut self.duplicates, other.duplicates),
            (&mut self.surplus, other.surplus),
            (&mut self.unsure, other.unsure),
            (&mut self.lost, other.lost),
            (&mut self.imported, other.imported),
        ] {
            *mine += theirs;
        }
        for (mine, theirs) in
            [(&mut self.faults, &other.faults), (&mut self.ends, &other.ends), (&mut self.events, &other.events)]
        {
            for (name, count) in theirs {
                *mine.entry(name).or_default() += count;
            }
        }
    }

    pub fn to_json(&self, seconds: f64) -> Value {
        json!({
            "schedules": self.schedules,
            "steps": self.steps,
            "faults": self.faults,
            "crashes": self.crashes,
            "enrollments": self.enrollments,
            "purchases": self.purchases,
            "duplicates": self.duplicates,
            "surplus": self.surplus,
            "unsure": self.unsure,
            "lost": self.lost,
            "imported": self.imported,
            "ends": self.ends,
            "events": self.events,
            "seconds": (seconds * 10.0).round() / 10.0,
        })
    }
}
