//! The simulated vendors' answers to what their documents leave open, by name: `--vendor-quirk NAME`.
//!
//! Each quirk answers one question; two answers to one question exclude each other.

mod table;

use anyhow::bail;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use sim::{faults::Fault, graph::behaviour::Behaviour as Graph, sslcom::Behaviour as SslCom};

use table::QUIRKS;

/// One answer to one question.
#[derive(Debug)]
pub struct Quirk {
    pub name: &'static str,
    question: &'static str,
    /// One line for `--help`.
    says: &'static str,
    turn: fn(&mut Switches),
}

/// How the vendors behave, before they are started.
#[derive(Default)]
pub(super) struct Switches {
    pub(super) sslcom: SslCom,
    pub(super) graph: Graph,
    /// What the application's app-only tokens hold, where it is not everything.
    pub(super) app_roles: Option<&'static [&'static str]>,
    /// Each once: a purchase once for each enrollment, another call once at all.
    pub(super) faults: Vec<(&'static str, Fault)>,
    pub(super) nobody_clicks: bool,
    /// The directory is imported once more, after this happened to it.
    pub(super) before_second_import: Option<DirectoryEvent>,
}

#[derive(Clone, Copy)]
pub(super) enum DirectoryEvent {
    SomebodyChanges,
    LinksExpire,
}

impl Switches {
    /// # Errors
    /// When two of the quirks answer the same question.
    pub(super) fn of(quirks: &[&'static Quirk]) -> anyhow::Result<Self> {
        let mut switches = Self::default();
        for (at, quirk) in quirks.iter().enumerate() {
            if let Some(before) = quirks[..at].iter().find(|before| before.question == quirk.question) {
                let Quirk { name, question, .. } = quirk;
                bail!(
                    "--vendor-quirk {} and --vendor-quirk {name} both say {question}: leave one of them out",
                    before.name
                );
            }
            (quirk.turn)(&mut switches);
        }
        Ok(switches)
    }
}

/// Reads a name, or refuses it with all of them.
pub(super) fn parser() -> impl TypedValueParser<Value = &'static Quirk> {
    let names = QUIRKS.iter().map(|quirk| PossibleValue::new(quirk.name).help(quirk.says));
    PossibleValuesParser::new(names).try_map(|name| {
        QUIRKS.iter().find(|quirk| quirk.name == name).ok_or_else(|| format!("there is no quirk {name}"))
    })
}

/// A combination that follows from the seed: each question is answered in every third of them, and some answers get lost.
pub(super) fn random(seed: u64) -> (Vec<&'static Quirk>, Vec<String>) {
    let mut dice = Dice(seed);
    let mut questions: Vec<&str> = QUIRKS.iter().map(|quirk| quirk.question).collect();
    questions.dedup();
    let mut quirks = Vec::new();
    for question in questions {
        let answers: Vec<_> = QUIRKS.iter().filter(|quirk| quirk.question == question).collect();
        if dice.below(3) == 0 {
            quirks.push(answers[dice.below(answers.len())]);
        }
    }
    let faults = FAULTS.iter().filter(|_| dice.below(3) == 0).map(|fault| (*fault).to_owned()).collect();
    (quirks, faults)
}

/// What is lost on the way in a random combination, as `--fault` says it.
const FAULTS: [&str; 7] = [
    "sslcom.create=lose-answer",
    "sslcom.update=lose-answer",
    "sslcom.retrieve=throttle",
    "sslcom.list=malformed:2",
    "graph.pfx_create=lose-answer:2",
    "graph.pfx_create=fail-after",
    "graph.users=throttle",
];

/// SplitMix64 (Steele, Lea, Flood 2014): the same everywhere for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_told_apart_and_questions_stand_together() {
        let names: HashSet<_> = QUIRKS.iter().map(|quirk| quirk.name).collect();
        assert_eq!(names.len(), QUIRKS.len());
        let mut questions: Vec<_> = QUIRKS.iter().map(|quirk| quirk.question).collect();
        questions.dedup();
        assert_eq!(questions.len(), questions.iter().collect::<HashSet<_>>().len());
    }

    #[test]
    fn a_random_combination_follows_from_its_seed_and_never_contradicts_itself() {
        let named = |seed| {
            let (quirks, faults) = random(seed);
            (quirks.iter().map(|quirk| quirk.name).collect::<Vec<_>>(), faults)
        };
        let mut seen = HashSet::new();
        for seed in 0..500 {
            assert_eq!(named(seed), named(seed));
            assert!(Switches::of(&random(seed).0).is_ok(), "{seed}");
            seen.extend(named(seed).0);
        }
        assert_eq!(seen.len(), QUIRKS.len(), "each of them comes up");
    }

    #[test]
    fn two_answers_to_one_question_are_refused_with_a_sentence() {
        let wanted = ["pages-from-0", "callback-get", "callback-form"];
        let all: Vec<_> = QUIRKS.iter().filter(|quirk| wanted.contains(&quirk.name)).collect();
        let refused = Switches::of(&all).err().map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(
            refused,
            "--vendor-quirk callback-get and --vendor-quirk callback-form both say how SSL.com calls back: leave one of them out"
        );
    }
}
