//! What anybody may send to the webhook: whoever guesses learns nothing and changes nothing.

use std::{cell::OnceCell, sync::Arc};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header},
};
use flow::{Deployment, Flow, VendorEndpoints};
use jiff::Timestamp;
use local::platform::LocalPlatform;
use ports::Clock;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;
use url::Url;
use web::{Access, Options, Surface};

struct World {
    runtime: Runtime,
    router: Router,
    _data: TempDir,
}

thread_local! {
    static WORLD: OnceCell<World> = const { OnceCell::new() };
}

/// An input is the method, the token and the `Authorization` header, a line each, and the body.
pub fn read(bytes: &[u8]) {
    let mut lines = bytes.splitn(4, |byte| *byte == b'\n');
    let (Some(method), Some(token), Some(authorization)) = (lines.next(), lines.next(), lines.next()) else { return };
    let path = [b"/hooks/sslcom/", token].concat();
    let Ok(path) = axum::http::Uri::try_from(path) else { return };
    let is_one_segment = path.path().split('/').count() == 4 && !path.path().ends_with('/');
    let request = Request::builder().method(method).uri(path).header(header::AUTHORIZATION, authorization);
    let Ok(request) = request.body(Body::from(lines.next().unwrap_or_default().to_vec())) else { return };
    let asks = matches!(request.method().as_str(), "GET" | "HEAD" | "POST");
    let status = WORLD.with(|world| {
        let world = world.get_or_init(World::new);
        world.runtime.block_on(world.router.clone().oneshot(request)).expect("a router answers").status()
    });
    let expected = match (is_one_segment, asks) {
        (true, true) => StatusCode::NO_CONTENT,
        (true, false) => StatusCode::METHOD_NOT_ALLOWED,
        (false, _) => StatusCode::NOT_FOUND,
    };
    assert_eq!(status, expected);
}

impl World {
    fn new() -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().expect("a time");
        let clock: Clock = Arc::new(move || now);
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let router = runtime.block_on(async {
            let platform = LocalPlatform::open(data.path(), clock.clone()).expect("a new folder");
            // Nobody listens there: what reaches for a vendor is answered with an error.
            let nobody = Url::parse("http://127.0.0.1:1").expect("an address");
            let vendors = VendorEndpoints {
                sslcom: sslcom::Endpoint::at(nobody.clone()),
                statuses: sslcom::StatusTable::default(),
                microsoft: Some(microsoft::Endpoints::new(nobody.clone(), nobody).expect("loopback")),
            };
            let flow = Flow::new(platform, vendors, Deployment::default(), clock).expect("a deployment");
            web::router(flow, Access::new(vec![]), Options { surface: Surface::Webhook, ..Options::default() })
        });
        Self { runtime, router, _data: data }
    }
}
