//! What SSL.com answers, to each call. Money hangs on the answer to a purchase: a ref is an order whatever stands beside it,
//! and nothing but a clear refusal may be taken for one.

use std::{cell::OnceCell, error::Error as _};

use serde_json::{Map, Value};
use sslcom::{
    Client, Contacts, Credentials, CsrSubmission, Endpoint, Error, ListQuery, NewOrder, OrderRef, ProductCode,
    Registrant, StatusTable, Uncertainty,
};
use tokio::runtime::{Builder, Runtime};

use super::vendor::{Answer, Vendor};

const LONGEST_ANSWER: usize = 8 * 1024;
const ACCOUNT_KEY: &str = "account-key-1";
const SECRET_KEY: &str = "secret-key-2";

struct World {
    runtime: Runtime,
    vendor: Vendor,
    client: Client,
}

thread_local! {
    static WORLD: OnceCell<World> = const { OnceCell::new() };
}

pub fn read(bytes: &[u8]) {
    let Some((call, answer)) = Answer::read(bytes) else { return };
    WORLD.with(|world| {
        let world = world.get_or_init(World::new);
        world.vendor.will_answer(answer.clone());
        world.runtime.block_on(world.ask(call, &answer));
    });
}

impl World {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let vendor = runtime.block_on(Vendor::start());
        let endpoint = Endpoint { max_answer_bytes: LONGEST_ANSWER, ..Endpoint::at(vendor.base.clone()) };
        let client = Client::new(endpoint, StatusTable::default()).expect("a client");
        Self { runtime, vendor, client }
    }

    async fn ask(&self, call: u8, answer: &Answer) {
        let credentials = Credentials { account_key: ACCOUNT_KEY.into(), secret_key: SECRET_KEY.into() };
        let order_ref: OrderRef = "co-1".parse().expect("a ref");
        let client = &self.client;
        let outcome = match call % 8 {
            0 => {
                let bought = client.create(&credentials, &new_order()).await;
                judge_purchase(answer, bought.as_ref().map(|order| order.order_ref.as_str()));
                bought.map(drop)
            }
            1 => client.submit_csr(&credentials, &order_ref, &submission()).await.map(drop),
            2 => {
                let (registrant, contacts) = (Registrant::default(), Contacts::default());
                client.submit_registrant(&credentials, &order_ref, &registrant, &contacts).await.map(drop)
            }
            3 => client.request_mailbox_validation(&credentials, &order_ref, "anna@contoso.example").await.map(drop),
            4 => client.retry_validation(&credentials, &order_ref).await,
            5 => client.retrieve(&credentials, &order_ref).await.map(drop),
            6 => client.list(&credentials, &query()).await.map(drop),
            _ => client.revoke(&credentials, &order_ref, "keyCompromise", &["01".to_owned()]).await,
        };
        if answer.body.len() > LONGEST_ANSWER && answer.status != 204 {
            let oversized = matches!(&outcome, Err(Error::Unclear { source: Uncertainty::Oversized { .. }, .. }));
            assert!(oversized, "{outcome:?}");
        }
        if let Err(error) = outcome {
            judge(&error);
        }
    }
}

/// Reads the answer by itself: a ref of the documented form means that it was bought.
fn judge_purchase(answer: &Answer, bought: Result<&str, &Error>) {
    let body = if answer.status == 204 { &[] } else { answer.body.as_slice() };
    if body.len() > LONGEST_ANSWER {
        return;
    }
    let stated: Option<Map<String, Value>> = serde_json::from_slice(body.trim_ascii()).ok();
    let order_ref = stated.as_ref().and_then(|members| members.get("ref")).and_then(Value::as_str).map(str::trim);
    let documented =
        |text: &&str| text.starts_with("co-") && text.len() < 40 && text.bytes().all(|b| b.is_ascii_graphic());
    match (order_ref.filter(documented), bought) {
        (Some(stated), bought) => assert_eq!(bought.ok(), Some(stated), "an order was paid for and lost"),
        (None, Err(Error::Refused { http_status, .. })) => {
            assert!(matches!(http_status, 200..300 | 400..500), "{http_status}");
            assert_ne!(*http_status, 429);
        }
        (None, _) => {}
    }
}

/// It was asked, so it is never said that nobody was reached; and what was sent in confidence is not repeated.
fn judge(error: &Error) {
    assert!(!matches!(error, Error::NotSent { .. } | Error::Configuration { .. }), "{error:?}");
    let mut said = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(link) = cause {
        said += &link.to_string();
        cause = link.source();
    }
    for secret in [ACCOUNT_KEY, SECRET_KEY] {
        assert!(!said.contains(secret), "{said}");
    }
}

fn new_order() -> NewOrder {
    NewOrder {
        product: ProductCode(700),
        period_days: 365,
        external_order_number: "0197-1".to_owned(),
        callback: None,
        extra_fields: Map::new(),
    }
}

fn submission() -> CsrSubmission {
    CsrSubmission {
        csr_pem: "-----BEGIN CERTIFICATE REQUEST-----\nMA==\n-----END CERTIFICATE REQUEST-----\n".to_owned(),
        registrant: Registrant::default(),
        contacts: Contacts::default(),
        extra_fields: Map::new(),
    }
}

fn query() -> ListQuery {
    ListQuery { page: 0, per_page: 10, start: None, end: None, search: None, vouchers_only: false }
}
