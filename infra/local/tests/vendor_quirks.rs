//! Whatever the vendors' answers are to what their documents leave open, `--once` ends right: everybody has a certificate,
//! or what waits for a person says why. Each quirk ends as the table says; so does every combination.
//!
//! `RANDOM_QUIRKS=1000 cargo test -p local --test vendor_quirks random` tries a thousand combinations instead of ten.

use std::{
    collections::BTreeSet,
    process::{Command, Output, Stdio},
    sync::Mutex,
    thread,
};

use serde_json::Value;

/// How a run ends.
#[derive(Clone, Copy, Debug)]
enum Ends {
    Delivered,
    /// Something waits for a person: what, and a part of the cause and of the next step.
    Waits(&'static str, &'static str, &'static str),
}
use Ends::{Delivered, Waits};

const LOST: &str = "sslcom.create=lose-answer";

const UNSURE: Ends = Waits("unsure", "An order may have been placed", "Look in SSL.com's portal");

const UNKNOWN_AND_WAITING: Ends =
    Waits("validating", "in the hands of our specialists", "give the status a row in sslcom.status");

/// Quirks and faults, and how a run with them ends.
const TABLE: &[(&[&str], &[&str], Ends)] = &[
    (&[], &[], Delivered),
    (&["order-number-searchable"], &[LOST], Delivered),
    (&["order-number-not-listed"], &[LOST], Delivered),
    (&["order-number-forgotten"], &[], Delivered),
    (&["order-number-forgotten"], &[LOST], UNSURE),
    (&["order-number-forgotten", "html-500"], &[], UNSURE),
    (&["pages-from-0"], &[LOST], Delivered),
    (&["last-page-repeats"], &[LOST], Delivered),
    (&["last-page-refused"], &[LOST], Delivered),
    (&["vouchers-only-by-filter"], &[LOST], Delivered),
    (&["listing-html-500"], &[], Delivered),
    (&["listing-html-500"], &[LOST], UNSURE),
    (&["listing-html-500", "html-500"], &[], UNSURE),
    (&["state-or-providence"], &[], Delivered),
    (&["key-usage-as-requested"], &[], Delivered),
    (&["key-usage-signing"], &[], Waits("held", "It does not allow encryption", "Accept it")),
    (&["key-usage-encryption"], &[], Waits("held", "It does not allow signing", "Accept it")),
    (&["epki-not-automatic"], &[], Delivered),
    (&["nobody-clicks"], &[], Waits("validating", "SSL.com validates", "link")),
    (&["amount-different"], &[], Waits("batch", "took $77.00 for an order planned at $76.00", "resume the batch")),
    // Found at random: the price was not looked at where the order was found by looking it up.
    (&["amount-different"], &[LOST], Waits("batch", "took $77.00 for an order planned at $76.00", "resume the batch")),
    (&["amount-unreadable"], &[], Delivered),
    (&["callback-never"], &[], Delivered),
    (&["callback-get"], &[], Delivered),
    (&["callback-form"], &[], Delivered),
    (&["callback-early"], &[], Delivered),
    (&["callback-twice"], &[], Delivered),
    (&["status-unknown"], &[], Waits("failed", "status \"in the hands of our specialists\" is not known", "retry it")),
    (&["status-unknown-after-request"], &[], Delivered),
    (&["status-unknown-when-issued"], &[], Delivered),
    // Found at random: nothing is sent to an order whose status is not known, so nobody ever gets the mail.
    (&["status-unknown-after-request", "epki-not-automatic"], &[], UNKNOWN_AND_WAITING),
    (&["status-unknown-after-request", "nobody-clicks"], &[], UNKNOWN_AND_WAITING),
    (&["certificates-shuffled"], &[], Delivered),
    (&["certificates-twice"], &[], Delivered),
    (&["certificates-pkcs7"], &[], Delivered),
    (&["certificates-base64"], &[], Delivered),
    (&["intermediate-missing"], &[], Waits("held", "Write it into sslcom.intermediates", "fetch it again")),
    (&["errors-with-200"], &[LOST], Delivered),
    (&["errors-with-200", "state-or-providence"], &[LOST], Delivered),
    (&["html-500"], &[], Delivered),
    (&["retry-after-seconds"], &[], Delivered),
    (&["retry-after-date"], &[], Delivered),
    (&["retry-after-milliseconds"], &[], Delivered),
    (&["retry-after-absent"], &[], Delivered),
    (&["records-show-late"], &[], Delivered),
    // Nothing is deleted in the demonstration; that it does not matter here is all that this shows.
    (&["deleted-still-listed"], &[], Delivered),
    // Found at random: a read that was throttled made the application forget that the record may be there.
    (&["records-show-late", "retry-after-milliseconds"], &["graph.pfx_get=throttle:3"], Delivered),
    (&["duplicate-400", "retry-after-absent"], &["graph.pfx_get=throttle:3"], Delivered),
    (&["duplicate-400"], &[], Delivered),
    (&["duplicate-409"], &[], Delivered),
    (&["licence-unseen"], &[], Waits("failed", "most often the person has no Intune licence", "retry it")),
    (&["no-app-roles"], &[], Waits("import", "Insufficient privileges", "User.Read.All is missing")),
    (
        &["no-intune-role"],
        &[],
        Waits("plan", "Insufficient privileges", "DeviceManagementConfiguration.ReadWrite.All is missing"),
    ),
    (&["next-link-elsewhere"], &[], Waits("import", "points to another host", "Check which server answers")),
    (&["empty-pages"], &[], Delivered),
    (&["delta-replays"], &[], Delivered),
    (&["delta-expired-410"], &[], Delivered),
    (&["delta-expired-400"], &[], Delivered),
];

#[test]
fn each_quirk_ends_as_the_table_says() {
    let rows = TABLE.iter().map(|(quirks, faults, ends)| (arguments(quirks, faults), *ends)).collect();
    at_once(rows, |(arguments, ends)| {
        judged(&run(arguments), *ends).map_err(|problem| format!("{arguments:?}: {problem}"))
    });
}

#[test]
fn the_table_has_every_quirk() {
    let refused = output(&strings(&["--vendor-quirk", "unheard-of"]));
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    let names = said.split_once("[possible values: ").and_then(|(_, rest)| rest.split_once(']'));
    let known: BTreeSet<_> = names.unwrap_or_else(|| panic!("{said}")).0.split(", ").collect();
    let listed: BTreeSet<_> = TABLE.iter().flat_map(|(quirks, ..)| quirks.iter().copied()).collect();
    assert_eq!(known, listed);
    let help = String::from_utf8_lossy(&output(&strings(&["--help"])).stdout).into_owned();
    assert!(known.iter().all(|name| help.contains(&format!("- {name}:"))), "{help}");
}

#[test]
fn a_chain_without_its_intermediate_is_completed_from_what_the_deployment_knows() {
    let mut arguments = arguments(&["intermediate-missing"], &[]);
    arguments.push("--known-intermediates".to_owned());
    assert_eq!(judged(&run(&arguments), Delivered), Ok(()));
}

#[test]
fn two_answers_to_one_question_are_refused_with_a_sentence() {
    let refused = output(&arguments(&["callback-get", "callback-form"], &[]));
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("both say how SSL.com calls back: leave one of them out"), "{said}");
}

