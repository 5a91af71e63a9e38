//! Where SSL.com calls back: it passes the call on to the program, and remembers what came with it.

use std::sync::{Arc, Mutex, OnceLock};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use tokio::net::TcpListener;

/// It is there before the program, whose address nobody knows beforehand.
pub(super) struct Relay {
    address: String,
    calls: Arc<Calls>,
}

#[derive(Default)]
struct Calls {
    program: OnceLock<String>,
    /// The token of the path and the password of each call.
    secrets: Mutex<Vec<(String, String)>>,
}

impl Relay {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let calls = Arc::<Calls>::default();
        let router = Router::new().fallback(pass_on).with_state(Arc::clone(&calls));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, calls }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn leads_to(&self, program: &str) {
        self.calls.program.set(program.to_owned()).unwrap();
    }

    pub(super) fn secrets(&self) -> Vec<(String, String)> {
        self.calls.secrets.lock().unwrap().clone()
    }
}

async fn pass_on(State(calls): State<Arc<Calls>>, uri: Uri, headers: HeaderMap) -> StatusCode {
    let authorization = headers[header::AUTHORIZATION].to_str().unwrap();
    let credentials = BASE64_STANDARD.decode(authorization.strip_prefix("Basic ").unwrap()).unwrap();
    let credentials = String::from_utf8(credentials).unwrap();
    let (_, password) = credentials.split_once(':').unwrap();
    let token = uri.path().rsplit('/').next().unwrap();
    calls.secrets.lock().unwrap().push((token.to_owned(), password.to_owned()));
    let to = format!("{}{uri}", calls.program.get().unwrap());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = http.post(to).header(header::AUTHORIZATION, authorization).send().await.unwrap();
    answer.status()
}
