//! The settings of an integration, field by field.

use domain::operator::Role;
use ports::IntegrationStore;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    super::{CONNECTOR_KEY, Server, answer, document::document, settings, token},
    Bad, bad, leaves, put, without_a_row,
};

const GUID: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";

fn rows() -> Vec<Bad> {
    [identity(), connector(), sslcom(), registrant(), contact(), choices()].into_iter().flatten().collect()
}

fn identity() -> Vec<Bad> {
    let tenant = "copy the Directory (tenant) ID";
    let client = "copy the Application (client) ID";
    vec![
        bad("/name", json!(""), "name", "it is missing", "fill it in"),
        bad("/name", json!(" \t\n"), "name", "it is missing", "fill it in"),
        bad("/name", json!("a".repeat(101)), "name", "longer than 100 characters", "shorten it"),
        bad("/name", json!("Con\u{0}toso"), "name", "control characters", "type it again"),
        bad("/name", json!(7), "name", "integer `7`", "see the API"),
        bad("/name", json!(null), "name", "null", "see the API"),
        bad("/cloud", json!("moon"), "cloud", "unknown variant `moon`", "see the API"),
        bad("/tenant_id", json!(""), "tenant_id", "it is missing", tenant),
        bad("/tenant_id", json!("contoso.onmicrosoft.com"), "tenant_id", "it is not a GUID", tenant),
        bad("/tenant_id", json!("3f2504e0-4f89-41d3-9a0c"), "tenant_id", "it is not a GUID", tenant),
        bad("/tenant_id", json!("00000000-0000-0000-0000-000000000000"), "tenant_id", "it is not a GUID", tenant),
        bad("/tenant_id", json!(format!("{{{GUID}")), "tenant_id", "it is not a GUID", tenant),
        bad("/client_id", json!("intune-smime"), "client_id", "it is not a GUID", client),
        bad("/client_secret", json!(""), "client_secret", "it is missing", "paste its Value"),
        bad("/client_secret", json!(" \r\n"), "client_secret", "it is missing", "paste its Value"),
        bad("/client_secret", json!(GUID), "client_secret", "which is the secret's ID", "paste the secret's Value"),
        bad("/client_secret", json!("a\u{200b}b"), "client_secret", "invisible", "copy it again"),
        bad("/client_secret", json!("one\ntwo"), "client_secret", "control", "copy it again"),
        bad("/client_secret", json!("a".repeat(513)), "client_secret", "longer than 512", "copy it again"),
        bad("/client_secret", json!(["x"]), "client_secret", "it has the wrong type", "see the API"),
        bad("/client_secret_expires", json!("soon"), "client_secret_expires", "it is not a date", "YYYY-MM-DD"),
        bad("/client_secret_expires", json!("2027-02-30"), "client_secret_expires", "it is not a date", "YYYY-MM-DD"),
        bad("/client_secret_expires", json!("04.05.2027"), "client_secret_expires", "it is not a date", "YYYY-MM-DD"),
        bad("/surprise", json!(1), "surprise", "there is no such field", "remove it, or correct its name"),
    ]
}

fn connector() -> Vec<Bad> {
    let export = "Export-IntunePublicKey";
    let key = |label: &str| CONNECTOR_KEY.replace("PUBLIC KEY", label);
    let name = "use the exact name given to Add-IntuneKspKey";
    vec![
        bad("/intune_public_key", json!(""), "intune_public_key", "nothing", export),
        bad("/intune_public_key", json!("hello world"), "intune_public_key", "neither", export),
        bad("/intune_public_key", json!(key("PRIVATE KEY")), "intune_public_key", "this is the private key", export),
        bad("/intune_public_key", json!(key("RSA PRIVATE KEY")), "intune_public_key", "private key", export),
        bad("/intune_public_key", json!("UlNBMgAIAAA="), "intune_public_key", "this is the private key", export),
        bad("/intune_public_key", json!("BgIAAACkAABSU0Ex"), "intune_public_key", "CryptoAPI", export),
        bad("/intune_public_key", json!(CONNECTOR_KEY[..200]), "intune_public_key", "has no end", export),
        bad("/intune_public_key", json!("A".repeat(70_000)), "intune_public_key", "larger than any", export),
        bad("/provider_name", json!("a".repeat(257)), "provider_name", "too long or holds control characters", name),
        bad("/key_name", json!("PFX\tKey"), "key_name", "too long or holds control characters", name),
        bad("/padding", json!("pkcs1"), "padding", "unknown variant `pkcs1`", "see the API"),
        bad("/padding", json!("oaep_sha1"), "padding", "unknown variant `oaep_sha1`", "see the API"),
        bad("/key_algorithm", json!("rsa1024"), "key_algorithm", "unknown variant `rsa1024`", "see the API"),
        bad("/escrow_notice", json!(" "), "escrow_notice", "it is missing", "fill it in"),
        bad("/escrow_notice", json!("a".repeat(2_001)), "escrow_notice", "longer than 2000 characters", "shorten it"),
        bad("/escrow_notice", json!(true), "escrow_notice", "boolean `true`", "see the API"),
        bad("/pfx_profile", json!("strong"), "pfx_profile", "unknown variant `strong`", "see the API"),
    ]
}

