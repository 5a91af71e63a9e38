//! The buying matrix: every call that the program makes to a vendor on the way of a certificate, from the plan to Intune, meets
//! every trouble. Whatever happens, each person's certificate is bought once, there is one record in Intune, and a device
//! opens it; or a person is asked, with the cause, and one honest answer brings it there.
//!
//! The calls are taken from orders in which nothing, or only an answer, is lost; a new one meets the troubles by itself. The
//! program runs as it is deployed, and a crash is SIGKILL.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod shop;

use std::time::Duration;

use sim::faults::{Fault, Hold, Wait};

use self::shop::{Figures, Shopping};

/// What an order meets on its way to the call: nothing, or answers that are lost, after which other calls are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Plain,
    AnswersLost,
}

/// Beyond every time-out of the program's calls.
const TOO_SLOW: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_vendor_answers_everybody_has_one_certificate() {
    // Most of the time everybody waits, so they do it side by side, each in a world of their own.
    let (not_acted_on, throttled, lost, late) = tokio::join!(
        answers(&[|| Fault::DropBefore, || Fault::FailBefore(503)]),
        answers(&[|| Fault::Throttle(Wait::Seconds(1))]),
        answers(&[|| Fault::LoseAnswer, || Fault::FailAfter(500)]),
        answers(&[|| Fault::Malformed, || Fault::Slow(TOO_SLOW)]),
    );
    (not_acted_on + throttled + lost + late).show("answers");
}

async fn answers(troubles: &[fn() -> Fault]) -> Figures {
    let mut shopping = Shopping::start().await;
    let mut cells = 0;
    for (way, call) in calls(&mut shopping).await {
        for trouble in troubles {
            let fault = trouble();
            if call.starts_with("entra.") {
                // A token is kept for an hour.
                shopping.kill_and_start_again().await;
            }
            shopping.prepare(way == Way::AnswersLost);
            shopping.fail_next(call, fault.clone());
            let end = shopping.order().await;
            shopping.has_one(end, &format!("{call} in {way:?}: {fault:?}")).await;
            cells += 1;
        }
    }
    shopping.close(cells)
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_the_program_is_killed_everybody_has_one_certificate() {
    let mut shopping = Shopping::start().await;
    let mut cells = 0;
    for (way, call) in calls(&mut shopping).await {
        for crash in [Fault::HoldBefore as fn(Hold) -> Fault, Fault::HoldAfter] {
            if call.starts_with("entra.") {
                shopping.kill_and_start_again().await;
            }
            let hold = Hold::new();
            let fault = crash(hold.clone());
            shopping.prepare(way == Way::AnswersLost);
            shopping.fail_next(call, fault.clone());
            let end = shopping.order_and_kill_at(&hold).await;
            shopping.has_one(end, &format!("{call} in {way:?}, killed at {fault:?}")).await;
            cells += 1;
        }
    }
    shopping.close(cells).show("kills");
}

/// Every call of an order, with the way on which it is made.
async fn calls(shopping: &mut Shopping) -> Vec<(Way, &'static str)> {
    let mut calls: Vec<(Way, &'static str)> = Vec::new();
    for way in [Way::Plain, Way::AnswersLost] {
        // A new process asks for a token, too.
        shopping.kill_and_start_again().await;
        shopping.prepare(way == Way::AnswersLost);
        let before = shopping.calls();
        let end = shopping.order().await;
        shopping.has_one(end, &format!("{way:?}")).await;
        for (call, count) in shopping.calls() {
            let is_new = before.get(call).copied().unwrap_or(0) < count;
            if is_new && calls.iter().all(|(_, known)| *known != call) {
                calls.push((way, call));
            }
        }
    }
    let names: Vec<_> = calls.iter().map(|(_, call)| *call).collect();
    for expected in [
        "entra.token",
        "sslcom.create",
        "sslcom.list",
        "sslcom.update",
        "graph.user",
        "graph.pfx_create",
        "graph.pfx_get",
    ] {
        assert!(names.contains(&expected), "{expected} is no call of an order any more: {names:?}");
    }
    calls
}
