//! The deployment file of `serve`: its commented example is good, and of a bad one every problem is named at once.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod connector_key;
mod example;
mod intermediates;
mod secrets;

use flow::FieldProblem;
use local::config::Config;

const EXAMPLE: &str = include_str!("../../../infra/local/example.toml");

#[test]
fn each_bad_field_is_named_with_what_is_wrong_and_what_to_do() {
    for (good, bad, field, problem, fix) in [
        (
            "listen = \"127.0.0.1:8080\"",
            "listen = \"8080\"",
            "server.listen",
            "it is not an address and a port",
            "write it as in 127.0.0.1:8080",
        ),
        (
            "#stop_buying = true",
            "stop_buying = \"yes\"",
            "server.stop_buying",
            "invalid type: string",
            "give a boolean",
        ),
        (
            "#public_url = \"https",
            "public_url = \"http",
            "server.public_url",
            "it is not https",
            "use an https address",
        ),
        (
            "#redirect_url = \"https://smime.example.com/",
            "redirect_url = \"http://smime.example.com/",
            "server.redirect_url",
            "it is not an https address",
            "give the redirect URI that is registered in Entra",
        ),
        (
            "#hosts = [\"localhost\", \"127.0.0.1\", \"smime.example.com\"]",
            "hosts = []",
            "server.hosts",
            "it is empty",
            "name the hosts",
        ),
        ("base_url = \"https", "base_url = \"http", "sslcom.base_url", "it is not https", "use an https address"),
        (
            "base_url = \"https://sws-test",
            "base_url = \"https://me:word@sws-test",
            "sslcom.base_url",
            "it names a user",
            "leave out what stands before the @",
        ),
        (
            "base_url = \"https://sws-test.sslpki.com\"",
            "",
            "sslcom.base_url",
            "it is missing",
            "use https://sws.sslpki.com",
        ),
        (
            "#create_timeout = \"5m\"",
            "create_timeout = \"7m\"",
            "sslcom.create_timeout",
            "it is not between 0 and 360 seconds",
            "write it as in \"10s\"",
        ),
        (
            "#create_timeout = \"5m\"",
            "create_timeout = \"soon\"",
            "sslcom.create_timeout",
            "duration format",
            "write it as in \"45s\"",
        ),
        (
            "#state_field = \"state_or_province\"",
            "state_field = \"state\"",
            "sslcom.state_field",
            "unknown variant",
            "give",
        ),
        (
            "#mailbox_validation_item = \"email:{address}\"",
            "mailbox_validation_item = \"email\"",
            "sslcom.mailbox_validation_item",
            "it does not say where the address stands",
            "write {address} there",
        ),
        (
            "#first_page = 0",
            "status = [{ contains = \"issued\", stage = \"done\" }]",
            "sslcom.status[0]",
            "unknown variant `done`",
            "write it as",
        ),
        (
            "#first_page = 0",
            "status = [{ is = \"issued\", stage = \"issued\" }, { is = \"\", stage = \"issued\" }]",
            "sslcom.status[1]",
            "it has no text",
            "write it as",
        ),
        ("#[microsoft]", "[microsoft]\ngraph_url = \"https://x.example\"", "microsoft", "given together", "give both"),
        ("label = \"Personal ID + Organization Email\"", "", "product[0]", "label is missing", "see the rows"),
        ("days = 730", "days = 1095", "product[0]", "a certificate lives 825 at most", "see the rows"),
        ("#enabled = true", "enabeld = true", "product[0]", "enabeld is not a field of a product", "see the rows"),
        (
            "\n[timing]\n",
            "\n[[product]]\ncode = 700\nlabel = \"again\"\ncertificate_type = \"mailbox\"\noffers = [{ days = 1, price_cents = 1 }]\n[timing]\n",
            "product[1]",
            "code is in an earlier row too",
            "see the rows",
        ),
        ("#quiet_time = \"30m\"", "quiet_time = \"6m\"", "timing.quiet_time", "so 6m is too short", "make it longer"),
        (
            "#purchase_window = \"60s\"",
            "purchase_window = \"61s\"",
            "timing.purchase_window",
            "between 1 and 60 seconds",
            "use 60s",
        ),
        ("#poll_after = [\"1m\", ", "poll_after = []#", "timing.poll_after", "it is empty", "write it as in"),
        ("#sweep_every = \"2s\"", "sweep_every = \"0s\"", "timing.sweep_every", "between 0 and an hour", "write it as"),
        ("#jobs_at_once = 8", "jobs_at_once = 0", "timing.jobs_at_once", "nothing would ever be done", "use 1 or more"),
        (
            "tenant_id = \"3f2504e0-4f89-41d3-9a0c-0305e82c3301\"",
            "tenant_id = \"contoso.onmicrosoft.com\"",
            "integration[0].tenant_id",
            "it is not a GUID",
            "copy the Directory (tenant) ID",
        ),
        (
            "client_secret = \"env:ENTRA_CLIENT_SECRET\"",
            "client_secret = \"7c9e6679-7425-40de-944b-e07fc1f90ae7\"",
            "integration[0].client_secret",
            "which is the secret's ID",
            "paste the secret's Value",
        ),
        ("env:SSLCOM_ACCOUNT_KEY", "", "integration[0].sslcom_account_key", "it is missing", "copy it from SSL.com's"),
        ("#cloud = \"global\"", "cloud = \"moon\"", "integration[0].cloud", "unknown variant `moon`", "see the API's"),
        (
            "since = 2026-05-04",
            "since = 1",
            "integration[0].prevalidated_domains[0].since",
            "invalid type: integer `1`",
            "see the API's",
        ),
        ("#keep_key_days = 14", "keep_key_days = 400", "integration[0].keep_key_days", "out of range", "use 0 to 365"),
        (
            "country = \"DE\"",
            "country = \"Germany\"",
            "integration[0].registrant.country",
            "two-letter",
            "use ISO 3166-1",
        ),
        (
            "email = \"pki@contoso.example\"",
            "email = \"pki\"",
            "integration[0].contact.email",
            "not an e-mail",
            "give an",
        ),
    ] {
        assert!(EXAMPLE.contains(good), "{good}");
        let found = problems(&EXAMPLE.replacen(good, bad, 1));
        let [found] = found.as_slice() else { panic!("{bad}: {found:?}") };
        assert_eq!(found.field, field, "{found:?}");
        assert!(found.problem.contains(problem) && !found.problem.is_empty(), "{field}: {}", found.problem);
        assert!(found.fix.starts_with(fix), "{field}: {}", found.fix);
    }
}