fn sslcom() -> Vec<Bad> {
    let (account, secret) = ("sslcom_account_key", "sslcom_secret_key");
    let fix = "copy it from SSL.com's dashboard";
    vec![
        bad("/sslcom_account_key", json!(" "), account, "it is missing", fix),
        bad("/sslcom_account_key", json!("a\u{7}b"), account, "control or invisible", "copy it again"),
        bad("/sslcom_account_key", json!(5), account, "it has the wrong type", "see the API"),
        bad("/sslcom_secret_key", json!(""), secret, "it is missing", fix),
        bad("/sslcom_secret_key", json!("planted-account-key\n"), secret, "it is the same as the account key", fix),
        bad("/sslcom_secret_key", json!({ "x": "y" }), "sslcom_secret_key", "it has the wrong type", "see the API"),
    ]
}

fn registrant() -> Vec<Bad> {
    let text = |field: &'static str, longest: usize| {
        let at: &'static str = Box::leak(format!("/registrant/{field}").into());
        let field: &'static str = Box::leak(format!("registrant.{field}").into());
        [
            bad(at, json!("a".repeat(longest + 1)), field, "it is longer than", "shorten it"),
            bad(at, json!("a\u{1b}b"), field, "it holds control characters", "type it again"),
            bad(at, json!("a\u{202e}b"), field, "it holds an invisible character", "type it again"),
            bad(at, json!("Rocket 🚀"), field, "it holds an emoji", "type it again"),
            bad(at, json!(7), field, "integer `7`", "see the API"),
        ]
    };
    let mut rows: Vec<_> = [
        ("organization", 64),
        ("organization_unit", 64),
        ("street_address", 128),
        ("locality", 128),
        ("state_or_province", 128),
        ("postal_code", 40),
    ]
    .into_iter()
    .flat_map(|(field, longest)| text(field, longest))
    .collect();
    let country = "registrant.country";
    let iso = "use ISO 3166-1 alpha-2";
    rows.extend([
        bad("/registrant/organization", json!(""), "registrant.organization", "it is missing", "fill it in"),
        bad(
            "/registrant/state_or_province",
            json!("  "),
            "registrant.state_or_province",
            "it is missing",
            "fill it in",
        ),
        bad("/registrant/country", json!(""), country, "it is missing", iso),
        bad("/registrant/country", json!("Germany"), country, "it is not a two-letter country code", iso),
        bad("/registrant/country", json!("DEU"), country, "it is not a two-letter country code", iso),
        bad("/registrant/country", json!("Ð"), country, "it is not a two-letter country code", iso),
        bad("/registrant/country", json!("ZZ"), country, "has no country ZZ", iso),
        bad("/registrant/country", json!("UK"), country, "has no country UK", "write GB"),
        bad("/registrant/duns", json!("1"), "registrant.duns", "unknown field `duns`", "correct its name"),
        bad("/registrant", json!("Contoso"), "registrant", "invalid type: string", "see the API"),
    ]);
    rows
}

