#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use flow::deployment_input::from_variables;

use super::*;

const FILE: &str = r#"
[server]
public_url = "https://smime.example.com"
stop_buying = true

[sslcom]
base_url = "https://sws.sslpki.com"
create_timeout = "4m"
first_page = 1
state_field = "state_or_providence"
status = [{ is = "done", stage = "issued" }]

[microsoft]
login_url = "http://127.0.0.1:9001"
graph_url = "http://127.0.0.1:9002"

[[product]]
code = 700
label = "Personal ID + Organization Email"
certificate_type = "sponsor"
offers = [{ days = 365, price_cents = 3800 }]

[timing]
quiet_time = "45m"
poll_after = ["1m", "1h"]
failures_allowed = 3
"#;

#[test]
fn a_file_and_variables_with_the_same_choices_are_the_same_deployment() {
    let of_file = Config::read(FILE, |_| None).unwrap();
    let mut tables = json::json_fields(FILE.parse().unwrap());
    tables.remove("server");
    let of_variables = from_variables(|name| match name {
        "DEPLOYMENT" => Some(Value::Object(tables.clone()).to_string()),
        "PUBLIC_URL" => Some("https://smime.example.com".to_owned()),
        _ => Some("true".to_owned()),
    })
    .unwrap();
    assert_eq!(format!("{:?}", of_file.vendors), format!("{:?}", of_variables.vendors));
    assert_eq!(format!("{:?}", of_file.deployment), format!("{:?}", of_variables.deployment));
}

#[test]
fn the_fields_of_timing_are_divided_and_each_wrong_one_is_named_once() {
    let timing =
        "sweep_every = \"soon\"\npurchases_at_once = 0\njobs_at_once = \"many\"\nretry_after = \"2h\"\nnaps = 1\n";
    let problems = Config::read(&format!("{FILE}{timing}"), |_| None).unwrap_err().0;
    let mut fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
    fields.sort();
    let expected = ["jobs_at_once", "naps", "purchases_at_once", "retry_after", "sweep_every"];
    assert_eq!(fields, expected.map(|field| format!("timing.{field}")));
    let unknown = problems.iter().find(|problem| problem.field == "timing.naps").unwrap();
    for field in ["quiet_time", "clicks_accepted"].into_iter().chain(pace::FIELDS) {
        assert!(unknown.fix.contains(&format!("`{field}`")), "{field}: {}", unknown.fix);
    }
}

#[test]
fn the_pace_is_read_from_the_same_table_as_the_waits() {
    let timing = "sweep_every = \"5s\"\npurchases_at_once = 2\n";
    let config = Config::read(&format!("{FILE}{timing}"), |_| None).unwrap();
    assert_eq!((config.pace.sweep_every.as_secs(), config.pace.purchases_at_once), (5, 2));
    assert_eq!(config.pace.jobs_at_once, Pace::default().jobs_at_once);
    assert_eq!(config.deployment.failures_allowed, 3);
}