/// Whatever the example shows, and so whatever there is: no field takes a value of every kind.
#[test]
fn a_value_of_the_wrong_kind_is_refused_in_every_field() {
    let mut tried = 0;
    let everything = example::switched_on(|_| true);
    assert!(Config::read(&everything, environment).is_ok());
    for (at, line) in everything.lines().enumerate() {
        let Some((field, _)) = line.split_once(" = ").filter(|(field, _)| is_field(field)) else { continue };
        for wrong in ["{ unheard_of = [[1]] }", "-1.5", "[[[true]]]"] {
            let changed = everything.lines().enumerate().filter(|(other, _)| !is_row_below(&everything, at, *other));
            let changed: Vec<_> = changed
                .map(|(other, line)| if other == at { format!("{field} = {wrong}") } else { line.to_owned() })
                .collect();
            let found = problems(&changed.join("\n"));
            let is_told = found.iter().any(|found| format!("{} {}", found.field, found.problem).contains(field));
            assert!(is_told, "{field} = {wrong}: {found:?}");
            assert!(found.iter().all(|found| !found.problem.is_empty() && !found.fix.is_empty()), "{found:?}");
            tried += 1;
        }
    }
    assert!(tried > 150, "{tried} files were read");
}

fn is_field(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit())
}

/// Whether the line is one of the rows of the list that begins at `at`.
fn is_row_below(text: &str, at: usize, line: usize) -> bool {
    let mut rows = text.lines().enumerate().skip(at + 1).take_while(|(_, row)| row.starts_with([' ', ']']));
    text.lines().nth(at).is_some_and(|begin| begin.ends_with('[')) && rows.any(|(row, _)| row == line)
}

