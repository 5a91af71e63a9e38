//! What the newcomer sees while it runs: bars on a terminal, plain lines elsewhere.

use std::{
    io::{IsTerminal, Write},
    sync::Mutex,
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{Options, operator::Counts};

/// The five things to watch, in the order in which they happen.
const STEPS: [&str; 5] = ["people imported", "orders placed", "issued", "imported", "opened by the device"];

pub(super) enum Progress {
    Bars { all: MultiProgress, bars: [ProgressBar; 5] },
    Lines { people: u64, last: Mutex<([u64; 5], Option<Instant>)> },
}

impl Progress {
    pub(super) fn new(options: &Options) -> Self {
        let people = u64::from(options.people);
        if !std::io::stdout().is_terminal() || options.json {
            return Self::Lines { people, last: Mutex::default() };
        }
        let all = MultiProgress::with_draw_target(indicatif::ProgressDrawTarget::stdout());
        let style = ProgressStyle::with_template("{prefix:>20} {bar:32.green/dim} {pos:>5}/{len}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bars = STEPS.map(|step| {
            let bar = all.add(ProgressBar::new(people).with_style(style.clone()).with_prefix(step));
            bar.tick();
            bar
        });
        Self::Bars { all, bars }
    }

    pub(super) fn say(&self, sentence: &str) {
        match self {
            Self::Bars { all, .. } => drop(all.println(sentence)),
            Self::Lines { .. } => print(sentence),
        }
    }

    pub(super) fn people(&self, seen: u64) {
        self.show([Some(seen), None, None, None, None]);
    }

    pub(super) fn counts(&self, counts: &Counts, delivered: u64) {
        const IMPORTED: [&str; 1] = ["imported"];
        const ISSUED: [&str; 4] = ["issued", "importing", "imported", "held"];
        const ORDERED: [&str; 9] =
            ["bought", "validating", "issued", "importing", "imported", "held", "rejected", "expired", "failed"];
        self.show([
            None,
            Some(counts.of(&ORDERED)),
            Some(counts.of(&ISSUED)),
            Some(counts.of(&IMPORTED)),
            Some(delivered),
        ]);
    }

    fn show(&self, now: [Option<u64>; 5]) {
        match self {
            Self::Bars { bars, .. } => {
                for (bar, value) in bars.iter().zip(now) {
                    if let Some(value) = value {
                        bar.set_position(value);
                    }
                }
            }
            Self::Lines { people, last } => {
                let mut last = last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                let values = std::array::from_fn(|step| now[step].unwrap_or(last.0[step]));
                let all = values.iter().all(|value| value == people);
                let due = last.1.is_none_or(|shown| shown.elapsed() > Duration::from_secs(1));
                if values != last.0 && (due || all) {
                    let parts = STEPS.iter().zip(values).map(|(step, value)| format!("{step} {value}/{people}"));
                    print(&parts.collect::<Vec<_>>().join(", "));
                    *last = (values, Some(Instant::now()));
                }
            }
        }
    }

    pub(super) fn finish(&self) {
        if let Self::Bars { bars, .. } = self {
            bars.iter().for_each(ProgressBar::abandon);
        }
    }
}

/// A closed pipe is the reader's wish, not an error.
pub(super) fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
