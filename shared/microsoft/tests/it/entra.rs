//! Sign-in addresses, the token endpoint, and Entra ID's refusals.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use microsoft::{Error, entra::Decision};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use url::Url;

use crate::{
    ACCESS, CLIENT, CLIENT_SECRET, TENANT, app, entra, everything_said, now,
    vendor::{Canned, Vendor, hangs_up, nobody},
};

fn redirect_uri() -> Url {
    "https://smime.example/oauth2/callback".parse().unwrap()
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Unsigned: the roles of an access token are read, not trusted.
fn access_token_with_roles(roles: &[&str]) -> String {
    let part = |value: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2ln", part(json!({"alg": "RS256", "typ": "JWT"})), part(json!({"roles": roles})))
}

#[test]
fn a_sign_in_is_bound_by_state_nonce_and_an_s256_challenge() {
    let entra = entra(&"http://localhost:1".parse().unwrap());
    let begun = entra.start_authorize(&app(), &redirect_uri(), &["offline_access"]);
    let challenge = digest(&SHA256, begun.verifier.expose_secret().as_bytes());
    let mut query: Vec<_> = begun.url.query_pairs().into_owned().collect();
    query.sort();

    assert_eq!(begun.url.path(), format!("/{TENANT}/oauth2/v2.0/authorize"));
    assert_eq!(
        query,
        pairs(&[
            ("client_id", &CLIENT.to_string()),
            ("code_challenge", &BASE64_URL_SAFE_NO_PAD.encode(challenge)),
            ("code_challenge_method", "S256"),
            ("nonce", &begun.nonce),
            ("prompt", "select_account"),
            ("redirect_uri", redirect_uri().as_str()),
            ("response_mode", "query"),
            ("response_type", "code"),
            ("scope", "openid profile offline_access"),
            ("state", begun.state.expose_secret()),
        ])
    );
}

#[test]
fn no_two_sign_ins_share_a_secret_and_debug_shows_none() {
    let entra = entra(&"http://localhost:1".parse().unwrap());
    let [one, two] = [0, 1].map(|_| entra.start_authorize(&app(), &redirect_uri(), &[]));
    assert_ne!(one.state.expose_secret(), two.state.expose_secret());
    assert_ne!(one.verifier.expose_secret(), two.verifier.expose_secret());
    assert_ne!(one.nonce, two.nonce);

    let text = format!("{one:?} {entra:?} {:?}", app());
    for secret in [one.state.expose_secret(), one.verifier.expose_secret(), CLIENT_SECRET] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn admin_consent_is_asked_for_everything_in_the_registration() {
    let entra = entra(&"http://localhost:1".parse().unwrap());
    let url = entra.admin_consent_url(&app(), &redirect_uri(), &"st4te".into());
    assert_eq!(url.path(), format!("/{TENANT}/v2.0/adminconsent"));
    assert_eq!(
        url.query_pairs().into_owned().collect::<Vec<_>>(),
        pairs(&[
            ("client_id", &CLIENT.to_string()),
            ("scope", "http://localhost:1/.default"),
            ("redirect_uri", redirect_uri().as_str()),
            ("state", "st4te"),
        ])
    );
}

#[tokio::test]
async fn an_app_token_is_asked_for_with_the_secret_in_the_form() {
    let token = access_token_with_roles(&["User.Read.All", "DeviceManagementConfiguration.ReadWrite.All"]);
    let answer = json!({"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token});
    let vendor = Vendor::start([Canned::json(200, &answer)]).await;

    let issued = entra(&vendor.base).app_token(&app(), now()).await.unwrap();
    assert_eq!(issued.access.expose_secret(), token);
    assert_eq!(issued.expires_at, "2026-06-02T10:59:59Z".parse().unwrap());
    assert_eq!(issued.roles, ["User.Read.All", "DeviceManagementConfiguration.ReadWrite.All"]);

    let request = vendor.only();
    assert_eq!((request.method.as_str(), request.uri.path()), ("POST", &*format!("/{TENANT}/oauth2/v2.0/token")));
    assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!((request.header("origin"), request.header("authorization")), (None, None));
    assert_eq!(
        request.form(),
        pairs(&[
            ("client_id", &CLIENT.to_string()),
            ("client_secret", CLIENT_SECRET),
            ("grant_type", "client_credentials"),
            ("scope", &format!("{}.default", vendor.base)),
        ])
    );
}

#[tokio::test]
async fn an_opaque_app_token_is_good_and_tells_no_roles() {
    let answer = json!({"token_type": "Bearer", "expires_in": 9_999_999_999_u64, "access_token": "opaque"});
    let vendor = Vendor::start([Canned::json(200, &answer)]).await;
    let issued = entra(&vendor.base).app_token(&app(), now()).await.unwrap();
    assert!(issued.roles.is_empty());
    assert_eq!(issued.expires_at, "2026-06-04T10:00:00Z".parse().unwrap(), "no token is believed to live for years");
}

#[tokio::test]
async fn a_renewed_sign_in_brings_its_own_successor() {
    let answer = json!({"token_type": "Bearer", "expires_in": 3600, "access_token": ACCESS,
        "refresh_token": "second", "scope": "openid User.Read"});
    let without = json!({"token_type": "Bearer", "expires_in": 3600, "access_token": ACCESS});
    let vendor = Vendor::start([Canned::json(200, &answer), Canned::json(200, &without)]).await;
    let entra = entra(&vendor.base);

    let first = SecretString::from("first");
    let renewed = entra.refresh(&app(), &first, &["openid", "User.Read"], now()).await.unwrap();
    assert_eq!(renewed.refresh.as_ref().unwrap().expose_secret(), "second");
    assert_eq!(renewed.scopes, ["openid", "User.Read"]);
    assert_eq!(
        vendor.only().form(),
        pairs(&[
            ("client_id", &CLIENT.to_string()),
            ("client_secret", CLIENT_SECRET),
            ("grant_type", "refresh_token"),
            ("refresh_token", "first"),
            ("scope", "openid User.Read"),
        ])
    );

    let again = entra.refresh(&app(), &first, &[], now()).await.unwrap();
    assert_eq!(again.refresh.unwrap().expose_secret(), "first", "without a new one the old one stays in use");
}

#[tokio::test]
async fn a_refusal_tells_what_to_do_and_nothing_that_was_sent() {
    let body = json!({"error": "invalid_client", "error_codes": [7_000_215], "trace_id": "t", "correlation_id": "c",
        "error_description": format!("AADSTS7000215: Invalid client secret {CLIENT_SECRET}. Trace ID: t Correlation ID: c")});
    let vendor = Vendor::start([Canned::json(401, &body)]).await;
    let error = entra(&vendor.base).app_token(&app(), now()).await.unwrap_err();

    let Error::Entra(refusal) = &error else { panic!("{error:?}") };
    assert_eq!((refusal.aadsts, refusal.decision()), (Some(7_000_215), Decision::CheckSecret));
    assert_eq!(error.to_string(), "Entra ID refused: invalid_client: AADSTS7000215: Invalid client secret [redacted].");
    assert!(!everything_said(&error).contains(CLIENT_SECRET));
}

#[tokio::test]
async fn what_is_no_token_answer_is_told_apart() {
    let html = "<html><body>Service Unavailable</body></html>";
    let vendor = Vendor::start([
        Canned::text(502, html),
        Canned::text(400, html),
        Canned::text(200, html).header("content-type", "text/html"),
        Canned::json(200, &json!({"access_token": ACCESS})),
        Canned::text(200, &"x".repeat(300 * 1024)),
        Canned::text(302, "").header("location", "https://elsewhere.example/"),
    ])
    .await;
    let entra = entra(&vendor.base);
    let mut failures = Vec::new();
    for _ in 0..6 {
        let error = entra.app_token(&app(), now()).await.unwrap_err();
        assert!(!everything_said(&error).contains(ACCESS), "{error:?}");
        failures.push(error.to_string());
    }
    assert_eq!(
        failures,
        [
            "no clear answer to getting a token for the app (status 502)",
            "the answer to getting a token for the app cannot be read: a refusal without an OAuth error",
            "the answer to getting a token for the app cannot be read: it is not a token answer",
            "the answer to getting a token for the app cannot be read: it is not a token answer",
            "the answer to getting a token for the app cannot be read: it is longer than any real answer",
            "the answer to getting a token for the app cannot be read: a refusal without an OAuth error",
        ]
    );
}

#[tokio::test]
async fn entra_asks_to_wait_by_429_or_by_a_wait_on_503() {
    let busy = json!({"error": "temporarily_unavailable"});
    let vendor = Vendor::start([
        Canned::text(429, "<html>").header("retry-after", "7"),
        Canned::json(503, &busy).header("retry-after", "8"),
        Canned::json(503, &busy),
    ])
    .await;
    let entra = entra(&vendor.base);
    for seconds in [7, 8] {
        let error = entra.app_token(&app(), now()).await.unwrap_err();
        let Error::Throttled { retry_after: Some(wait), .. } = error else { panic!("{error:?}") };
        assert_eq!(wait.as_secs(), seconds);
    }
    let error = entra.app_token(&app(), now()).await.unwrap_err();
    assert!(matches!(error, Error::Unclear { status: Some(503), .. }), "{error:?}");
}

#[tokio::test]
async fn a_request_that_reached_nobody_is_told_from_one_without_an_answer() {
    let never = entra(&nobody().await).app_token(&app(), now()).await.unwrap_err();
    assert!(matches!(never, Error::NotSent { .. }), "{never:?}");
    let perhaps = entra(&hangs_up().await).app_token(&app(), now()).await.unwrap_err();
    assert!(matches!(perhaps, Error::Unclear { status: None, .. }), "{perhaps:?}");
    for error in [never, perhaps] {
        let said = everything_said(&error);
        assert!(!said.contains("http://") && !said.contains(CLIENT_SECRET), "{said}");
    }
}
