//! `infra/local/example.toml` against the code: what it shows is good, complete and true.

use flow::settings_input::SettingsInput;
use local::config::Config;

use super::{EXAMPLE, environment, problems};

#[test]
fn the_example_is_good() {
    let config = Config::read(EXAMPLE, environment).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.vendors.sslcom.base_url.as_str(), "https://sws-test.sslpki.com/");
    assert_eq!(config.deployment.redirect_url.as_str(), "http://localhost:8080/oauth/callback");
    assert!(config.deployment.products.offer(sslcom::ProductCode(700), 730).is_some());
    assert_eq!(config.integrations.len(), 1);
    assert_eq!(config.integrations[0]["client_secret"], "a-client-secret");
    assert_eq!(config.integrations[0]["prevalidated_domains"][0]["since"], "2026-05-04");
}

#[test]
fn a_fresh_copy_names_the_variables_that_have_to_be_set() {
    let found = Config::read(EXAMPLE, |_| None).unwrap_err().0;
    let said: Vec<_> = found.iter().map(|found| (found.field.as_str(), found.problem.as_str())).collect();
    assert_eq!(
        said,
        [
            ("integration[0].client_secret", "the environment has no variable ENTRA_CLIENT_SECRET"),
            ("integration[0].intune_public_key", "the environment has no variable INTUNE_PUBLIC_KEY"),
            ("integration[0].sslcom_account_key", "the environment has no variable SSLCOM_ACCOUNT_KEY"),
            ("integration[0].sslcom_secret_key", "the environment has no variable SSLCOM_SECRET_KEY"),
        ]
    );
}

#[test]
fn everything_that_is_switched_off_is_good_too() {
    let config = Config::read(&switched_on(|_| true), environment).unwrap();
    assert_eq!(config.tokens.len(), 1);
    assert!(config.vendors.microsoft.is_some());
    assert!(config.deployment.stop_buying);
    assert_eq!(config.deployment.public_url.as_ref().unwrap().as_str(), "https://smime.example.com/");
}

#[test]
fn what_it_shows_of_sslcom_and_timing_is_what_holds_without_it() {
    let shown = switched_on(|table| matches!(table, "sslcom" | "timing"));
    assert_ne!(shown, EXAMPLE);
    let as_it_is = format!("{:#?}", Config::read(EXAMPLE, environment).unwrap());
    assert_eq!(format!("{:#?}", Config::read(&shown, environment).unwrap()), as_it_is);
}

#[test]
fn it_shows_every_field() {
    for table in ["server", "api_token", "sslcom", "microsoft", "timing"] {
        let brackets = if table == "api_token" { ("[[", "]]") } else { ("[", "]") };
        let found = problems(&format!("{}{table}{}\nunheard_of = 1\n", brackets.0, brackets.1));
        let unknown = found.iter().find(|found| found.field.ends_with(".unheard_of")).unwrap();
        for field in unknown.fix.split('`').skip(1).step_by(2) {
            assert!(shows(field), "{table}.{field}");
        }
    }
    // Debug writes one line for each field, four columns in.
    let input = format!("{:#?}", SettingsInput::default());
    let fields: Vec<_> =
        input.lines().filter_map(|line| Some(line.strip_prefix("    ")?.split_once(": ")?.0)).collect();
    assert!(fields.contains(&"tenant_id"), "{input}");
    for field in fields.into_iter().filter(|field| !field.starts_with(' ')) {
        assert!(shows(field) || EXAMPLE.contains(&format!("[integration.{field}]")), "integration.{field}");
    }
}

fn shows(field: &str) -> bool {
    EXAMPLE.lines().any(|line| {
        let line = line.strip_prefix('#').unwrap_or(line);
        line.strip_prefix(field).is_some_and(|rest| rest.starts_with(" = "))
    })
}

/// The example with the lines switched on that begin with `#` and no space, in the tables of these names.
pub(super) fn switched_on(is_wanted: impl Fn(&str) -> bool) -> String {
    let mut wanted = false;
    let mut text = String::new();
    for line in EXAMPLE.lines() {
        let bare = line.strip_prefix('#').unwrap_or(line);
        if bare.starts_with('[') {
            wanted = is_wanted(bare.trim_matches(['[', ']']));
        }
        // The rows of a list stand further in.
        let is_switched_off = !bare.starts_with(' ') || bare.trim_start().starts_with('{');
        text += if wanted && is_switched_off { bare } else { line };
        text.push('\n');
    }
    text
}