#[test]
fn fifteen_problems_are_fifteen_rows() {
    let changes = [
        ("listen = ", "listen = 8080 #", "server.listen"),
        ("#public_url = ", "public_url = \"ftp://x.example\" #", "server.public_url"),
        ("#stop_buying = ", "stop_buyin = ", "server.stop_buyin"),
        ("base_url = ", "base_url = \"sandbox\" #", "sslcom.base_url"),
        ("#answer_timeout = ", "answer_timeout = \"0s\" #", "sslcom.answer_timeout"),
        ("#first_page = ", "first_page = -1 #", "sslcom.first_page"),
        ("\ncode = ", "\ncode = 0 #", "product[0]"),
        ("#quiet_time = ", "quiet_time = \"1s\" #", "timing.quiet_time"),
        ("#failures_allowed = ", "failures_allowed = 0 #", "timing.failures_allowed"),
        ("\nname = \"Contoso\"", "\nname = \"\"", "integration[0].name"),
        ("tenant_id = ", "tenant_id = \"x\" #", "integration[0].tenant_id"),
        ("client_id = ", "client_id = 7 #", "integration[0].client_id"),
        ("env:SSLCOM_SECRET_KEY", "env:SECRET_KEY", "integration[0].sslcom_secret_key"),
        ("#keep_key_days = ", "keep_key_days = 366 #", "integration[0].keep_key_days"),
        ("\npostal_code = ", "\n#postal_code = ", "integration[0].registrant.postal_code"),
    ];
    let text = changes.iter().fold(EXAMPLE.to_owned(), |text, (good, bad, _)| text.replacen(good, bad, 1));
    let mut fields: Vec<_> = problems(&text).into_iter().map(|problem| problem.field).collect();
    let mut expected = changes.map(|(_, _, field)| field);
    fields.sort();
    expected.sort();
    assert_eq!(fields, expected);
}

#[test]
fn what_is_inside_of_an_unreadable_table_is_not_called_missing() {
    let (before, registrant) = EXAMPLE.split_once("\n[integration.registrant]").unwrap();
    let (registrant, _) = registrant.split_once("\n[integration.contact]").unwrap();
    let found = problems(&format!("{before}\ncontact = 5\n[integration.registrant]{registrant}\n"));
    let fields: Vec<_> = found.iter().map(|found| found.field.as_str()).collect();
    assert_eq!(fields, ["integration[0].contact"]);
}

#[test]
fn a_field_in_a_table_of_an_integration_is_named_and_the_others_are_read() {
    let text = EXAMPLE.replacen("locality = \"Berlin\"", "locality = 5", 1).replacen("first_name", "firstname", 1);
    let found = problems(&text);
    let said: Vec<_> = found.iter().map(|found| (found.field.as_str(), found.problem.as_str())).collect();
    let unknown = said.iter().find(|(field, _)| *field == "integration[0].contact.firstname").unwrap().1;
    assert!(unknown.starts_with("unknown field `firstname`, expected one of `first_name`"), "{said:?}");
    assert!(said.contains(&("integration[0].contact.first_name", "it is missing")), "{said:?}");
    let locality = "integration[0].registrant.locality";
    assert!(said.iter().any(|(field, problem)| *field == locality && problem.contains("integer `5`")), "{said:?}");
    assert_eq!(said.len(), 3, "{said:?}");
}