/// Twenty purchases of a batch may be without an answer; the rest waits for whoever resolves them.
#[test]
fn the_rest_of_a_batch_waits_for_a_person_while_too_many_of_its_purchases_have_no_answer() {
    let lost = ["--vendor-quirk", "listing-html-500", "--fault", "sslcom.create=lose-answer"];
    let run = run(&strings(&[&["--once", "--json", "--people", "25"], &lost[..]].concat()));
    let waits = Waits("requested", "Approved", "too many purchases of this batch have no answer");
    assert_eq!(judged(&run, waits), Ok(()));
}

#[test]
fn random_combinations_end_as_their_parts_do() {
    let seeds = (1..=how_many()).map(|seed: u64| seed).collect();
    at_once(seeds, |seed| {
        let arguments = strings(&["--once", "--json", "--people", "3", "--random-quirks", &seed.to_string()]);
        let run = run(&arguments);
        let chosen = |name: &str| -> BTreeSet<String> {
            let list = run.report[name].as_array().into_iter().flatten();
            list.filter_map(|entry| Some(entry.as_str()?.to_owned())).collect()
        };
        let (quirks, faults) = (chosen("quirks"), chosen("faults"));
        let holds = |set: &BTreeSet<String>, part: &[&str]| part.iter().all(|name| set.contains(*name));
        let waits = TABLE.iter().any(|(some_quirks, some_faults, ends)| {
            matches!(ends, Waits(..)) && holds(&quirks, some_quirks) && holds(&faults, some_faults)
        });
        let expected = if waits { "needs_a_person" } else { "delivered" };
        match run.report["end"].as_str() {
            Some(end) if end == expected => Ok(()),
            _ => Err(format!("seed {seed} should end {expected}:\n{}", run.text)),
        }
    });
}

