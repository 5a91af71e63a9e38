//! Who signed in: every way in which an ID token proves nothing, and the keys it is checked against.

use std::sync::LazyLock;

use aws_lc_rs::{
    encoding::AsDer,
    hmac,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::ToSpan;
use microsoft::{
    Entra, Error,
    entra::{IdTokenFault, SignedIn},
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    ACCESS, CLIENT, CLIENT_SECRET, PERSON, TENANT, app, entra, everything_said, now,
    vendor::{Canned, Vendor},
};

const NONCE: &str = "the-nonce-of-this-sign-in";

static KEY: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeySize::Rsa2048).unwrap());
static OTHER_KEY: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeySize::Rsa2048).unwrap());

fn header() -> Value {
    json!({"alg": "RS256", "typ": "JWT", "kid": "first"})
}

fn claims(vendor: &Vendor) -> Value {
    let now = now().as_second();
    json!({"iss": issuer(vendor), "aud": CLIENT, "tid": TENANT, "oid": PERSON, "nonce": NONCE, "iat": now, "nbf": now,
        "exp": now + 3600, "name": "Åsa Öberg", "preferred_username": "asa@example.com", "roles": ["operator"], "ver": "2.0"})
}

fn issuer(vendor: &Vendor) -> String {
    vendor.link(&format!("{TENANT}/v2.0"))
}