#[test]
fn the_report_has_a_row_for_each_problem_and_counts_them() {
    let report = Config::read("[sslcom]\nbase_url = \"x\"\n[x]\n", environment).unwrap_err().to_string();
    let expected = "x\n    there is no such table or field\n    fix: use one of server, api_token, sslcom, microsoft, product, \
                    timing, integration\n\
                    sslcom.base_url\n    it is not an address\n    fix: write it as in https://smime.example.com\n\
                    2 problems found; nothing was started";
    assert_eq!(report, expected);
    let report = Config::read("[sslcom]\n", environment).unwrap_err().to_string();
    assert!(report.ends_with("\n1 problem found; nothing was started"), "{report}");
}

#[test]
fn an_unknown_field_is_named_with_the_known_ones() {
    let found = only_problem(&EXAMPLE.replacen("listen =", "lisen =", 1));
    assert_eq!((found.field.as_str(), found.problem.as_str()), ("server.lisen", "there is no such field"));
    assert!(found.fix.starts_with("use one of `listen`, `public_url`, "), "{}", found.fix);
    let found = only_problem(&EXAMPLE.replacen("#cloud =", "clowd =", 1));
    assert_eq!((found.field.as_str(), found.problem.as_str()), ("integration[0].clowd", "there is no such field"));
}

#[test]
fn a_table_of_the_wrong_kind_is_said_once() {
    let found = only_problem(&EXAMPLE.replacen("[sslcom]\n", "[[sslcom]]\n", 1));
    assert_eq!((found.field.as_str(), found.fix.as_str()), ("sslcom", "write [sslcom] above its fields"));
    let found = only_problem(&EXAMPLE.replacen("[[product]]\n", "[product]\n", 1));
    assert_eq!((found.field.as_str(), found.fix.as_str()), ("product", "write [[product]] above the fields of each"));
}

#[test]
fn a_mistake_in_the_syntax_is_named_with_its_line() {
    for (text, line) in [("[server\n", 1), ("[server]\n\nlisten = 127.0.0.1\n", 3), ("a = 1\nb = 2\na = 3\n", 3)] {
        let found = only_problem(text);
        assert_eq!(found.field, format!("the file, line {line}"));
        assert!(!found.problem.is_empty(), "{text}");
    }
}

#[test]
fn an_empty_file_says_what_is_needed_at_least() {
    let found = only_problem("");
    assert_eq!((found.field.as_str(), found.problem.as_str()), ("sslcom.base_url", "it is missing"));
}

#[test]
fn two_integrations_of_one_tenant_are_refused() {
    let (_, row) = EXAMPLE.split_once("\n[[integration]]\n").unwrap();
    let again = format!("{EXAMPLE}\n[[integration]]\n{}", row.replace("3f2504e0", "3F2504E0"));
    let found = only_problem(&again);
    assert_eq!(found.field, "integration[1].tenant_id");
    assert_eq!(found.problem, "an earlier integration has the same tenant");
}

#[test]
fn a_short_token_of_the_environment_is_refused() {
    let with_token = |token: &str| {
        let token = token.to_owned();
        Config::read(EXAMPLE, move |name| {
            if name == local::config::TOKEN_VARIABLE { Some(token.clone()) } else { environment(name) }
        })
    };
    let found = with_token("0123456789abcdef0123456789abcde").unwrap_err().0;
    assert_eq!(found[0].field, "INTUNE_SMIME_API_TOKEN");
    let config = with_token("0123456789abcdef0123456789abcdef").unwrap();
    assert_eq!(config.tokens.len(), 1);
    assert_eq!(config.tokens[0].name, "environment");
}

/// What a machine that is set up for the example answers.
fn environment(name: &str) -> Option<String> {
    let value = match name {
        "ENTRA_CLIENT_SECRET" => "a-client-secret".to_owned(),
        "INTUNE_PUBLIC_KEY" => connector_key::good(),
        "SSLCOM_ACCOUNT_KEY" => "an-account-key".to_owned(),
        "SSLCOM_SECRET_KEY" => "a-secret-key".to_owned(),
        _ => return None,
    };
    Some(value)
}

fn problems(text: &str) -> Vec<FieldProblem> {
    Config::read(text, environment).unwrap_err().0
}

fn only_problem(text: &str) -> FieldProblem {
    let mut found = problems(text);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}