#[expect(clippy::disallowed_methods, reason = "a longer run is asked for by a variable")]
fn how_many() -> u64 {
    std::env::var("RANDOM_QUIRKS").map_or(10, |text| text.parse().expect("RANDOM_QUIRKS is a number"))
}

/// What a run printed, and its report.
struct Run {
    status: Option<i32>,
    report: Value,
    text: String,
}

fn run(arguments: &[String]) -> Run {
    let output = output(arguments);
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let line = text.lines().find(|line| line.starts_with('{')).unwrap_or_default();
    Run { status: output.status.code(), report: serde_json::from_str(line).unwrap_or_default(), text }
}

fn judged(run: &Run, ends: Ends) -> Result<(), String> {
    let (end, status) = match ends {
        Delivered => ("delivered", 0),
        Waits(..) => ("needs_a_person", 3),
    };
    let said = match ends {
        Delivered => run.report["waits"].as_array().is_some_and(Vec::is_empty),
        Waits(what, cause, next_step) => run.report["waits"].as_array().into_iter().flatten().any(|waits| {
            let holds = |name: &str, part: &str| waits[name].as_str().is_some_and(|text| text.contains(part));
            holds("what", what) && holds("cause", cause) && holds("next_step", next_step)
        }),
    };
    if run.report["end"] == end && run.status == Some(status) && said {
        return Ok(());
    }
    Err(format!("not {ends:?} with {status}, but {:?}:\n{}", run.status, run.text))
}

/// Each in a process of its own, some at a time: they wait more than they work.
fn at_once<T: Send>(cases: Vec<T>, judge: impl Fn(&T) -> Result<(), String> + Sync) {
    let cases = Mutex::new(cases.into_iter());
    let problems = Mutex::new(Vec::new());
    let workers = 3 * thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(case) = { cases.lock().expect("nobody panics with it").next() } {
                    if let Err(problem) = judge(&case) {
                        problems.lock().expect("nobody panics with it").push(problem);
                    }
                }
            });
        }
    });
    let problems = problems.into_inner().expect("nobody panicked with it");
    assert!(problems.is_empty(), "{} of them:\n{}", problems.len(), problems.join("\n"));
}

fn arguments(quirks: &[&str], faults: &[&str]) -> Vec<String> {
    let mut all = strings(&["--once", "--json", "--people", "3"]);
    for (option, values) in [("--vendor-quirk", quirks), ("--fault", faults)] {
        all.extend(values.iter().flat_map(|value| [option.to_owned(), (*value).to_owned()]));
    }
    all
}

fn strings(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|argument| (*argument).to_owned()).collect()
}

fn output(arguments: &[String]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_intune-smime"));
    program.args(arguments).env_remove("RUST_LOG").stdin(Stdio::null());
    program.output().expect("the program runs")
}
