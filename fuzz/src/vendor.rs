//! A vendor on this machine that answers every request with the same bytes, over connections that stay open.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use url::Url;

/// One answer. The first byte of an input chooses a call, the second the status; then comes a line for the header
/// `Retry-After`, and the rest is the body.
#[derive(Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) header: String,
    pub(crate) body: Vec<u8>,
}

/// Every kind that the clients tell apart.
const STATUSES: [u16; 20] =
    [200, 201, 202, 204, 206, 302, 400, 401, 403, 404, 408, 409, 410, 412, 422, 429, 500, 502, 503, 504];

impl Answer {
    /// The chosen call and the answer to it.
    pub(crate) fn read(bytes: &[u8]) -> Option<(u8, Self)> {
        let [call, status, rest @ ..] = bytes else { return None };
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let header = rest[..end].iter().filter(|byte| (0x20..0x7f).contains(*byte)).map(|byte| char::from(*byte));
        let status = STATUSES[usize::from(*status) % STATUSES.len()];
        Some((*call, Self { status, header: header.collect(), body: rest[end + 1..].to_vec() }))
    }
}

/// Stops with the runtime that it was started on.
#[derive(Clone)]
pub(crate) struct Vendor {
    pub(crate) base: Url,
    answer: Arc<Mutex<Answer>>,
}

impl Vendor {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let answer = Arc::new(Mutex::new(Answer::default()));
        let base = Url::parse(&format!("http://{address}")).expect("an address");
        let (answers, own) = (Arc::clone(&answer), base.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&answers), own.clone()));
            }
        });
        Self { base, answer }
    }

    pub(crate) fn will_answer(&self, answer: Answer) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }
}

async fn serve(mut stream: TcpStream, answer: Arc<Mutex<Answer>>, base: Url) -> io::Result<()> {
    let mut read = Vec::new();
    loop {
        let Some(length) = length_of_request(&read) else {
            if stream.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
            continue;
        };
        let answer = match discovery(&read, &base) {
            Some(body) => Answer { status: 200, body: body.into_bytes(), ..Answer::default() },
            None => answer.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        };
        read.drain(..length);
        stream.write_all(&written(&answer)).await?;
    }
}

/// Bytes of the first request, once all of it is there.
fn length_of_request(read: &[u8]) -> Option<usize> {
    let end = read.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = str::from_utf8(&read[..end]).ok()?.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let body: usize = length.map_or(0, |length| length.trim().parse().unwrap_or(0));
    (read.len() >= end + body).then_some(end + body)
}

/// What Entra publishes for a sign-in; an ID token is fuzzed against a key that does not change.
fn discovery(request: &[u8], base: &Url) -> Option<String> {
    let line = request.split(|byte| *byte == b'\r').next()?;
    let asks_for = |wanted: &str| line.windows(wanted.len()).any(|window| window == wanted.as_bytes());
    if asks_for("openid-configuration") {
        return Some(format!(r#"{{"issuer":"{base}issuer","jwks_uri":"{base}keys"}}"#));
    }
    // A modulus of 2048 bits, all ones.
    let modulus = "_".repeat(341);
    let key = format!(r#"{{"kty":"RSA","use":"sig","kid":"k","e":"AQAB","n":"{modulus}w"}}"#);
    asks_for("/keys").then(|| format!(r#"{{"keys":[{key}]}}"#))
}

fn written(answer: &Answer) -> Vec<u8> {
    let Answer { status, header, body } = answer;
    let retry_after = if header.is_empty() { String::new() } else { format!("retry-after: {header}\r\n") };
    if *status == 204 {
        return format!("HTTP/1.1 204 x\r\n{retry_after}\r\n").into_bytes();
    }
    let date = "date: Sun, 22 Nov 2026 12:00:00 GMT\r\ncontent-type: application/json";
    let length = body.len();
    let head = format!("HTTP/1.1 {status} x\r\n{date}\r\n{retry_after}content-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}