fn contact() -> Vec<Bad> {
    let number = "write it with the country's code";
    let read = "give an address that somebody reads";
    vec![
        bad("/contact/first_name", json!(""), "contact.first_name", "it is missing", "fill it in"),
        bad("/contact/first_name", json!("a".repeat(65)), "contact.first_name", "longer than 64", "shorten it"),
        bad("/contact/last_name", json!("\u{feff}Berg"), "contact.last_name", "invisible", "type it again"),
        bad("/contact/email", json!(""), "contact.email", "it is missing", "fill it in"),
        bad("/contact/email", json!("pki"), "contact.email", "it is not an e-mail address", read),
        bad("/contact/email", json!("a@b@c.example"), "contact.email", "it is not an e-mail address", read),
        bad("/contact/email", json!("a@localhost"), "contact.email", "it is not an e-mail address", read),
        bad("/contact/phone", json!(""), "contact.phone", "it is missing", "fill it in"),
        bad("/contact/phone", json!("call me"), "contact.phone", "it is not a telephone number", number),
        bad("/contact/phone", json!("+49"), "contact.phone", "it is not a telephone number", number),
        bad("/contact/phone", json!("1".repeat(33)), "contact.phone", "longer than 32", "shorten it"),
        bad("/contact/phone", json!(4930123456_u64), "contact.phone", "integer", "see the API"),
        bad("/contact/country", json!("XX"), "contact.country", "has no country XX", "use ISO 3166-1"),
    ]
}

fn choices() -> Vec<Bad> {
    let allowed = "user_principal_name_allowed";
    let domain = "prevalidated_domains[0].domain";
    let since = json!([{ "domain": "x.example", "since": "yesterday" }]);
    vec![
        bad("/user_principal_name_allowed", json!("yes"), allowed, "expected a boolean", "see the API"),
        bad("/groups", json!(["All staff"]), "groups[0]", "it is not a GUID", "copy the group's Object ID"),
        bad("/groups", json!([GUID, GUID.to_uppercase()]), "groups[1]", "it is in the list already", "name each once"),
        bad("/groups", json!(GUID), "groups", "expected a sequence", "see the API"),
        bad("/groups", json!([GUID, 7]), "groups[1]", "integer `7`", "see the API"),
        bad("/licence_plans", json!(["INTUNE_A"]), "licence_plans[0]", "it is not a GUID", "use a service plan id"),
        bad("/licence_plans", json!([GUID, GUID]), "licence_plans[1]", "in the list already", "name each once"),
        bad("/prevalidated_domains", json!([{ "domain": "" }]), domain, "it is not a domain name", "example.com"),
        bad("/prevalidated_domains", json!([{ "domain": "a b.example" }]), domain, "not a domain name", "example.com"),
        bad("/prevalidated_domains", json!([{ "domain": "https://x.example" }]), domain, "not a domain", "example.com"),
        bad("/prevalidated_domains", since, "prevalidated_domains[0].since", "it is not a date", "YYYY-MM-DD"),
        bad(
            "/prevalidated_domains",
            json!([{ "domain": "bücher.example" }, { "domain": "XN--BCHER-KVA.example" }]),
            "prevalidated_domains[1].domain",
            "it is in the list already",
            "name each once",
        ),
        bad("/orders_per_batch", json!(0), "orders_per_batch", "0 is out of range", "use 1 to 100000"),
        bad("/orders_per_batch", json!(100_001), "orders_per_batch", "out of range", "use 1 to 100000"),
        bad("/orders_per_batch", json!(-1), "orders_per_batch", "invalid value: integer `-1`", "see the API"),
        bad("/orders_per_day", json!(0), "orders_per_day", "0 is out of range", "use 1 to 100000"),
        bad("/orders_per_day", json!(1.5), "orders_per_day", "floating point `1.5`", "see the API"),
        bad("/orders_per_day", json!(1e300), "orders_per_day", "floating point", "see the API"),
        bad("/orders_per_day", json!("many"), "orders_per_day", "invalid type: string", "see the API"),
        bad("/stop_buying", json!(1), "stop_buying", "expected a boolean", "see the API"),
        bad("/keep_key_days", json!(366), "keep_key_days", "366 is out of range", "use 0 to 365"),
        bad("/keep_key_days", json!(-1), "keep_key_days", "integer `-1`", "see the API"),
        bad("/validation_days", json!(0), "validation_days", "0 is out of range", "use 1 to 365"),
        bad("/validation_days", json!(70_000), "validation_days", "integer `70000`", "see the API"),
    ]
}

#[tokio::test]
async fn every_field_of_the_settings_has_a_bad_value_here() {
    let server = Server::start().await;
    let document = document(&server).await;
    let leaves = leaves(&document, &json!({ "$ref": "#/components/schemas/SettingsBody" }));
    assert!(leaves.len() > 30, "{leaves:?}");
    assert_eq!(without_a_row(&leaves, &rows()), Vec::<String>::new());
}