fn signing_input(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

fn signed(key: &KeyPair, header: &Value, claims: &Value) -> String {
    let input = signing_input(header, claims);
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input.as_bytes(), &mut signature).unwrap();
    format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// The modulus stands at a fixed place in the DER of a 2048-bit RSAPublicKey (RFC 8017, A.1.1), before 65537.
fn modulus(key: &KeyPair) -> &[u8] {
    let der = key.public_key().as_ref();
    assert_eq!((der.len(), &der[..9]), (270, &[0x30, 0x82, 1, 0x0a, 2, 0x82, 1, 1, 0][..]));
    &der[9..265]
}

fn jwk(key_id: &str, key: &KeyPair) -> Value {
    json!({"kty": "RSA", "use": "sig", "kid": key_id, "x5t": key_id, "e": "AQAB",
        "n": BASE64_URL_SAFE_NO_PAD.encode(modulus(key)), "x5c": ["MIIB"], "cloud_instance_name": "microsoftonline.com"})
}

fn token(id_token: &str) -> Canned {
    Canned::json(
        200,
        &json!({"token_type": "Bearer", "expires_in": 3599, "scope": "openid profile", "access_token": ACCESS,
            "refresh_token": "refresh-me", "id_token": id_token}),
    )
}

fn discovery(vendor: &Vendor) -> Canned {
    let keys = vendor.link(&format!("{TENANT}/discovery/v2.0/keys"));
    Canned::json(200, &json!({"issuer": issuer(vendor), "jwks_uri": keys}))
}

fn keys(keys: &[Value]) -> Canned {
    Canned::json(200, &json!({"keys": keys}))
}

async fn redeem(entra: &Entra, now: jiff::Timestamp) -> Result<SignedIn, Error> {
    let redirect_uri = "https://smime.example/oauth2/callback".parse().unwrap();
    entra.redeem(&app(), &redirect_uri, &"the-code".into(), &"v".repeat(43).into(), NONCE, now).await
}

/// What becomes of one ID token, the tenant's keys being `KEY` as "first".
async fn fault_of(id_token: impl FnOnce(&Vendor) -> String) -> Option<IdTokenFault> {
    let vendor = Vendor::start([]).await;
    vendor.then([token(&id_token(&vendor)), discovery(&vendor), keys(&[jwk("first", &KEY)])]);
    match redeem(&entra(&vendor.base), now()).await {
        Ok(_) => None,
        Err(Error::IdToken(fault)) => Some(fault),
        Err(other) => panic!("{other:?}"),
    }
}

async fn fault_of_claim(name: &str, value: Value) -> Option<IdTokenFault> {
    fault_of(|vendor| {
        let mut claims = claims(vendor);
        claims[name] = value;
        signed(&KEY, &header(), &claims)
    })
    .await
}

#[tokio::test]
async fn a_code_is_redeemed_for_a_proved_person_and_their_tokens() {
    let vendor = Vendor::start([]).await;
    let id_token = signed(&KEY, &header(), &claims(&vendor));
    vendor.then([token(&id_token), discovery(&vendor), keys(&[jwk("first", &KEY)])]);

    let person = redeem(&entra(&vendor.base), now()).await.unwrap();
    assert_eq!((person.object_id, person.tenant_id), (PERSON, TENANT));
    assert_eq!(person.name.as_deref(), Some("Åsa Öberg"));
    assert_eq!(person.preferred_username.as_deref(), Some("asa@example.com"));
    assert_eq!(person.roles, ["operator"]);
    assert_eq!(person.tokens.access.expose_secret(), ACCESS);
    assert_eq!(person.tokens.refresh.as_ref().unwrap().expose_secret(), "refresh-me");
    assert_eq!(person.tokens.expires_at, "2026-06-02T10:59:59Z".parse().unwrap());
    let said = format!("{person:?}");
    assert!(!said.contains(ACCESS) && !said.contains("refresh-me"), "{said}");

    assert_eq!(
        vendor.paths(),
        [
            format!("/{TENANT}/oauth2/v2.0/token"),
            format!("/{TENANT}/v2.0/.well-known/openid-configuration"),
            format!("/{TENANT}/discovery/v2.0/keys"),
        ]
    );
    let form = vendor.seen()[0].form();
    let expected = [
        ("client_id", CLIENT.to_string()),
        ("client_secret", CLIENT_SECRET.to_owned()),
        ("code", "the-code".to_owned()),
        ("code_verifier", "v".repeat(43)),
        ("grant_type", "authorization_code".to_owned()),
        ("redirect_uri", "https://smime.example/oauth2/callback".to_owned()),
    ];
    assert_eq!(form, expected.map(|(name, value)| (name.to_owned(), value)));
}

#[tokio::test]
async fn a_token_for_another_app_tenant_issuer_or_sign_in_is_refused() {
    let other = json!(Uuid::from_u128(1));
    assert_eq!(fault_of_claim("aud", other.clone()).await, Some(IdTokenFault::Audience));
    assert_eq!(fault_of_claim("tid", other).await, Some(IdTokenFault::Tenant));
    assert_eq!(fault_of_claim("iss", json!("https://login.evil.example")).await, Some(IdTokenFault::Issuer));
    assert_eq!(fault_of_claim("nonce", json!("of another sign-in")).await, Some(IdTokenFault::Nonce));
    assert_eq!(fault_of_claim("nonce", Value::Null).await, Some(IdTokenFault::Nonce));
}

#[tokio::test]
async fn a_token_is_good_within_five_minutes_of_its_times_and_not_beyond() {
    let now = now().as_second();
    assert_eq!(fault_of_claim("exp", json!(now - 299)).await, None);
    assert_eq!(fault_of_claim("exp", json!(now - 300)).await, Some(IdTokenFault::Expired));
    assert_eq!(fault_of_claim("nbf", json!(now + 300)).await, None);
    assert_eq!(fault_of_claim("nbf", json!(now + 301)).await, Some(IdTokenFault::NotYetValid));
}

#[tokio::test]
async fn a_token_without_what_names_the_person_is_malformed() {
    for name in ["oid", "tid", "exp", "aud", "iss"] {
        assert_eq!(fault_of_claim(name, Value::Null).await, Some(IdTokenFault::Malformed), "{name}");
    }
    assert_eq!(fault_of(|_| "not.a.jwt".to_owned()).await, Some(IdTokenFault::Malformed));
}

#[tokio::test]
async fn an_unsigned_token_is_refused() {
    let unsigned = |vendor: &Vendor| {
        let header = json!({"alg": "none", "typ": "JWT", "kid": "first"});
        format!("{}.", signing_input(&header, &claims(vendor)))
    };
    assert!(fault_of(unsigned).await.is_some());
}

#[tokio::test]
async fn a_token_authenticated_with_the_public_key_is_refused() {
    let confused = |vendor: &Vendor| {
        let input = signing_input(&json!({"alg": "HS256", "typ": "JWT", "kid": "first"}), &claims(vendor));
        let der = KEY.public_key().as_der().unwrap();
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, der.as_ref()), input.as_bytes());
        format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag))
    };
    assert_eq!(fault_of(confused).await, Some(IdTokenFault::Algorithm));
}

#[tokio::test]
async fn a_token_signed_with_another_key_or_changed_after_signing_is_refused() {
    let forged = |vendor: &Vendor| signed(&OTHER_KEY, &header(), &claims(vendor));
    assert_eq!(fault_of(forged).await, Some(IdTokenFault::Signature));

    let changed = |vendor: &Vendor| {
        let token = signed(&KEY, &header(), &claims(vendor));
        let (_, signature) = token.rsplit_once('.').unwrap();
        let mut claims = claims(vendor);
        claims["oid"] = json!(Uuid::from_u128(2));
        format!("{}.{signature}", signing_input(&header(), &claims))
    };
    assert_eq!(fault_of(changed).await, Some(IdTokenFault::Signature));
}

