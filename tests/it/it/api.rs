//! The HTTP surface as a client sees it: over a socket, on the local platform, with vendors that nobody reaches.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod bad_input;
mod document;
mod isolation;
mod log;
mod requests;
mod roles;
mod secrets;
mod surface;

use std::sync::Arc;

use domain::{
    Batch, BatchId, Enrollment, EnrollmentId, IntegrationId, KeyAlgorithm, Money, Person, PersonId, Purpose, State,
    batch::{BatchStatus, PlanRow, Selection},
    enrollment::{CaFacet, IntuneFacet, KeyFacet, Product, Subject},
    operator::Role,
};
use flow::{Deployment, Flow, VendorEndpoints};
use jiff::Timestamp;
use local::platform::LocalPlatform;
use ports::{Clock, IntegrationStore, Platform, Store};
use reqwest::{Method, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use url::Url;
use uuid::Uuid;
use web::{Access, ApiToken, Options};

const ROLES: [Role; 5] = [Role::Viewer, Role::Operator, Role::Approver, Role::Recovery, Role::Admin];

/// A key that nobody has the private half of.
const CONNECTOR_KEY: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA6vY6KPkONwv4T5tL4qyY
Z1VV+7j7fJEeRRbApuEgaJWPIdIXCZMgL8jh3wLzYikxvLXeBStc3MrHCxxDDSdF
Xm2IlGB7UcyPIf4538d4N8s/aYFm8ewPG1ayBNHd7ZvR8gNvYjo7T4Grhy6jThxS
K7f72hYdeKX4MlI+WteFgOMDejGbDR9H9rjmfwOjdDBKxBKeK35uKs/at/QvyTTb
mgADMHMsjk8yE22sFg1xA0AM5cX9VV0AeWmJfluMT0hkRzcG/QOScBNayG2JPkB0
TAltOvylrGBzRVttdIRPxbYVOUBuTypXR/cUFB9ceqoqKhBL2F+ljQVhQBfOFYHi
MwIDAQAB
-----END PUBLIC KEY-----";

/// The server under test. It ends with the value.
struct Server {
    base: String,
    http: reqwest::Client,
    platform: LocalPlatform,
    access: Access,
    serving: JoinHandle<()>,
    _directory: TempDir,
}

/// What a server answered.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|problem| panic!("{problem}: {}", self.text))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The last part of the problem's type. Every problem is checked for what all problems have.
    fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let body = self.json();
        assert_eq!(body["status"], self.status.as_u16());
        assert_eq!(body["instance"], format!("urn:uuid:{}", body["reference"].as_str().unwrap()));
        assert!(!body["title"].as_str().unwrap().is_empty() && !body["detail"].as_str().unwrap().is_empty());
        body["type"].as_str().unwrap().strip_prefix("urn:intune-smime:problem:").unwrap().to_owned()
    }

    /// The fields that a problem names.
    fn fields(&self) -> Vec<String> {
        let errors = self.json()["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
    }
}

impl Server {
    async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    async fn start_with(options: Options) -> Self {
        // Nobody listens on port 1: a test that reaches for a vendor fails.
        Self::start_beside(Url::parse("http://127.0.0.1:1").unwrap(), options).await
    }

    /// With every vendor at this address.
    async fn start_beside(vendors: Url, options: Options) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let clock: Clock = Arc::new(move || now);
        let platform = LocalPlatform::open(directory.path(), clock.clone()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let vendors = VendorEndpoints {
            sslcom: sslcom::Endpoint::at(vendors.clone()),
            statuses: sslcom::StatusTable::default(),
            microsoft: Some(microsoft::Endpoints::new(vendors.clone(), vendors).unwrap()),
        };
        let redirect_url = Url::parse(&format!("{base}/oauth/callback")).unwrap();
        let deployment = Deployment { redirect_url, ..Deployment::default() };
        let flow = Flow::new(platform.clone(), vendors, deployment, clock).unwrap();
        let access = Access::new(ROLES.map(api_token).into());
        let router = web::router(flow, access.clone(), options);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { base, http, platform, access, serving, _directory: directory }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path).bearer_auth(token(Role::Viewer))).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        answer(self.request(Method::POST, path).bearer_auth(token(Role::Admin)).json(&body)).await
    }

    /// A new integration for a tenant of its own.
    async fn integration(&self) -> IntegrationId {
        let created = self.post("/api/integrations", settings()).await;
        assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
        created.json()["id"].as_str().unwrap().parse().unwrap()
    }

    fn rows(&self, integration: IntegrationId) -> impl IntegrationStore + use<> {
        self.platform.store().of(integration)
    }

    /// A person, a batch that waits for approval, and an enrollment of it in this state.
    async fn enrollment(&self, integration: IntegrationId, state: State) -> Enrollment {
        let rows = self.rows(integration);
        let person = person();
        let batch = batch(integration);
        let enrollment = enrollment(&batch, person.id, state);
        rows.put_people(std::slice::from_ref(&person)).await.unwrap();
        rows.create_batch(&batch, &[person.id]).await.unwrap();
        rows.put_plan_rows(&[PlanRow {
            batch: batch.id,
            person: person.id,
            assessment: Some(domain::assessment::Assessment::New),
            enrollment: Some(enrollment.id),
            ground: None,
        }])
        .await
        .unwrap();
        rows.create_enrollments(std::slice::from_ref(&enrollment)).await.unwrap();
        enrollment
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    Answer { status: response.status(), headers: response.headers().clone(), text: response.text().await.unwrap() }
}

