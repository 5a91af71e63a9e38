//! The deployment's choices where a template hands them to a process as variables: `DEPLOYMENT` (the tables, as one JSON
//! object), `PUBLIC_URL` and `STOP_BUYING`. All three are needed, and an empty one counts as missing.

use serde_json::{Map, Value};
use url::Url;

use super::{
    DeploymentInput, Notation, Surroundings, Tables, first_of_each_field,
    values::{base_address, redirect_below},
};
use crate::{Deployment, FieldProblem, unique_json};

const TABLES: &str = "DEPLOYMENT";
const PUBLIC_URL: &str = "PUBLIC_URL";
const STOP_BUYING: &str = "STOP_BUYING";
const STOP_BUYING_FIX: &str = "set it to true or false";

/// Fields of `timing` that are about how the steps are run, and stand in the template as resources of their own.
const DECIDED_BY_TEMPLATE: [&str; 3] = ["sweep_every", "purchases_at_once", "jobs_at_once"];

/// Reads the variables; `lookup` answers the value of one. The tables' problems are named as in
/// `DEPLOYMENT.sslcom.base_url`, the others by their variable. No problem repeats a text that a variable holds, because
/// problems are logged, and a secret may have been pasted into the wrong place.
///
/// # Errors
///
/// Every problem of all three.
pub fn from_variables(lookup: impl Fn(&str) -> Option<String>) -> Result<DeploymentInput, Vec<FieldProblem>> {
    let mut problems = Vec::new();
    let mut variable = |name: &str, fix: &str| {
        let value = lookup(name).filter(|value| !value.trim().is_empty());
        if value.is_none() {
            problems.push(FieldProblem::new(name, "it is missing", fix));
        }
        value
    };
    let tables = variable(TABLES, "set it to {\"sslcom\": {\"base_url\": \"https://sws-test.sslpki.com\"}} at least");
    let public_url = variable(PUBLIC_URL, "set it to the https address where browsers and SSL.com reach the API");
    let stop_buying = variable(STOP_BUYING, STOP_BUYING_FIX);

    let mut named = tables.map(|text| object(&text, &mut problems)).unwrap_or_default();
    refuse_what_the_template_decides(&mut named, &mut problems);
    let public_url = public_url.and_then(|text| base_address(PUBLIC_URL, &text, &mut problems));
    let surroundings = Surroundings {
        redirect_url: redirect(public_url.as_ref()),
        public_url,
        stop_buying: stop_buying.is_none_or(|text| switch(&text, &mut problems)),
    };
    let tables = Tables { named, notation: Notation::Json, timing_of_caller: &[] };
    match DeploymentInput::read(tables, surroundings) {
        Ok(input) if problems.is_empty() => Ok(input),
        read => {
            problems.extend(read.err().unwrap_or_default().into_iter().map(|it| FieldProblem {
                field: format!("{TABLES}.{}", it.field),
                problem: without_found_text(it.problem),
                fix: it.fix,
            }));
            Err(first_of_each_field(problems))
        }
    }
}

fn object(text: &str, problems: &mut Vec<FieldProblem>) -> Map<String, Value> {
    let problem = match unique_json::read(text.as_bytes()) {
        Ok((Value::Object(tables), repeated)) => {
            let twice = |path| FieldProblem::new(format!("{TABLES}.{path}"), "it is there twice", "give it once");
            problems.extend(repeated.into_iter().map(twice));
            return tables;
        }
        Ok(_) => "it is not a JSON object".to_owned(),
        // Of a syntax that is wrong, serde_json says where and what it expected, not what it found.
        Err(fault) => format!("it is not JSON: {fault}"),
    };
    let fix = "write it as in {\"sslcom\": {\"base_url\": \"https://sws-test.sslpki.com\"}}";
    problems.push(FieldProblem::new(TABLES, problem, fix));
    Map::new()
}

fn refuse_what_the_template_decides(tables: &mut Map<String, Value>, problems: &mut Vec<FieldProblem>) {
    let Some(timing) = tables.get_mut("timing").and_then(Value::as_object_mut) else { return };
    for field in DECIDED_BY_TEMPLATE {
        if timing.remove(field).is_some() {
            let problem = "there is no such field here: the template decides it";
            let fix = "leave it out, and change the template's schedule or its queues' concurrency";
            problems.push(FieldProblem::new(format!("{TABLES}.timing.{field}"), problem, fix));
        }
    }
}