#[tokio::test]
async fn an_answer_without_an_id_token_proves_nobody() {
    let answer = json!({"token_type": "Bearer", "expires_in": 3599, "access_token": ACCESS});
    let vendor = Vendor::start([Canned::json(200, &answer)]).await;
    let error = redeem(&entra(&vendor.base), now()).await.unwrap_err();
    assert!(matches!(error, Error::IdToken(IdTokenFault::Missing)), "{error:?}");
    assert!(!everything_said(&error).contains(ACCESS));
}

#[tokio::test]
async fn known_keys_are_read_once_a_day() {
    let vendor = Vendor::start([]).await;
    let id_token = signed(&KEY, &header(), &claims(&vendor));
    let entra = entra(&vendor.base);
    vendor.then([token(&id_token), discovery(&vendor), keys(&[jwk("first", &KEY)])]);
    redeem(&entra, now()).await.unwrap();
    vendor.then([token(&id_token)]);
    redeem(&entra, now() + 1.minute()).await.unwrap();
    assert_eq!(vendor.seen().len(), 4);

    vendor.then([token(&id_token), discovery(&vendor), keys(&[])]);
    let error = redeem(&entra, now() + 24.hours()).await.unwrap_err();
    assert!(matches!(error, Error::IdToken(IdTokenFault::UnknownKey)), "a withdrawn key does not live on: {error:?}");
}

#[tokio::test]
async fn a_new_key_is_fetched_once_when_it_first_appears() {
    let vendor = Vendor::start([]).await;
    let entra = entra(&vendor.base);
    vendor.then([token(&signed(&KEY, &header(), &claims(&vendor))), discovery(&vendor), keys(&[jwk("first", &KEY)])]);
    redeem(&entra, now()).await.unwrap();

    let second = json!({"alg": "RS256", "kid": "second"});
    let unreadable = json!({"kty": "LATTICE", "use": 7, "kid": "third"});
    vendor.then([
        token(&signed(&OTHER_KEY, &second, &claims(&vendor))),
        discovery(&vendor),
        keys(&[unreadable, jwk("first", &KEY), jwk("second", &OTHER_KEY)]),
    ]);
    redeem(&entra, now()).await.unwrap();
    assert_eq!(vendor.seen().len(), 6);

    let unpublished = json!({"alg": "RS256", "kid": "unpublished"});
    vendor.then([
        token(&signed(&OTHER_KEY, &unpublished, &claims(&vendor))),
        discovery(&vendor),
        keys(&[jwk("second", &OTHER_KEY)]),
    ]);
    let error = redeem(&entra, now()).await.unwrap_err();
    assert!(matches!(error, Error::IdToken(IdTokenFault::UnknownKey)), "{error:?}");
    assert_eq!(vendor.seen().len(), 9);
}

#[tokio::test]
async fn a_key_for_encryption_verifies_nothing() {
    let vendor = Vendor::start([]).await;
    let mut key = jwk("first", &KEY);
    key["use"] = json!("enc");
    vendor.then([token(&signed(&KEY, &header(), &claims(&vendor))), discovery(&vendor), keys(&[key])]);
    let error = redeem(&entra(&vendor.base), now()).await.unwrap_err();
    assert!(matches!(error, Error::IdToken(IdTokenFault::UnknownKey)), "{error:?}");
}

#[tokio::test]
async fn discovery_must_name_the_tenant_and_a_protected_address() {
    let vendor = Vendor::start([]).await;
    let entra = entra(&vendor.base);
    let id_token = signed(&KEY, &header(), &claims(&vendor));

    let common =
        json!({"issuer": "https://login.microsoftonline.com/{tenantid}/v2.0", "jwks_uri": vendor.link("keys")});
    vendor.then([token(&id_token), Canned::json(200, &common)]);
    let error = redeem(&entra, now()).await.unwrap_err();
    assert!(matches!(error, Error::IdToken(IdTokenFault::Issuer)), "{error:?}");

    let open = json!({"issuer": issuer(&vendor), "jwks_uri": "http://keys.example/"});
    vendor.then([token(&id_token), Canned::json(200, &open)]);
    let error = redeem(&entra, now()).await.unwrap_err();
    assert!(matches!(error, Error::Unreadable { .. }), "{error:?}");
}

#[tokio::test]
async fn an_unknown_tenant_shows_at_discovery() {
    let vendor = Vendor::start([]).await;
    let body = json!({"error": "invalid_tenant", "error_codes": [90_002],
        "error_description": "AADSTS90002: Tenant not found."});
    vendor.then([token(&signed(&KEY, &header(), &claims(&vendor))), Canned::json(400, &body)]);
    let error = redeem(&entra(&vendor.base), now()).await.unwrap_err();
    assert!(matches!(&error, Error::Entra(refusal) if refusal.aadsts == Some(90_002)), "{error:?}");
}
