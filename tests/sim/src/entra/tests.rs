use std::time::Duration;

use aws_lc_rs::{rsa::PublicKeyComponents, signature::RSA_PKCS1_2048_8192_SHA256};
use axum::http::{StatusCode, header};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jiff::Timestamp;
use serde_json::Value;
use url::Url;
use uuid::Uuid;

use super::{App, SignIn};
use crate::microsoft::{
    Microsoft, Options, Organisation,
    client::{Answer, Client, app_token, http, post_form, read, token_url},
};

const REDIRECT: &str = "https://app.example/oauth/callback";
// The example of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

struct World {
    microsoft: Microsoft,
    organisation: Organisation,
    http: reqwest::Client,
}

impl World {
    async fn start() -> Self {
        let mut options = Options::new(1, 2);
        options.organisations[0].redirect_uris = vec![REDIRECT.to_owned()];
        let organisation = options.organisations[0].clone();
        Self { microsoft: Microsoft::start(options).await.unwrap(), organisation, http: http() }
    }

    fn change_app(&self, change: impl FnOnce(&mut App)) {
        let tenant = self.microsoft.first_tenant();
        let mut app = tenant.app(&self.organisation.client_id).unwrap();
        change(&mut app);
        tenant.register(app);
    }

    /// A token request with our client id and secret; an empty value leaves a parameter out.
    async fn token(&self, changed: &[(&str, &str)]) -> Answer {
        let tenant = self.organisation.tenant_id.to_string();
        self.token_at(&tenant, changed).await
    }

    async fn token_at(&self, tenant: &str, changed: &[(&str, &str)]) -> Answer {
        let mut form = vec![
            ("client_id", self.organisation.client_id.as_str()),
            ("client_secret", self.organisation.client_secret.as_str()),
        ];
        form.retain(|(name, _)| changed.iter().all(|(other, _)| other != name));
        form.extend(changed.iter().filter(|(_, value)| !value.is_empty()));
        post_form(&self.http, &token_url(&self.microsoft, tenant), &form).await
    }

    async fn app_only(&self, changed: &[(&str, &str)]) -> Answer {
        let scope = "https://graph.microsoft.com/.default";
        let mut form = vec![("grant_type", "client_credentials")];
        if changed.iter().all(|(name, _)| *name != "scope") {
            form.push(("scope", scope));
        }
        form.extend(changed);
        self.token(&form).await
    }

    /// Visits a page with these parameters in place of the good ones; an empty value leaves one out.
    async fn visit(&self, page: &str, changed: &[(&str, &str)]) -> reqwest::Response {
        let mut parameters = vec![
            ("client_id", self.organisation.client_id.as_str()),
            ("redirect_uri", REDIRECT),
            ("state", "a-state-nobody-guesses"),
        ];
        if page == AUTHORIZE {
            parameters.extend([
                ("response_type", "code"),
                ("scope", "openid profile offline_access User.Read"),
                ("nonce", "n-1"),
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "S256"),
            ]);
        }
        parameters.retain(|(name, _)| changed.iter().all(|(other, _)| other != name));
        parameters.extend(changed.iter().filter(|(_, value)| !value.is_empty()));
        let base = format!("{}/{}/{page}", self.microsoft.entra_base_url(), self.organisation.tenant_id);
        self.http.get(Url::parse_with_params(&base, parameters).unwrap()).send().await.unwrap()
    }

    async fn code(&self) -> String {
        back(self.visit(AUTHORIZE, &[]).await, "code")
    }

    async fn redeem(&self, code: &str, changed: &[(&str, &str)]) -> Answer {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        form.retain(|(name, _)| changed.iter().all(|(other, _)| other != name));
        form.extend(changed);
        self.token(&form).await
    }
}

const AUTHORIZE: &str = "oauth2/v2.0/authorize";
const ADMIN_CONSENT: &str = "v2.0/adminconsent";

/// A parameter of the address that a 302 leads to.
fn back(answer: reqwest::Response, parameter: &str) -> String {
    assert_eq!(answer.status(), StatusCode::FOUND);
    let location = Url::parse(answer.headers()[header::LOCATION].to_str().unwrap()).unwrap();
    assert!(location.as_str().starts_with(REDIRECT), "{location}");
    let found = location.query_pairs().find(|(name, _)| name == parameter);
    found.unwrap_or_else(|| panic!("no {parameter} in {location}")).1.into_owned()
}

fn assert_refused(answer: &Answer, status: u16, error: &str, number: u64) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.body["error"], error);
    assert_eq!(answer.body["error_codes"][0], number);
    let description = answer.body["error_description"].as_str().unwrap();
    assert!(description.starts_with(&format!("AADSTS{number}: ")), "{description}");
}

