//! One HTTP exchange: bounded in time and size, no redirects, no cookies.

use std::time::Duration;

use reqwest::{Client, Request, StatusCode, header::HeaderMap, redirect::Policy};
use url::Url;

use crate::{Error, RequestIds, watch::Watched};

const CONNECT: Duration = Duration::from_secs(10);

/// For the whole answer. Microsoft's own import tool waits as long.
const ANSWER: Duration = Duration::from_secs(30);

/// A client for one base address; plain http stays possible only when that address is plain.
pub(crate) fn client(base: &Url) -> Result<Client, Error> {
    let is_encrypted = base.scheme() == "https";
    let mut builder = Client::builder()
        .user_agent("intune-smime")
        .connect_timeout(CONNECT)
        .timeout(ANSWER)
        // A redirect would take the token to wherever the answer says.
        .redirect(Policy::none())
        .referer(false)
        .https_only(is_encrypted);
    if !is_encrypted {
        // Allowed on this machine only; through a proxy the client secret would leave it.
        builder = builder.no_proxy();
    }
    builder.build().map_err(|source| Error::Client { source })
}

/// What came back. The body may be missing although the status is known, which matters after a write.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Result<Vec<u8>, Unread>,
}

pub(crate) enum Unread {
    TooLong,
    Broken(reqwest::Error),
}

/// Sends once and reads at most `limit` bytes.
pub(crate) async fn exchange(
    http: &Client,
    watched: &Watched,
    request: Request,
    limit: usize,
) -> Result<Answer, reqwest::Error> {
    let mut response = watched.over(http.execute(request)).await?;
    let headers = std::mem::take(response.headers_mut());
    let mut body = Ok(Vec::new());
    while let Ok(read) = &mut body {
        match response.chunk().await {
            Ok(Some(chunk)) if read.len() + chunk.len() > limit => body = Err(Unread::TooLong),
            Ok(Some(chunk)) => read.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(source) => body = Err(Unread::Broken(source)),
        }
    }
    Ok(Answer { status: response.status(), headers, body })
}

impl Answer {
    /// The body of an answer that is useless without it.
    pub(crate) fn into_body(self, request: &'static str, ids: Option<RequestIds>) -> Result<Vec<u8>, Error> {
        self.body.map_err(|unread| match unread {
            Unread::TooLong => Error::Unreadable { request, reason: "it is longer than any real answer" },
            Unread::Broken(source) => Error::unanswered(request, ids, source),
        })
    }

    /// The body of a refusal: worth reading, but nothing depends on it.
    pub(crate) fn body_if_read(&self) -> &[u8] {
        self.body.as_deref().unwrap_or_default()
    }
}
