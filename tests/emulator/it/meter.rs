//! Between the functions and AWS: notes every call with who made it, and lets chosen ones fail as AWS would let them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, OnceLock},
};

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::Value;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use crate::front::{pass_on, read};

/// How a call fails.
#[derive(Clone, Copy)]
pub(crate) enum Failure {
    /// DynamoDB has no capacity for it.
    Throttled,
    /// The role has no right to it.
    Denied,
}

impl Failure {
    fn answer(self) -> Response {
        let body = match self {
            Self::Throttled => {
                r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"The level of configured provisioned throughput for the table was exceeded."}"#
            }
            Self::Denied => r#"{"__type":"AccessDeniedException","message":"User is not authorized to perform this."}"#,
        };
        (StatusCode::BAD_REQUEST, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], body).into_response()
    }
}

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// AWS does nothing and says that it was too much, as often as the SDK asks.
    Throttled,
    /// AWS does it, and the connection breaks before the answer is there.
    AnswerLost,
    /// The same, as often as the SDK asks.
    AnswersLost,
    /// AWS does it and answers 500.
    ErrorAfterActing,
    /// It is kept from AWS until the function's process is dead.
    KilledBefore,
    /// AWS does it, and its answer is kept until the function's process is dead.
    KilledAfter,
}

impl Trouble {
    pub(crate) const ALL: [Self; 6] = [
        Self::Throttled,
        Self::AnswerLost,
        Self::AnswersLost,
        Self::ErrorAfterActing,
        Self::KilledBefore,
        Self::KilledAfter,
    ];

    pub(crate) fn kills(self) -> bool {
        matches!(self, Self::KilledBefore | Self::KilledAfter)
    }

    /// How many requests in a row it meets: the SDK sends a call five times.
    fn requests(self) -> u32 {
        if matches!(self, Self::Throttled | Self::AnswersLost) { 5 } else { 1 }
    }
}

/// One call that meets trouble.
struct Armed {
    call: Call,
    /// So many calls of its kind go well before it.
    spared: u32,
    left: u32,
    trouble: Trouble,
    /// Told when the call is there. A killer answers when the process is dead.
    met: Option<oneshot::Sender<oneshot::Sender<()>>>,
}

/// One kind of call: by this function, this action as IAM names it, e.g. `dynamodb:Query`; with `/index` where it asks
/// an index, and with the last part of a secret's name.
pub(crate) type Call = (String, String);

/// What calls of one kind came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    pub(crate) calls: u64,
    /// Of DynamoDB: units of writing or reading, where every item is small (see [`units`]).
    pub(crate) units: u64,
}

/// A proxy that the functions take for AWS.
pub(crate) struct Meter {
    url: String,
    inside: Arc<Inside>,
    serving: JoinHandle<()>,
}

struct Inside {
    http: reqwest::Client,
    aws: OnceLock<String>,
    /// Access keys to the functions that they belong to.
    callers: Mutex<BTreeMap<String, String>>,
    calls: Mutex<BTreeMap<Call, Sum>>,
    /// The rights that the calls needed: of a transaction those of its parts.
    used: Mutex<BTreeSet<Call>>,
    denied: Mutex<BTreeSet<Call>>,
    /// Begin of the actions' names, and how they fail.
    failing: Mutex<Vec<(String, Failure)>>,
    failed: Mutex<u64>,
    armed: Mutex<Option<Armed>>,
}