/// What serde found stands between what was wrong and what would have been right.
fn without_found_text(mut problem: String) -> String {
    for (before, after) in [(" string \"", "\", expected "), ("unknown variant `", "`, expected ")] {
        let begin = problem.find(before).map(|at| at + before.len());
        let end = problem.rfind(after);
        if let Some((begin, end)) = begin.zip(end).filter(|(begin, end)| begin <= end) {
            problem.replace_range(begin..end, "…");
        }
    }
    problem
}

/// Without a usable public address nothing starts, and it does not matter what stands here.
fn redirect(public_url: Option<&Url>) -> Url {
    public_url.and_then(redirect_below).unwrap_or_else(|| Deployment::default().redirect_url)
}

/// What is neither counts as stopped.
fn switch(text: &str, problems: &mut Vec<FieldProblem>) -> bool {
    text.parse().unwrap_or_else(|_| {
        problems.push(FieldProblem::new(STOP_BUYING, "it is neither true nor false", STOP_BUYING_FIX));
        true
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use jiff::SignedDuration;
    use serde_json::json;

    use super::*;

    const SECRET: &str = "Zx8Q~hunter2-hunter2";

    fn read(deployment: &str, public_url: &str, stop_buying: &str) -> Result<DeploymentInput, Vec<FieldProblem>> {
        from_variables(|name| {
            let value = match name {
                "DEPLOYMENT" => deployment,
                "PUBLIC_URL" => public_url,
                "STOP_BUYING" => stop_buying,
                other => panic!("{other} is not a variable of the deployment"),
            };
            Some(value.to_owned())
        })
    }

    fn problems_of(deployment: &Value) -> Vec<FieldProblem> {
        read(&deployment.to_string(), "https://x.example", "false").unwrap_err()
    }

    fn fields_of(problems: &[FieldProblem]) -> Vec<&str> {
        problems.iter().map(|problem| problem.field.as_str()).collect()
    }

    fn sandbox() -> Value {
        json!({ "sslcom": { "base_url": "https://sws-test.sslpki.com" } })
    }

    #[test]
    fn an_endpoint_is_all_that_the_tables_need() {
        let input = read(&sandbox().to_string(), "https://smime.example.com", "false").unwrap();
        let DeploymentInput { vendors, deployment } = input;
        assert_eq!(vendors.sslcom.base_url.as_str(), "https://sws-test.sslpki.com/");
        assert!(vendors.microsoft.is_none());
        assert_eq!(deployment.public_url.unwrap().as_str(), "https://smime.example.com/");
        assert_eq!(deployment.redirect_url.as_str(), "https://smime.example.com/oauth/callback");
        assert!(!deployment.stop_buying);
        assert_eq!(deployment.quiet_time, Deployment::default().quiet_time);
        assert_eq!(deployment.products, sslcom::ProductTable::default());
    }

    #[test]
    fn every_table_is_taken() {
        let deployment = json!({
            "sslcom": {
                "base_url": "http://127.0.0.1:9000/",
                "create_timeout": "20s",
                "status": [{ "is": "done", "stage": "issued" }],
            },
            "microsoft": { "login_url": "http://127.0.0.1:9001", "graph_url": "http://127.0.0.1:9002" },
            "product": [{
                "code": 700,
                "label": "IV+OV",
                "certificate_type": "sponsor",
                "offers": [{ "days": 730, "price_cents": 7_000 }],
            }],
            "timing": { "quiet_time": "2m", "poll_after": ["1s", "5s"], "clicks_accepted": false },
        });
        let input = read(&deployment.to_string(), "http://127.0.0.1:8080/stage", "true").unwrap();
        let DeploymentInput { vendors, deployment } = input;
        assert_eq!(vendors.sslcom.create_timeout.as_secs(), 20);
        assert_eq!(vendors.statuses.read("Done.").stage, sslcom::Stage::Issued);
        assert!(vendors.microsoft.is_some());
        assert!(deployment.products.offer(sslcom::ProductCode(700), 730).is_some());
        assert_eq!(deployment.quiet_time, SignedDuration::from_mins(2));
        assert_eq!(deployment.poll_after, [1, 5].map(SignedDuration::from_secs));
        assert_eq!(deployment.redirect_url.as_str(), "http://127.0.0.1:8080/stage/oauth/callback");
        assert!(deployment.stop_buying && !deployment.clicks_accepted);
    }

    #[test]
    fn the_problems_of_all_variables_are_named_at_once() {
        let deployment = json!({
            "server": {},
            "sslcom": { "base_url": "http://sws.sslpki.com", "first_page": -1, "pages": 2 },
            "microsoft": [],
            "product": [{ "code": 0 }, { "code": 700, "label": "IV+OV", "certificate_type": "own" }],
            "timing": { "quiet_time": "10s", "sweep_every": "2s", "jobs_at_once": 4, "retry_after": "soon" },
        });
        let problems = read(&deployment.to_string(), "http://smime.example.com", "yes").unwrap_err();
        let mut fields = fields_of(&problems);
        fields.sort();
        let expected = [
            "DEPLOYMENT.microsoft",
            "DEPLOYMENT.product[0]",
            "DEPLOYMENT.product[1]",
            "DEPLOYMENT.server",
            "DEPLOYMENT.sslcom.base_url",
            "DEPLOYMENT.sslcom.first_page",
            "DEPLOYMENT.sslcom.pages",
            "DEPLOYMENT.timing.jobs_at_once",
            "DEPLOYMENT.timing.quiet_time",
            "DEPLOYMENT.timing.retry_after",
            "DEPLOYMENT.timing.sweep_every",
            "PUBLIC_URL",
            "STOP_BUYING",
        ];
        assert_eq!(fields, expected);
        assert!(problems.iter().all(|problem| !problem.problem.is_empty() && !problem.fix.is_empty()), "{problems:?}");
    }

    #[test]
    fn a_missing_variable_and_an_empty_one_are_the_same() {
        let missing = from_variables(|_| None).unwrap_err();
        assert_eq!(fields_of(&missing), ["DEPLOYMENT", "PUBLIC_URL", "STOP_BUYING"]);
        assert!(missing.iter().all(|problem| problem.problem == "it is missing"), "{missing:?}");
        assert_eq!(read("", " ", "\n").unwrap_err(), missing);
    }

    #[test]
    fn tables_that_are_no_json_object_are_one_problem() {
        for (text, problem) in [
            ("[]", "it is not a JSON object"),
            ("null", "it is not a JSON object"),
            ("\"{}\"", "it is not a JSON object"),
            ("{\"sslcom\": {}", "it is not JSON: EOF while parsing an object at line 1 column 13"),
            ("[sslcom]", "it is not JSON: expected value at line 1 column 2"),
            ("{} {}", "it is not JSON: trailing characters at line 1 column 4"),
        ] {
            let problems = read(text, "https://x.example", "true").unwrap_err();
            assert_eq!(fields_of(&problems), ["DEPLOYMENT"], "{text}");
            assert_eq!(problems[0].problem, problem, "{text}");
        }
        assert_eq!(fields_of(&read("{}", "https://x.example", "true").unwrap_err()), ["DEPLOYMENT.sslcom.base_url"]);
    }

    #[test]
    fn a_field_that_is_there_twice_is_refused_wherever_it_stands() {
        for (text, field) in [
            (r#"{"sslcom": {"base_url": "https://x.example"}, "sslcom": {"base_url": "https://y.example"}}"#, "sslcom"),
            (r#"{"sslcom": {"base_url": "https://x.example", "base_url": "https://x.example"}}"#, "sslcom.base_url"),
            (
                r#"{"sslcom": {"base_url": "https://x.example"}, "timing": {"quiet_time": "40m", "quiet_time": "2h"}}"#,
                "timing.quiet_time",
            ),
            (
                r#"{"sslcom": {"base_url": "https://x.example"}, "product": [{"code": 7, "label": "x", "code": 8,
                "certificate_type": "mailbox", "offers": [{"days": 365, "price_cents": 1}]}]}"#,
                "product[0].code",
            ),
        ] {
            let problems = read(text, "https://x.example", "true").unwrap_err();
            let expected = FieldProblem::new(format!("DEPLOYMENT.{field}"), "it is there twice", "give it once");
            assert_eq!(problems, [expected]);
        }
    }

    #[test]
    fn only_true_and_false_say_whether_to_buy() {
        for text in ["TRUE", "1", "on", "no", " true", "false\n", SECRET] {
            let problems = read(&sandbox().to_string(), "https://x.example", text).unwrap_err();
            assert_eq!(fields_of(&problems), ["STOP_BUYING"], "{text}");
            assert_eq!(problems[0].fix, "set it to true or false");
        }
    }

    #[test]
    fn what_the_template_decides_is_refused_and_not_offered() {
        for field in DECIDED_BY_TEMPLATE {
            let mut deployment = sandbox();
            deployment["timing"] = json!({ field: 1 });
            let problems = problems_of(&deployment);
            assert_eq!(fields_of(&problems), [format!("DEPLOYMENT.timing.{field}")]);
            assert!(problems[0].problem.ends_with("the template decides it"), "{problems:?}");
            deployment["timing"] = json!({ "unheard_of": 1 });
            let problems = problems_of(&deployment);
            assert_eq!(fields_of(&problems), ["DEPLOYMENT.timing.unheard_of"]);
            assert!(problems[0].fix.starts_with("use one of `purchase_window`, "), "{problems:?}");
            assert!(!problems[0].fix.contains(field), "{problems:?}");
        }
    }

    #[test]
    fn a_wrong_kind_is_explained_in_json() {
        let deployment =
            json!({ "sslcom": { "base_url": "https://x.example", "status": {} }, "product": {}, "timing": 5 });
        for problem in problems_of(&deployment) {
            assert!(problem.fix.starts_with("write it as a JSON "), "{problem:?}");
        }
        let deployment = json!({ "sslcom": { "base_url": "https://x.example", "status": [{ "is": "done" }] } });
        let problems = problems_of(&deployment);
        let row = problems[0].fix.strip_prefix("write it as ").unwrap();
        let fixed = json!({
            "sslcom": { "base_url": "https://x.example", "status": [serde_json::from_str::<Value>(row).unwrap()] },
        });
        assert!(read(&fixed.to_string(), "https://x.example", "true").is_ok(), "{row}");
    }

    #[test]
    fn a_secret_in_the_wrong_place_is_not_repeated() {
        let in_field = |table: &str, field: &str, value: Value| {
            let mut deployment = sandbox();
            deployment[table][field] = value;
            deployment.to_string()
        };
        let product = |field: &str| {
            let mut row =
                json!({ "code": 7, "label": "x", "certificate_type": "mailbox", "offers": [], "enabled": false });
            row[field] = SECRET.into();
            let mut deployment = sandbox();
            deployment["product"] = json!([row]);
            deployment.to_string()
        };
        let status = |row: Value| in_field("sslcom", "status", json!([row]));
        for text in [
            SECRET.to_owned(),
            format!("\"{SECRET}\""),
            format!("{{\"sslcom\": {SECRET}}}"),
            format!("{{\"sslcom\": \"{SECRET}"),
            format!("{{\"sslcom\": \"{SECRET}\\z\"}}"),
            in_field("sslcom", "secret_key", SECRET.into()),
            in_field("sslcom", "base_url", SECRET.into()),
            in_field("sslcom", "base_url", format!("https://me:{SECRET}@sws.sslpki.com").into()),
            in_field("sslcom", "base_url", format!("https://sws.sslpki.com/?secret_key={SECRET}").into()),
            in_field("sslcom", "base_url", json!([SECRET])),
            in_field("sslcom", "first_page", SECRET.into()),
            in_field("sslcom", "first_page", format!("{SECRET}\", expected {SECRET}").into()),
            in_field("sslcom", "state_field", SECRET.into()),
            in_field("sslcom", "create_timeout", SECRET.into()),
            in_field("sslcom", "create_timeout", format!("5m {SECRET}").into()),
            in_field("sslcom", "mailbox_validation_item", SECRET.into()),
            in_field("microsoft", "graph_url", SECRET.into()),
            in_field("timing", "sweep_every", SECRET.into()),
            in_field("timing", "poll_after", json!([SECRET])),
            in_field("timing", "poll_after", json!([format!("P{SECRET}")])),
            in_field("timing", "retry_after", format!("-PT5M{SECRET}").into()),
            in_field("timing", "retry_after", format!("5 {SECRET}").into()),
            in_field("timing", "retry_after", format!("5:00:{SECRET}").into()),
            in_field("timing", "clicks_accepted", SECRET.into()),
            status(json!({ "is": "done", "stage": SECRET })),
            status(json!({ "is": [SECRET], "stage": "issued" })),
            status(json!({ "secret": SECRET })),
            product("code"),
            product("certificate_type"),
            product("offers"),
            product("currency"),
            product("secret"),
        ] {
            let problems = read(&text, &format!("https://me:{SECRET}@x.example"), SECRET).unwrap_err();
            let of_tables = problems.iter().filter(|problem| problem.field.starts_with("DEPLOYMENT")).count();
            assert_eq!((of_tables, problems.len()), (1, 3), "{text}: {problems:?}");
            assert!(!format!("{problems:?}").contains("hunter2"), "{text}: {problems:?}");
        }
    }
}