#[tokio::test]
async fn each_bad_setting_has_its_own_sentence_and_creates_nothing() {
    let server = Server::start().await;
    for row in rows() {
        row.must_be_told(&server.post("/api/integrations", row.within(&settings())).await);
    }
    assert_eq!(server.get("/api/integrations").await.json()["items"], json!([]));
}

/// What may be left out in a change, because the stored secret stays, is tried as something wrong, not as nothing.
#[tokio::test]
async fn each_bad_setting_has_its_own_sentence_and_changes_nothing() {
    let server = Server::start().await;
    let id = server.integration().await;
    let path = format!("/api/integrations/{id}");
    let rows_of_integration = server.rows(id);
    let before = rows_of_integration.integration().await.unwrap();
    let audit = rows_of_integration.audit(None, 100).await.unwrap();
    let good = {
        let mut good = settings();
        good["tenant_id"] = json!(before.as_ref().unwrap().settings.tenant_id);
        good
    };
    let is_secret = |row: &Bad| ["/client_secret", "/sslcom_account_key", "/sslcom_secret_key"].contains(&row.at);
    let is_nothing = |value: &Value| value.as_str().is_some_and(|text| text.trim().is_empty());
    // One key of SSL.com's that cannot be read leaves the other alone, which is a second problem.
    let is_half = |row: &Bad| row.at.starts_with("/sslcom_") && !row.value.is_string();
    let stays = |row: &Bad| (is_secret(row) && is_nothing(&row.value)) || is_half(row);
    for row in rows().into_iter().filter(|row| !stays(row)) {
        row.must_be_told(&put(&server, &path, &row.within(&good)).await);
    }
    assert_eq!(rows_of_integration.integration().await.unwrap(), before);
    assert_eq!(rows_of_integration.audit(None, 100).await.unwrap(), audit);
    assert_eq!(put(&server, &path, &good).await.status, StatusCode::OK, "the rest of the body was good");
}

#[tokio::test]
async fn a_field_that_is_there_twice_is_refused_and_which_one_counts_is_not_guessed() {
    let server = Server::start().await;
    let good = settings().to_string();
    for (twice, field) in [
        (good.replacen('{', "{\"client_secret\":\"one\",", 1), "client_secret"),
        (good.replacen("\"country\":", "\"country\":\"FR\",\"country\":", 1), "contact.country"),
    ] {
        let request = server.request(Method::POST, "/api/integrations").bearer_auth(token(Role::Admin));
        let refused = answer(request.header("content-type", "application/json").body(twice)).await;
        assert_eq!((refused.problem().as_str(), refused.fields()), ("invalid", vec![field.to_owned()]));
        assert_eq!(refused.json()["errors"][0]["problem"], "it is there twice");
    }
    assert_eq!(server.get("/api/integrations").await.json()["items"], json!([]));
}

/// What people paste that means the right thing is taken.
#[tokio::test]
async fn the_usual_forms_of_a_good_value_are_taken() {
    let server = Server::start().await;
    for (at, value, pointer, stored) in [
        ("/tenant_id", json!(format!("{{{}}}\n", GUID.to_uppercase())), "/settings/tenant_id", json!(GUID)),
        (
            "/client_id",
            json!("  7c9e6679742540de944be07fc1f90ae7 "),
            "/settings/client_id",
            json!("7c9e6679-7425-40de-944b-e07fc1f90ae7"),
        ),
        ("/client_secret", json!("a~secret\r\n"), "/settings/name", json!("Example")),
        ("/registrant/country", json!(" de"), "/settings/registrant/country", json!("DE")),
        (
            "/registrant/organization",
            json!("Müller–Łuczak’s «Ñandú» 株式会社"),
            "/settings/registrant/organization",
            json!("Müller–Łuczak’s «Ñandú» 株式会社"),
        ),
        (
            "/prevalidated_domains",
            json!([{ "domain": "Bücher.Example" }]),
            "/settings/prevalidated_domains/0/domain",
            json!("xn--bcher-kva.example"),
        ),
        ("/licence_plans", json!([]), "/settings/licence_plans", json!([])),
        ("/key_name", json!(""), "/settings/key_name", json!("PFXEncryptionKey")),
    ] {
        let body = bad(at, value.clone(), "", "", "").within(&settings());
        let created = server.post("/api/integrations", body).await;
        assert_eq!(created.status, StatusCode::CREATED, "{at} {value}: {}", created.text);
        assert_eq!(created.json().pointer(pointer), Some(&stored), "{at} {value}");
    }
}
