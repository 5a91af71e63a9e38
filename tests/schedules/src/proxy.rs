//! Stands between the product's clients and a simulator: each request waits here until the schedule says what becomes of
//! it. A connection carries one request, so that a closed port is met by the very next one.

use std::{io, net::SocketAddr, sync::Arc};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, Method, Response, StatusCode},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

use crate::gate::{Arrival, Gate};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    SslCom,
    Entra,
    Graph,
}

/// A request that no vendor has seen, and the client that waits for its answer.
pub(crate) struct Request {
    pub(crate) sent: Sent,
    pub(crate) client: oneshot::Sender<Told>,
}

#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) server: Server,
    pub(crate) method: Method,
    pub(crate) path_and_query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What the client is told.
pub(crate) enum Told {
    Answer(StatusCode, HeaderMap, Bytes),
    /// The connection is closed without a byte.
    Nothing,
}

/// A port that keeps its number while nobody listens at it.
pub(crate) struct Proxy {
    address: SocketAddr,
    server: Server,
    gate: Gate,
    /// Bound and never listening: connections are refused, and no other process gets the number.
    _reserved: TcpSocket,
    accepting: Option<JoinHandle<()>>,
}

impl Proxy {
    pub(crate) fn start(server: Server, gate: Gate) -> io::Result<Self> {
        let reserved = socket()?;
        reserved.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = reserved.local_addr()?;
        let mut proxy = Self { address, server, gate, _reserved: reserved, accepting: None };
        proxy.open()?;
        Ok(proxy)
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn open(&mut self) -> io::Result<()> {
        if self.accepting.is_none() {
            let socket = socket()?;
            socket.bind(self.address)?;
            let accepting = accept(socket.listen(64)?, self.server, self.gate.clone());
            self.accepting = Some(tokio::spawn(accepting));
        }
        Ok(())
    }

    /// Refuses whoever comes from now on; who is connected goes on.
    pub(crate) async fn close(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            let _ = accepting.await;
        }
    }
}

fn socket() -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    Ok(socket)
}

async fn accept(listener: TcpListener, server: Server, gate: Gate) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, server, gate.clone()));
        }
    }
}

async fn serve(stream: TcpStream, server: Server, gate: Gate) {
    let _ = stream.set_nodelay(true);
    let gate = Arc::new(gate);
    let service = service_fn(|request| answer(request, server, Arc::clone(&gate)));
    // A connection that breaks is an ordinary end here.
    let _ = http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: hyper::Request<Incoming>, server: Server, gate: Arc<Gate>) -> Result<Response<Body>, Hangup> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(Body::new(body), usize::MAX).await.map_err(|_| Hangup)?;
    let path_and_query = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let sent = Sent { server, method: parts.method, path_and_query, headers: parts.headers, body };
    let (client, told) = oneshot::channel();
    gate.tell(Arrival::Vendor(Box::new(Request { sent, client })));
    match told.await {
        Ok(Told::Answer(status, headers, body)) => {
            let mut answer = Response::new(Body::from(body));
            *answer.status_mut() = status;
            *answer.headers_mut() = headers;
            Ok(answer)
        }
        Ok(Told::Nothing) | Err(_) => Err(Hangup),
    }
}

/// Makes hyper close the connection without a byte.
#[derive(Debug)]
struct Hangup;

impl std::fmt::Display for Hangup {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the connection is closed on purpose")
    }
}

impl std::error::Error for Hangup {}
