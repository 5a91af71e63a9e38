//! The application in this process, put together as `serve` does it, with a clock that can be moved.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use domain::operator::Role;
use flow::{Deployment, Flow};
use jiff::{SignedDuration, Timestamp};
use local::{
    platform::LocalPlatform,
    runner::{self, Pace, Running},
};
use ports::Clock;
use serde_json::json;
use tokio::net::TcpListener;

use super::{
    operator::TOKEN,
    vendors::{PRICE_CENTS, PRODUCT, Vendors},
};

pub(crate) struct Application {
    pub(crate) flow: Flow<LocalPlatform>,
    pub(crate) clock: MovableClock,
    running: Running,
}

/// How long things wait. In milliseconds what takes minutes in production; the order of sizes is the same.
#[derive(Clone)]
pub(crate) struct Timing {
    pub(crate) create_timeout: Duration,
    pub(crate) purchases_at_once: usize,
    /// From one look at a validation to the next.
    pub(crate) poll_after: SignedDuration,
    /// Every wait is the one of production, for tests that let the time pass themselves.
    pub(crate) as_in_production: bool,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            create_timeout: Duration::from_secs(20),
            purchases_at_once: 4,
            poll_after: SignedDuration::from_millis(50),
            as_in_production: false,
        }
    }
}

impl Application {
    pub(crate) fn start(
        data: &Path,
        vendors: &Vendors,
        listener: TcpListener,
        redirect_uri: &str,
        public_url: Option<String>,
        timing: Timing,
    ) -> Self {
        let clock = MovableClock::default();
        let platform = LocalPlatform::open(data, clock.as_clock()).unwrap();
        let deployment = deployment(redirect_uri, public_url, &timing);
        let endpoints = vendors.endpoints(timing.create_timeout);
        let flow = Flow::new(platform.clone(), endpoints, deployment, clock.as_clock()).unwrap();
        let token = web::ApiToken::from_hex("operator", &pki::sha256_hex(TOKEN.as_bytes()), Role::Admin).unwrap();
        let router = web::router(flow.clone(), web::Access::new(vec![token]), web::Options::default());
        let pace = Pace {
            sweep_every: Duration::from_millis(25),
            purchases_at_once: timing.purchases_at_once,
            ..Pace::default()
        };
        let running = runner::start(&platform, &flow, router, listener, &clock.as_clock(), pace);
        Self { flow, clock, running }
    }

    pub(super) async fn stop(self) {
        self.running.stop().await.unwrap();
    }

    /// The steps of a release whose price list says something else, over the same platform.
    pub(crate) fn at_another_price(&self, vendors: &Vendors) -> Flow<LocalPlatform> {
        let deployment = Deployment { products: products(PRICE_CENTS + 100), ..self.flow.deployment().clone() };
        let endpoints = vendors.endpoints(Timing::default().create_timeout);
        Flow::new(self.flow.platform().clone(), endpoints, deployment, self.clock.as_clock()).unwrap()
    }
}

fn deployment(redirect_uri: &str, public_url: Option<String>, timing: &Timing) -> Deployment {
    let milliseconds = |list: [i64; 3]| list.map(SignedDuration::from_millis).to_vec();
    let production = Deployment {
        public_url: public_url.map(|url| url.parse().unwrap()),
        redirect_url: redirect_uri.parse().unwrap(),
        products: products(PRICE_CENTS),
        ..Deployment::default()
    };
    if timing.as_in_production {
        return production;
    }
    Deployment {
        purchase_window: SignedDuration::from_secs(20),
        quiet_time: SignedDuration::from_secs(4),
        look_up_after: milliseconds([50, 100, 200]),
        poll_after: vec![timing.poll_after],
        read_back_after: milliseconds([0, 50, 100]),
        retry_after: SignedDuration::from_millis(50),
        ..production
    }
}

fn products(price_cents: u64) -> sslcom::ProductTable {
    let products = json!([{
        "code": PRODUCT,
        "label": "Personal ID + Organization (IV+OV) S/MIME",
        "certificate_type": "sponsor",
        "offers": [{ "days": 365, "price_cents": price_cents }],
    }]);
    serde_json::from_value(products).unwrap()
}

/// The time, and what a test let pass besides.
#[derive(Clone, Default)]
pub(crate) struct MovableClock(Arc<AtomicI64>);

impl MovableClock {
    fn as_clock(&self) -> Clock {
        let ahead = Arc::clone(&self.0);
        Arc::new(move || Timestamp::now() + SignedDuration::from_secs(ahead.load(Ordering::Relaxed)))
    }

    pub(super) fn advance(&self, time: SignedDuration) {
        self.0.fetch_add(time.as_secs(), Ordering::Relaxed);
    }
}