impl Meter {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inside = Arc::new(Inside {
            http: crate::http(),
            aws: OnceLock::new(),
            callers: Mutex::default(),
            calls: Mutex::default(),
            used: Mutex::default(),
            denied: Mutex::default(),
            failing: Mutex::default(),
            failed: Mutex::default(),
            armed: Mutex::default(),
        });
        let router = Router::new().fallback(forward).with_state(Arc::clone(&inside));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, inside, serving }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn leads_to(&self, emulator: &str) {
        self.inside.aws.set(emulator.to_owned()).unwrap();
    }

    /// The emulator makes a function's access key out of its ARN and its role's.
    pub(crate) fn knows(&self, function: &str, function_arn: &str, role_arn: &str) {
        let hash = digest(&SHA256, format!("{function_arn}:{role_arn}").as_bytes());
        let hexadecimal: String = hash.as_ref().iter().take(8).map(|byte| format!("{byte:02X}")).collect();
        self.inside.callers.lock().unwrap().insert(format!("ASIA{hexadecimal}"), function.to_owned());
    }

    /// The calls since the last time.
    pub(crate) fn take(&self) -> BTreeMap<Call, Sum> {
        std::mem::take(&mut *self.inside.calls.lock().unwrap())
    }

    /// Every right that a function used so far.
    pub(crate) fn used(&self) -> BTreeSet<Call> {
        self.inside.used.lock().unwrap().clone()
    }

    /// The kinds of calls that AWS denied since the last time.
    pub(crate) fn take_denied(&self) -> BTreeSet<Call> {
        std::mem::take(&mut *self.inside.denied.lock().unwrap())
    }

    pub(crate) fn has_denied(&self, function: &str, action: &str) -> bool {
        let denied = self.inside.denied.lock().unwrap();
        denied.iter().any(|(by, what)| by == function && what.starts_with(action))
    }

    /// Every call whose action begins so fails from now on.
    pub(crate) fn fail(&self, action: &str, failure: Failure) {
        self.inside.failing.lock().unwrap().push((action.to_owned(), failure));
    }

    /// The call of this kind after so many more meets trouble, in place of what was armed before. The receiver hears when it is
    /// there, and gives word when the process is dead that a killer waits for.
    pub(crate) fn arm(&self, call: &Call, spared: u32, trouble: Trouble) -> oneshot::Receiver<oneshot::Sender<()>> {
        let (met, meets) = oneshot::channel();
        let armed = Armed { call: call.clone(), spared, left: trouble.requests(), trouble, met: Some(met) };
        *self.inside.armed.lock().unwrap() = Some(armed);
        meets
    }

    /// Nothing fails any more.
    pub(crate) fn recover(&self) {
        self.inside.failing.lock().unwrap().clear();
        *self.inside.armed.lock().unwrap() = None;
    }

    /// How many calls failed because a test wanted it.
    pub(crate) fn failed(&self) -> u64 {
        *self.inside.failed.lock().unwrap()
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn forward(State(inside): State<Arc<Inside>>, request: Request) -> Response {
    let Some(aws) = inside.aws.get() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let (parts, body) = request.into_parts();
    let body = read(body).await;
    let content = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let action = action(&parts.headers, &content);
    let call = (inside.caller(&parts.headers), action);
    {
        let mut calls = inside.calls.lock().unwrap();
        let sum = calls.entry(call.clone()).or_default();
        sum.calls += 1;
        sum.units += units(&call.1, &content);
    }
    for right in rights(&call.1, &content) {
        inside.used.lock().unwrap().insert((call.0.clone(), right));
    }
    let failing = inside.failing.lock().unwrap().iter().find(|(begin, _)| call.1.starts_with(begin)).map(|row| row.1);
    if let Some(failure) = failing {
        *inside.failed.lock().unwrap() += 1;
        return failure.answer();
    }
    let (trouble, killed) = inside.meets(&call).unzip();
    match trouble {
        Some(Trouble::Throttled) => return Failure::Throttled.answer(),
        Some(Trouble::KilledBefore) => {
            dead(killed).await;
            return StatusCode::BAD_GATEWAY.into_response();
        }
        _ => {}
    }
    let url = format!("{aws}{}", parts.uri);
    let response = pass_on(&inside.http, parts.method, &url, parts.headers, body).await;
    match trouble {
        Some(Trouble::AnswerLost | Trouble::AnswersLost) => return broken_off(),
        Some(Trouble::ErrorAfterActing) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Some(Trouble::KilledAfter) => dead(killed).await,
        _ => {}
    }
    if !response.status().is_client_error() {
        return response;
    }
    let (head, body) = response.into_parts();
    let body: Bytes = read(body).await;
    if String::from_utf8_lossy(&body).contains("AccessDenied") {
        inside.denied.lock().unwrap().insert(call);
    }
    Response::from_parts(head, body.into())
}

/// Waits until the process that asked is dead.
async fn dead(killed: Option<Option<oneshot::Receiver<()>>>) {
    if let Some(Some(killed)) = killed {
        let _ = killed.await;
    }
}

/// The head of an answer, and a connection that ends before its body.
fn broken_off() -> Response {
    let nothing = futures_util::stream::once(async { Err::<Bytes, _>(std::io::Error::other("broken off")) });
    ([(header::CONTENT_LENGTH, "1000")], Body::from_stream(nothing)).into_response()
}

impl Inside {
    /// Whether this request meets trouble, and for a killer how it hears of the end.
    fn meets(&self, call: &Call) -> Option<(Trouble, Option<oneshot::Receiver<()>>)> {
        let mut armed = self.armed.lock().unwrap();
        let met = armed.as_mut().filter(|armed| armed.call == *call)?;
        if met.spared > 0 {
            met.spared -= 1;
            return None;
        }
        met.left = met.left.checked_sub(1)?;
        let (dead, hears) = oneshot::channel();
        let told = met.met.take().is_some_and(|met| met.send(dead).is_ok());
        Some((met.trouble, told.then_some(hears)))
    }

    fn caller(&self, headers: &HeaderMap) -> String {
        let signed = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let key = signed.split_once("Credential=").and_then(|(_, rest)| rest.split('/').next()).unwrap_or_default();
        self.callers.lock().unwrap().get(key).cloned().unwrap_or_else(|| "somebody".to_owned())
    }
}

fn action(headers: &HeaderMap, content: &Value) -> String {
    let target = headers.get("x-amz-target").and_then(|name| name.to_str().ok()).unwrap_or("unknown.Unknown");
    let (service, name) = target.split_once('.').unwrap_or((target, ""));
    let service = match service {
        "DynamoDB_20120810" => "dynamodb",
        "TrentService" => "kms",
        "AmazonSQS" => "sqs",
        other => other,
    };
    // IAM has one action for one message and for ten.
    let name = name.strip_suffix("Batch").unwrap_or(name);
    let about = if content.get("IndexName").is_some() {
        "/index"
    } else {
        let secret = content["SecretId"].as_str().or_else(|| content["Name"].as_str()).unwrap_or_default();
        secret.rfind('/').map_or("", |at| &secret[at..])
    };
    format!("{service}:{name}{about}")
}

fn rights(action: &str, content: &Value) -> Vec<String> {
    if action != "dynamodb:TransactWriteItems" {
        return vec![action.to_owned()];
    }
    let parts = content["TransactItems"].as_array().into_iter().flatten();
    let right = |part: &Value| part.as_object().and_then(|part| part.keys().next().cloned());
    parts.filter_map(right).map(|name| format!("dynamodb:{}Item", name.trim_end_matches("Item"))).collect()
}

/// Request units of DynamoDB, on demand, for items of at most 1 KB: a write is one, and one for each index in which the
/// item stands; in a transaction twice as many. A consistent read is one; of a query of an index half, counted as one.
fn units(action: &str, content: &Value) -> u64 {
    const INDEXES: [&str; 6] = ["p1", "p2", "p3", "p4", "p5", "pd"];
    let write = |content: &Value| {
        let text = content.to_string();
        1 + INDEXES.iter().filter(|name| text.contains(&format!("\"{name}\""))).count() as u64
    };
    match action.strip_prefix("dynamodb:") {
        Some("PutItem" | "UpdateItem" | "DeleteItem") => write(content),
        Some("TransactWriteItems") => {
            content["TransactItems"].as_array().into_iter().flatten().map(|row| 2 * write(row)).sum()
        }
        Some("BatchWriteItem") => {
            let tables = content["RequestItems"].as_object().into_iter().flatten();
            tables.flat_map(|(_, rows)| rows.as_array().into_iter().flatten()).map(write).sum()
        }
        Some("BatchGetItem") => {
            let tables = content["RequestItems"].as_object().into_iter().flatten();
            tables.map(|(_, asked)| asked["Keys"].as_array().map_or(0, |keys| keys.len() as u64)).sum()
        }
        Some(_) => 1,
        None => 0,
    }
}
