//! What stands between browsers or SSL.com and the HTTP API: an address that is known before the stack is deployed.

use std::sync::{Arc, OnceLock};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::http;

/// A reverse proxy in front of the deployed API.
pub(crate) struct Front {
    url: String,
    api: Arc<OnceLock<String>>,
    serving: JoinHandle<()>,
}

impl Front {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let api = Arc::new(OnceLock::new());
        let router = Router::new().fallback(forward).with_state((Arc::clone(&api), http()));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, api, serving }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// From now on requests go to this API. By its path, not by its host: under the host's name the emulator answers
    /// `/health` itself.
    pub(crate) fn leads_to(&self, emulator: &str, api: &str) {
        self.api.set(format!("{emulator}/_aws/execute-api/{api}/$default")).unwrap();
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn forward(State((api, http)): State<(Arc<OnceLock<String>>, reqwest::Client)>, request: Request) -> Response {
    let Some(api) = api.get() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let (parts, body) = request.into_parts();
    let url = format!("{api}{}", parts.uri);
    pass_on(&http, parts.method, &url, parts.headers, read(body).await).await
}

pub(crate) async fn read(body: Body) -> Bytes {
    axum::body::to_bytes(body, 16 << 20).await.unwrap_or_default()
}

/// Sends a request on as it is and answers what came back.
pub(crate) async fn pass_on(
    http: &reqwest::Client,
    method: axum::http::Method,
    url: &str,
    mut headers: axum::http::HeaderMap,
    body: Bytes,
) -> Response {
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::TRANSFER_ENCODING);
    let Ok(answer) = http.request(method, url).headers(headers).body(body).send().await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    for (name, value) in answer.headers() {
        if ![header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION].contains(name) {
            response.headers_mut().append(name, value.clone());
        }
    }
    *response.body_mut() = Body::from(answer.bytes().await.unwrap_or_default());
    response
}
