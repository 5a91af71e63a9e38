//! The client against an HTTP server that plays Microsoft: what goes over the wire, and what is made of the answers.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod delta;
mod entra;
mod failures;
mod id_token;
mod people;
mod pfx;
mod preflight;
mod vendor;

use jiff::Timestamp;
use microsoft::{App, Endpoints, Entra, Graph};
use secrecy::SecretString;
use url::Url;
use uuid::{Uuid, uuid};

/// Awkward in a form and in an address, as real secrets are.
const CLIENT_SECRET: &str = "s3cr&t~+Q=%/8";
const ACCESS: &str = "access-token-that-nobody-may-see";
const TENANT: Uuid = uuid!("11111111-2222-3333-4444-555555555555");
const CLIENT: Uuid = uuid!("aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee");
const REQUEST: Uuid = uuid!("01020304-0506-0708-090a-0b0c0d0e0f10");
const PERSON: Uuid = uuid!("9f4aa0a1-0c3e-4f7a-8d11-0123456789ab");

fn app() -> App {
    App { tenant_id: TENANT, client_id: CLIENT, client_secret: CLIENT_SECRET.into() }
}

fn entra(base: &Url) -> Entra {
    Entra::new(endpoints(base)).unwrap()
}

fn graph(base: &Url) -> Graph {
    Graph::new(endpoints(base)).unwrap()
}

fn endpoints(base: &Url) -> Endpoints {
    Endpoints::new(base.clone(), base.clone()).unwrap()
}

fn access() -> SecretString {
    ACCESS.into()
}

fn now() -> Timestamp {
    "2026-06-02T10:00:00Z".parse().unwrap()
}

/// An error as a careless log would write it: `Debug`, and `Display` of the whole chain.
fn everything_said(error: &dyn std::error::Error) -> String {
    let mut text = format!("{error:?}");
    let mut link = Some(error);
    while let Some(error) = link {
        text.push_str(&format!("\n{error}"));
        link = error.source();
    }
    text
}
