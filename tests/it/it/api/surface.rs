//! What every answer has, and the routes that need no token.

use std::time::Duration;

use domain::operator::Role;
use reqwest::{Method, StatusCode};
use serde_json::json;
use web::{Options, Surface};

use super::{Server, answer, document::operations, token};

#[tokio::test]
async fn every_answer_has_its_protections() {
    let server = Server::start().await;
    let unknown = answer(server.request(Method::GET, "/nowhere")).await;
    assert_eq!((unknown.status, unknown.problem().as_str()), (StatusCode::NOT_FOUND, "not-found"));
    let wrong = answer(server.request(Method::DELETE, "/api/integrations").bearer_auth(token(Role::Admin))).await;
    assert_eq!((wrong.status, wrong.problem().as_str()), (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed"));
    let mut answers = vec![unknown, wrong];
    for operation in operations(&server).await.iter().filter(|operation| operation.method == Method::GET) {
        answers.push(server.get(&operation.path(|_| uuid::Uuid::nil())).await);
    }
    for answer in &answers {
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(["no-store", "no-cache"].contains(&answer.header("cache-control")));
    }
}

#[tokio::test]
async fn what_is_about_certificates_or_sign_in_is_never_kept_by_a_cache() {
    let server = Server::start().await;
    let id = server.integration().await;
    for path in
        ["/api/integrations".to_owned(), format!("/api/integrations/{id}/counts"), "/oauth/start?ticket=x".to_owned()]
    {
        assert_eq!(server.get(&path).await.header("cache-control"), "no-store", "{path}");
    }
}

#[tokio::test]
async fn only_the_names_of_the_deployment_are_answered() {
    let server =
        Server::start_with(Options { hosts: Some(vec!["LocalHost".into(), "127.0.0.1".into()]), ..Options::default() })
            .await;
    let asked = |host: &str| answer(server.request(Method::GET, "/health").header("host", host));
    for host in ["localhost", "localhost:8080", "127.0.0.1:1"] {
        assert_eq!(asked(host).await.status, StatusCode::OK, "{host}");
    }
    for host in ["evil.example", "localhost.evil.example:80", "[::1]:8080"] {
        assert_eq!(asked(host).await.problem(), "wrong-host", "{host}");
    }
}

#[tokio::test]
async fn what_takes_longer_than_a_gateway_waits_is_answered_before_it_gives_up() {
    // It takes connections and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap()).parse().unwrap();
    // Long enough for the integration to be made on a busy machine, too.
    let options = Options { answer_within: Duration::from_secs(2), ..Options::default() };
    let server = Server::start_beside(address, options).await;
    let id = server.integration().await;
    let preflight = server.get(&format!("/api/integrations/{id}/preflight")).await;
    assert_eq!((preflight.status.as_u16(), preflight.problem().as_str()), (503, "unavailable"));
    assert!(Options::default().answer_within < Duration::from_secs(29), "the function's own time-out");
}

#[tokio::test]
async fn a_part_of_the_surface_answers_its_own_routes_and_no_other() {
    let routes = ["/health", "/api/integrations", "/oauth/start?ticket=x", "/hooks/sslcom/x"];
    for (surface, answered) in [
        (Surface::Everything, [true, true, true, true]),
        (Surface::Api, [true, true, false, false]),
        (Surface::Authorize, [false, false, true, false]),
        (Surface::Webhook, [false, false, false, true]),
    ] {
        let server = Server::start_with(Options { surface, ..Options::default() }).await;
        for (route, answered) in routes.iter().zip(answered) {
            let is_there = server.get(route).await.status != StatusCode::NOT_FOUND;
            assert_eq!(is_there, answered, "{route} of {surface:?}");
        }
    }
}

#[tokio::test]
async fn health_tells_running_from_ready() {
    let server = Server::start().await;
    for (path, status) in [("/health", "running"), ("/health/ready", "ready")] {
        assert_eq!(answer(server.request(Method::GET, path)).await.json(), json!({ "status": status }));
    }
}

#[tokio::test]
async fn pages_are_served_with_their_types_and_tags() {
    let server = Server::start().await;
    for (path, media, holds) in [
        ("/", "text/html; charset=utf-8", "<script src=\"/console.js\""),
        ("/connected", "text/html; charset=utf-8", "Connected"),
        ("/console.css", "text/css; charset=utf-8", "prefers-reduced-motion"),
        ("/console.js", "text/javascript; charset=utf-8", "If-None-Match"),
        ("/icon.svg", "image/svg+xml", "<svg"),
    ] {
        let page = answer(server.request(Method::GET, path)).await;
        assert_eq!((page.status, page.header("content-type")), (StatusCode::OK, media));
        assert!(page.text.contains(holds), "{path}");
        let request = server.request(Method::GET, path).header("if-none-match", page.header("etag"));
        assert_eq!(answer(request).await.status, StatusCode::NOT_MODIFIED, "{path}");
    }
}

/// Whoever guesses at tokens learns nothing, and the vendor has nothing to retry.
#[tokio::test]
async fn the_webhook_answers_204_to_everything() {
    let server = Server::start().await;
    let hook = |method| server.request(method, "/hooks/sslcom/guessed");
    let requests = [
        hook(Method::GET),
        hook(Method::POST),
        hook(Method::POST).basic_auth("user", Some("wrong")),
        hook(Method::POST).header("authorization", "Basic !!!"),
        hook(Method::POST).json(&json!({ "ref": "co-1" })),
        hook(Method::POST).form(&[("ref", "co-1")]),
        hook(Method::POST).header("content-type", "application/json").body("{garbage"),
        hook(Method::POST).body(vec![0xff; 60 << 10]),
        server.request(Method::POST, "/hooks/sslcom/%ff%fe"),
        server.request(Method::POST, "/hooks/sslcom/a?b=%zz"),
    ];
    for request in requests {
        let answer = answer(request).await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NO_CONTENT, ""));
    }
}

/// The body is not read to its end, so the answer is taken from the line while the rest is still unsent.
#[tokio::test]
async fn an_endless_body_does_not_hold_the_webhook() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let server = Server::start().await;
    let address = server.base.strip_prefix("http://").unwrap();
    let mut line = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = "POST /hooks/sslcom/guessed HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n";
    line.write_all(head.as_bytes()).await.unwrap();
    line.write_all(&vec![b'a'; 65 << 10]).await.unwrap();
    let mut start = [0; 12];
    line.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 204");
}