fn word(role: Role) -> String {
    serde_json::to_value(role).unwrap().as_str().unwrap().to_owned()
}

fn token(role: Role) -> String {
    format!("token-of-{}", word(role))
}

fn api_token(role: Role) -> ApiToken {
    ApiToken::from_hex(word(role), &pki::sha256_hex(token(role).as_bytes()), role).unwrap()
}

/// Good settings for a tenant of its own.
fn settings() -> Value {
    json!({
        "name": "Example",
        "tenant_id": Uuid::new_v4(),
        "client_id": Uuid::new_v4(),
        "client_secret": "planted-client-secret",
        "intune_public_key": CONNECTOR_KEY,
        "sslcom_account_key": "planted-account-key",
        "sslcom_secret_key": "planted-secret-key",
        "registrant": {
            "organization": "Example GmbH",
            "street_address": "Weg 1",
            "locality": "Berlin",
            "state_or_province": "Berlin",
            "postal_code": "10115",
            "country": "DE",
        },
        "contact": {
            "first_name": "Anna",
            "last_name": "Berg",
            "email": "anna@example.com",
            "phone": "+49 30 1",
            "country": "DE",
        },
    })
}

fn person() -> Person {
    Person {
        id: PersonId(Uuid::new_v4()),
        user_principal_name: "anna.berg@example.com".into(),
        display_name: Some("Anna Berg".into()),
        given_name: Some("Anna".into()),
        surname: Some("Berg".into()),
        mail: None,
        primary_smtp: Some("anna.berg@example.com".into()),
        aliases: vec![],
        enabled: true,
        guest: false,
        plans: vec![],
        generation: 1,
        left: false,
    }
}

fn product() -> Product {
    Product { code: 700, days: 365, price: Money(3_800) }
}

fn batch(integration: IntegrationId) -> Batch {
    Batch {
        id: BatchId(Uuid::new_v4()),
        integration,
        purpose: Purpose::General,
        product: product(),
        selection: Selection::Listed,
        status: BatchStatus::Ready,
        ground: 1,
        requested_by: "operator".into(),
        approved_by: None,
        planned: 1,
        left_out: 0,
        total: Money(3_800),
        cursor: None,
        due_at: None,
        created_at: "2026-11-22T11:00:00Z".parse().unwrap(),
        version: 0,
    }
}

fn enrollment(batch: &Batch, person: PersonId, state: State) -> Enrollment {
    Enrollment {
        id: EnrollmentId(Uuid::new_v4()),
        integration: batch.integration,
        batch: batch.id,
        person,
        subject: Subject {
            mailbox: "anna.berg@example.com".parse().unwrap(),
            given_name: Some("Anna".into()),
            surname: Some("Berg".into()),
        },
        purpose: batch.purpose,
        product: product(),
        key_algorithm: KeyAlgorithm::Rsa2048,
        replaces: None,
        state,
        ca: CaFacet::None,
        intune: IntuneFacet::Absent,
        key: KeyFacet::None,
        attempt: 0,
        purchase: None,
        voucher: None,
        surplus: vec![],
        certificate: None,
        due_at: None,
        request_until: None,
        called_back_at: None,
        failures: 0,
        note: None,
        created_at: batch.created_at,
        changed_at: batch.created_at,
        version: 0,
        written_by: None,
    }
}
