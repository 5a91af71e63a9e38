//! One purchase per claim: a model of the store's rule, under any interleaving of two batches, a renewal and operators.

use std::collections::HashMap;

use domain::{
    Claim, Enrollment, EnrollmentId, State,
    claim::{is_released, may_be_replaced},
    step::{Step, plan},
    transition::{Event, apply},
};
use jiff::SignedDuration;
use proptest::{collection::vec, prelude::*};

use crate::samples::{at, certificate, happened, planned};

/// What the store keeps true: see `ports::ClaimChange::Take`.
struct Model {
    rows: Vec<Enrollment>,
    claims: HashMap<Claim, EnrollmentId>,
    /// Purchases per enrollment, as a CA would count them.
    bought: HashMap<EnrollmentId, u32>,
}

impl Model {
    fn new(rows: usize) -> Self {
        let rows = (0..rows).map(|number| planned(number as u128)).collect();
        Self { rows, claims: HashMap::new(), bought: HashMap::new() }
    }

    fn act(&mut self, row: usize, action: Action) {
        let row = row % self.rows.len();
        let before = self.rows[row].clone();
        match action {
            Action::Approve => {
                let holder = self.claims.get(&before.claim()).copied();
                let predecessor = holder.and_then(|id| self.rows.iter().find(|row| row.id == id)).cloned();
                let free = predecessor.as_ref().is_none_or(|held| is_released(held) || may_be_replaced(held));
                let next = apply(&before, &happened(Event::Approved));
                if let (true, Ok(next)) = (free, next) {
                    self.claims.insert(before.claim(), before.id);
                    self.rows[row] = next;
                }
            }
            Action::Step { answer } => {
                if plan(&before, at(10)) == Step::Buy {
                    self.put(row, Event::BuyingStarted { deadline: at(70) });
                    match answer {
                        Answer::Order => {
                            self.pay(row);
                            self.found(row);
                        }
                        Answer::Lost => self.pay(row),
                        Answer::NeverSent => self.put(row, Event::NeverSent),
                        Answer::Crash => {}
                    }
                }
            }
            Action::LookUp => {
                let late = at(10) + SignedDuration::from_hours(1);
                if plan(&before, late) == Step::LookUp {
                    if self.bought.contains_key(&before.id) {
                        self.found(row);
                    } else {
                        self.put(row, Event::PurchaseMissing { candidates: vec![] });
                    }
                }
            }
            // The operator looks once more: an order that exists wins over their word.
            Action::RuleOut => {
                if matches!(before.state, State::Unsure { .. }) {
                    if self.bought.contains_key(&before.id) {
                        self.found(row);
                    } else {
                        self.put(row, Event::PurchaseRuledOut);
                    }
                }
            }
            Action::Cancel => {
                self.put(row, Event::Cancelled { reason: "no".into() });
                if matches!(self.rows[row].state, State::Cancelled { .. })
                    && self.claims.get(&before.claim()) == Some(&before.id)
                {
                    self.claims.remove(&before.claim());
                }
            }
            Action::Issue => {
                self.put(row, Event::CertificateAccepted { certificate: certificate() });
                self.put(row, Event::Imported { keep_key_until: at(1_000) });
            }
            Action::Reject => self.put(row, Event::OrderRejected { status: "no".into() }),
        }
    }

    fn put(&mut self, row: usize, event: Event) {
        if let Ok(next) = apply(&self.rows[row], &happened(event)) {
            self.rows[row] = next;
        }
    }

    fn pay(&mut self, row: usize) {
        *self.bought.entry(self.rows[row].id).or_default() += 1;
    }

    fn found(&mut self, row: usize) {
        let reference = format!("co-{}", self.rows[row].id);
        let attempt = self.rows[row].attempt;
        self.put(row, Event::PurchaseFound { attempt, reference, paid: None });
    }
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Approve,
    Step { answer: Answer },
    LookUp,
    RuleOut,
    Cancel,
    Issue,
    Reject,
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Order,
    Lost,
    NeverSent,
    Crash,
}

fn action() -> impl Strategy<Value = Action> {
    let answer = prop_oneof![Just(Answer::Order), Just(Answer::Lost), Just(Answer::NeverSent), Just(Answer::Crash)];
    prop_oneof![
        3 => Just(Action::Approve),
        4 => answer.prop_map(|answer| Action::Step { answer }),
        2 => Just(Action::LookUp),
        1 => Just(Action::RuleOut),
        1 => Just(Action::Cancel),
        1 => Just(Action::Issue),
        1 => Just(Action::Reject),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn a_claim_is_bought_for_once_at_a_time(actions in vec((0_usize..4, action()), 0..120)) {
        let mut model = Model::new(4);
        for (row, action) in actions {
            model.act(row, action);
            // Everybody in the model has the same claim.
            let open = model.rows.iter().filter(|row| {
                let buys = plan(row, at(10)) == Step::Buy;
                let may_have_bought = matches!(row.state, State::Buying { .. } | State::Unsure { .. });
                let waits = matches!(
                    row.state,
                    State::Bought | State::Validating { .. } | State::Issued | State::Importing | State::Held { .. }
                );
                buys || may_have_bought || waits
            });
            prop_assert!(open.count() <= 1, "two enrollments of one claim are open: {:?}", model.rows);
            for (id, count) in &model.bought {
                prop_assert_eq!(*count, 1, "enrollment {} was bought {} times", id, count);
            }
        }
    }
}