fn claims(token: &Value) -> Value {
    let part = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn client_credentials_give_a_token_with_the_roles_that_were_consented_to() {
    let world = World::start().await;
    let answer = world.app_only(&[]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["token_type"], "Bearer");
    assert!(answer.body.get("refresh_token").is_none() && answer.body.get("id_token").is_none());
    let claims = claims(&answer.body["access_token"]);
    assert_eq!(claims["tid"], world.organisation.tenant_id.to_string());
    assert_eq!(claims["roles"].as_array().unwrap().len(), 3);

    world.change_app(|app| app.consented = false);
    let answer = world.app_only(&[]).await;
    assert_eq!(answer.status, 200);
    assert!(self::claims(&answer.body["access_token"]).get("roles").is_none());
}

#[tokio::test]
async fn every_wrong_credential_has_its_own_number() {
    let world = World::start().await;
    assert_refused(&world.app_only(&[("client_secret", "guess")]).await, 401, "invalid_client", 7_000_215);
    assert_refused(&world.app_only(&[("client_secret", "")]).await, 401, "invalid_client", 7_000_218);
    assert_refused(&world.app_only(&[("client_id", "x")]).await, 400, "unauthorized_client", 700_016);
    assert_refused(&world.app_only(&[("client_id", "")]).await, 400, "invalid_request", 900_144);
    assert_refused(&world.app_only(&[("scope", "User.Read.All")]).await, 400, "invalid_scope", 1_002_012);
    assert_refused(&world.app_only(&[("scope", "https://other.example/.default")]).await, 400, "invalid_scope", 70_011);
    let good = [("grant_type", "client_credentials"), ("scope", "https://graph.microsoft.com/.default")];
    let nowhere = Uuid::nil().to_string();
    assert_refused(&world.token_at(&nowhere, &good).await, 400, "invalid_request", 90_002);
    assert_refused(&world.token_at("common", &good).await, 400, "invalid_request", 9_001_023);
    assert_refused(&world.token(&[("grant_type", "password")]).await, 400, "unsupported_grant_type", 70_003);

    world.change_app(|app| app.secret_expires = Some(Timestamp::now()));
    assert_refused(&world.app_only(&[]).await, 401, "invalid_client", 7_000_222);
    world.change_app(|app| app.is_public = true);
    assert_refused(&world.app_only(&[]).await, 401, "invalid_client", 700_025);
    assert_eq!(world.microsoft.calls("entra.token"), world.microsoft.refusals().len() as u64);
}

#[tokio::test]
async fn the_secret_may_come_as_http_basic_and_not_with_an_origin() {
    let world = World::start().await;
    let url = token_url(&world.microsoft, &world.organisation.tenant_id.to_string());
    let form = [("grant_type", "client_credentials"), ("scope", "https://graph.microsoft.com/.default")];
    let secret: String = url::form_urlencoded::byte_serialize(world.organisation.client_secret.as_bytes()).collect();
    let basic = format!("Basic {}", STANDARD.encode(format!("{}:{secret}", world.organisation.client_id)));
    let request = || world.http.post(&url).form(&form).header("authorization", &basic);
    assert_eq!(request().send().await.unwrap().status(), 200);
    let answer = read(request().header("origin", "https://app.example").send().await.unwrap()).await;
    assert_refused(&answer, 400, "invalid_request", 9_002_326);
    let json = world.http.post(&url).header("authorization", &basic).json(&form).send().await.unwrap();
    assert_refused(&read(json).await, 400, "invalid_request", 900_144);
}

#[tokio::test]
async fn a_sign_in_ends_in_an_id_token_that_the_published_key_verifies() {
    let world = World::start().await;
    let person = world.microsoft.directory().people()[0].clone();
    let (oid, upn) = (person.id, person.user_principal_name.clone());
    world.microsoft.first_tenant().set_sign_in(SignIn::Automatically { oid, upn: upn.clone() });
    world.change_app(|app| app.assigned_roles = vec![(oid, "Operator".to_owned())]);

    let answer = world.visit(AUTHORIZE, &[]).await;
    assert_eq!(back(answer, "state"), "a-state-nobody-guesses");
    let answer = world.redeem(&world.code().await, &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.headers["cache-control"], "no-store");
    let id_token = &answer.body["id_token"];
    let found = claims(id_token);
    assert_eq!(found["aud"], world.organisation.client_id);
    assert_eq!(found["oid"], oid.to_string());
    assert_eq!(found["tid"], world.organisation.tenant_id.to_string());
    assert_eq!(found["nonce"], "n-1");
    assert_eq!(found["name"], person.display_name);
    assert_eq!(found["preferred_username"], upn);
    assert_eq!(found["roles"][0], "Operator");
    assert!(found["exp"].as_i64().unwrap() > Timestamp::now().as_second());

    let discovery = format!(
        "{}/{}/v2.0/.well-known/openid-configuration",
        world.microsoft.entra_base_url(),
        world.organisation.tenant_id
    );
    let discovered = read(world.http.get(discovery).send().await.unwrap()).await;
    assert_eq!(discovered.body["issuer"], found["iss"]);
    let keys = world.http.get(discovered.body["jwks_uri"].as_str().unwrap()).send().await.unwrap();
    let keys = read(keys).await;
    let number = |name: &str| URL_SAFE_NO_PAD.decode(keys.body["keys"][0][name].as_str().unwrap()).unwrap();
    let (signed, signature) = id_token.as_str().unwrap().rsplit_once('.').unwrap();
    PublicKeyComponents { n: number("n"), e: number("e") }
        .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
        .unwrap();

    let access = claims(&answer.body["access_token"]);
    assert_eq!(access["scp"], "User.Read openid profile");
    assert!(access.get("roles").is_none());
}

#[tokio::test]
async fn a_new_key_signs_after_a_rotation() {
    let world = World::start().await;
    let kid = |answer: &Answer| answer.body["access_token"].as_str().unwrap().split('.').next().unwrap().to_owned();
    let before = world.app_only(&[]).await;
    world.microsoft.rotate_keys().unwrap();
    let after = world.app_only(&[]).await;
    assert_ne!(kid(&before), kid(&after));
}

#[tokio::test]
async fn a_code_is_good_once_for_its_own_request() {
    let world = World::start().await;
    let code = world.code().await;
    assert_eq!(world.redeem(&code, &[]).await.status, 200);
    assert_refused(&world.redeem(&code, &[]).await, 400, "invalid_grant", 54_005);
    let other = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl";
    let wrong = world.redeem(&world.code().await, &[("code_verifier", other)]).await;
    assert_refused(&wrong, 400, "invalid_grant", 501_481);
    let without = world.redeem(&world.code().await, &[("code_verifier", "")]).await;
    assert_refused(&without, 400, "invalid_grant", 501_481);
    let elsewhere = world.redeem(&world.code().await, &[("redirect_uri", "https://app.example/")]).await;
    assert_refused(&elsewhere, 400, "invalid_grant", 50_011);
    let wider = world.redeem(&world.code().await, &[("scope", "User.Read.All")]).await;
    assert_refused(&wider, 400, "invalid_grant", 70_000);
    assert_refused(&world.redeem("1.Aguess", &[]).await, 400, "invalid_grant", 9_002_313);

    let stolen = world.code().await;
    world.microsoft.first_tenant().register(App::sign_in("other", "secret", &[]));
    let stolen = world.redeem(&stolen, &[("client_id", "other"), ("client_secret", "secret")]).await;
    assert_refused(&stolen, 400, "invalid_grant", 700_005);

    let mut behaviour = world.microsoft.behaviour();
    behaviour.code_lifetime = Duration::ZERO;
    world.microsoft.set_behaviour(behaviour);
    assert_refused(&world.redeem(&world.code().await, &[]).await, 400, "invalid_grant", 70_008);
}

#[tokio::test]
async fn a_wrong_way_back_ends_on_a_page_and_not_in_a_redirect() {
    let world = World::start().await;
    for (parameter, value, number) in [
        ("redirect_uri", "https://app.example/oauth/callback/", "AADSTS50011"),
        ("redirect_uri", "https://evil.example/", "AADSTS50011"),
        ("redirect_uri", "", "AADSTS900144"),
        ("client_id", "somebody-else", "AADSTS700016"),
        ("client_secret", "pasted", "AADSTS90100"),
    ] {
        let answer = world.visit(AUTHORIZE, &[(parameter, value)]).await;
        assert_eq!(answer.status(), 400, "{parameter}={value}");
        assert!(answer.text().await.unwrap().contains(number), "{parameter}={value}");
    }
    world.change_app(|app| app.redirect_uris.push("http://app.example/".to_owned()));
    assert_eq!(world.visit(AUTHORIZE, &[("redirect_uri", "http://app.example/")]).await.status(), 400);
}

#[tokio::test]
async fn a_careless_sign_in_request_is_sent_back_with_its_error() {
    let world = World::start().await;
    for (parameter, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("response_mode", "form_post", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("nonce", "", "invalid_request"),
        ("state", "short", "invalid_request"),
        ("scope", "https://other.example/x", "invalid_scope"),
        ("scope", "User.Read api://{client}/x", "invalid_scope"),
    ] {
        let value = value.replace("{client}", &world.organisation.client_id);
        let answer = world.visit(AUTHORIZE, &[(parameter, &value)]).await;
        assert_eq!(back(answer, "error"), error, "{parameter}={value}");
    }
    let tenant = world.microsoft.first_tenant();
    let text = "AADSTS50105: not assigned".to_owned();
    tenant.set_sign_in(SignIn::Refuses { error: "access_denied", text });
    assert_eq!(back(world.visit(AUTHORIZE, &[]).await, "error"), "access_denied");
    world.change_app(|app| app.consented = false);
    assert_eq!(back(world.visit(AUTHORIZE, &[]).await, "error"), "consent_required");
}

#[tokio::test]
async fn refresh_tokens_roll_until_the_sessions_are_revoked() {
    let world = World::start().await;
    let first = world.redeem(&world.code().await, &[]).await;
    let first = first.body["refresh_token"].as_str().unwrap().to_owned();
    let refresh = async |token: &str| world.token(&[("grant_type", "refresh_token"), ("refresh_token", token)]).await;
    let second = refresh(&first).await;
    assert_eq!(second.status, 200);
    let second = second.body["refresh_token"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    // The old one stays good until the client discards it.
    assert_eq!(refresh(&first).await.status, 200);
    world.change_app(|app| app.consented = false);
    assert_refused(&refresh(&second).await, 400, "invalid_grant", 65_001);
    world.change_app(|app| app.consented = true);
    world.microsoft.revoke_sessions(world.organisation.tenant_id);
    assert_refused(&refresh(&second).await, 400, "invalid_grant", 700_082);
    assert_refused(&refresh("1.ARguess").await, 400, "invalid_grant", 9_002_313);
}

#[tokio::test]
async fn delegated_permissions_are_those_that_the_registration_has() {
    let world = World::start().await;
    let answer = world.visit(AUTHORIZE, &[("scope", "Mail.Read")]).await;
    let answer = world.redeem(&back(answer, "code"), &[]).await;
    assert_refused(&answer, 400, "invalid_grant", 65_001);

    let answer = world.visit(AUTHORIZE, &[("scope", "https://graph.microsoft.com/.default")]).await;
    let answer = world.redeem(&back(answer, "code"), &[]).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.get("refresh_token").is_none() && answer.body.get("id_token").is_none());
    let users = format!("{}/v1.0/users", world.microsoft.graph_base_url());
    let token = answer.body["access_token"].as_str().unwrap();
    assert_eq!(world.http.get(&users).bearer_auth(token).send().await.unwrap().status(), 200);

    let own = format!("api://{}/console", world.organisation.client_id);
    let answer = world.visit(AUTHORIZE, &[("scope", &own)]).await;
    let answer = world.redeem(&back(answer, "code"), &[]).await;
    assert_eq!(claims(&answer.body["access_token"])["aud"], world.organisation.client_id);
    let token = answer.body["access_token"].as_str().unwrap();
    assert_eq!(world.http.get(&users).bearer_auth(token).send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn admin_consent_gives_the_roles_and_a_refusal_still_says_true() {
    let world = World::start().await;
    let default = ("scope", "https://graph.microsoft.com/.default");
    world.change_app(|app| app.consented = false);
    let tenant = world.microsoft.first_tenant();
    let automatic = tenant.signs_in();
    tenant.set_sign_in(SignIn::Refuses { error: "access_denied", text: "declined".to_owned() });
    assert_eq!(back(world.visit(ADMIN_CONSENT, &[default]).await, "error"), "access_denied");
    assert_eq!(back(world.visit(ADMIN_CONSENT, &[default]).await, "admin_consent"), "True");
    let client = Client::connect(&world.microsoft, &world.organisation).await;
    assert_eq!(client.get("/v1.0/users").await.code(), "Authorization_RequestDenied");

    tenant.set_sign_in(automatic);
    assert_eq!(back(world.visit(ADMIN_CONSENT, &[("scope", "User.Read")]).await, "error"), "invalid_scope");
    let answer = world.visit(ADMIN_CONSENT, &[default]).await;
    assert_eq!(back(answer, "tenant"), world.organisation.tenant_id.to_string());
    let client = Client::connect(&world.microsoft, &world.organisation).await;
    assert_eq!(client.get("/v1.0/users").await.status, 200);
}

#[tokio::test]
async fn tokens_of_one_tenant_show_nothing_of_another() {
    let mut options = Options::new(1, 2);
    options.organisations.push(Organisation::from_seed(2, 3));
    let organisations = options.organisations.clone();
    let microsoft = Microsoft::start(options).await.unwrap();
    for (organisation, people) in organisations.iter().zip([2, 3]) {
        let client = Client::connect(&microsoft, organisation).await;
        assert_eq!(client.all("/v1.0/users", &[]).await.len(), people);
    }
    let mut mixed = organisations[0].clone();
    mixed.tenant_id = organisations[1].tenant_id;
    assert_refused(&app_token(&http(), &microsoft, &mixed).await, 400, "unauthorized_client", 700_016);
}
