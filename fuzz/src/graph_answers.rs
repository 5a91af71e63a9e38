//! What Entra ID and Graph answer, to each call: it is read, or refused without repeating the token or the secret that was
//! sent along.

use std::{cell::OnceCell, error::Error as _};

use jiff::Timestamp;
use microsoft::{
    App, Endpoints, Entra, Error, Graph,
    graph::{DeltaPosition, IntendedPurpose, PaddingScheme, RecordId, Start, UserPfxCertificate},
};
use secrecy::SecretString;
use serde_json::json;
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

use super::vendor::{Answer, Vendor};

const TOKEN: &str = "the-access-token-1";
const CLIENT_SECRET: &str = "the-client-secret-2";

struct World {
    runtime: Runtime,
    vendor: Vendor,
    graph: Graph,
    entra: Entra,
}

thread_local! {
    static WORLD: OnceCell<World> = const { OnceCell::new() };
}

pub fn read(bytes: &[u8]) {
    let Some((call, mut answer)) = Answer::read(bytes) else { return };
    if call % 16 == REDEEM {
        let id_token = String::from_utf8_lossy(&answer.body);
        let tokens = json!({ "token_type": "Bearer", "access_token": "a", "expires_in": 60, "id_token": id_token });
        answer.body = tokens.to_string().into_bytes();
    }
    WORLD.with(|world| {
        let world = world.get_or_init(World::new);
        world.vendor.will_answer(answer);
        if let Err(error) = world.runtime.block_on(world.ask(call)) {
            judge(&error);
        }
    });
}

/// The call whose answer is an ID token in an answer that is otherwise as documented.
const REDEEM: u8 = 13;

impl World {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let vendor = runtime.block_on(Vendor::start());
        let endpoints = Endpoints::new(vendor.base.clone(), vendor.base.clone()).expect("loopback");
        let (graph, entra) =
            (Graph::new(endpoints.clone()).expect("a client"), Entra::new(endpoints).expect("a client"));
        Self { runtime, vendor, graph, entra }
    }

    async fn ask(&self, call: u8) -> Result<(), Error> {
        let (access, id) = (&SecretString::from(TOKEN), Uuid::nil());
        let (graph, first) = (&self.graph, Start::First { top: 10 });
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().expect("a time");
        let secret = SecretString::from(CLIENT_SECRET);
        match call % 16 {
            0 => {
                let page = graph.people_page(access, id, first).await?;
                if let Some(next) = page.next {
                    graph.people_page(access, id, Start::Next(next)).await?;
                }
            }
            1 => drop(graph.group_members_page(access, id, id, first).await?),
            2 => {
                let link = graph.delta_latest(access, id).await?;
                graph.delta_page(access, id, DeltaPosition::CaughtUp(link)).await?;
            }
            3 => drop(graph.pfx(access, id, &record_id()).await?),
            4 => {
                let page = graph.pfx_page(access, id, first).await?;
                page.records.iter().for_each(|record| drop(record.record_id()));
            }
            5 => drop(graph.create_pfx(access, id, &record(now)).await?),
            6 => drop(graph.update_pfx(access, id, &record_id(), &record(now)).await?),
            7 => drop(graph.delete_pfx(access, id, &record_id()).await?),
            8 => drop(graph.connectors(access, id).await?),
            9 => drop(graph.imported_pfx_profiles(access, id).await?),
            10 => drop(graph.user(access, id, id).await?),
            11 => drop(self.entra.app_token(&app(), now).await?),
            12 => drop(self.entra.refresh(&app(), &secret, &["x"], now).await?),
            REDEEM => drop(self.entra.redeem(&app(), &self.vendor.base, &secret, &secret, "nonce", now).await?),
            _ => {
                // A page follows a link, so what a link says is asked for once more.
                let page = graph.group_members_page(access, id, id, first).await?;
                if let Some(next) = page.next {
                    graph.group_members_page(access, id, id, Start::Next(next)).await?;
                }
            }
        }
        Ok(())
    }
}

/// It was asked, so it is never said that nobody was reached; and what was sent in confidence is not repeated.
fn judge(error: &Error) {
    assert!(!matches!(error, Error::NotSent { .. } | Error::Client { .. } | Error::Endpoint { .. }), "{error:?}");
    let mut said = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(link) = cause {
        said += &link.to_string();
        cause = link.source();
    }
    for secret in [TOKEN, CLIENT_SECRET] {
        assert!(!said.contains(secret), "{said}");
    }
}

fn app() -> App {
    App { tenant_id: Uuid::nil(), client_id: Uuid::nil(), client_secret: CLIENT_SECRET.into() }
}

fn record_id() -> RecordId {
    "00000000000000000000000000000000-00112233445566778899aabbccddeeff00112233".parse().expect("a record's id")
}

fn record(now: Timestamp) -> UserPfxCertificate {
    UserPfxCertificate {
        thumbprint: "00112233445566778899aabbccddeeff00112233".to_owned(),
        intended_purpose: IntendedPurpose::Unassigned,
        user_principal_name: "anna@contoso.example".to_owned(),
        start: now,
        expiration: now,
        provider_name: "provider".to_owned(),
        key_name: "key".to_owned(),
        padding_scheme: PaddingScheme::OaepSha512,
        encrypted_pfx_blob: vec![0x30, 0],
        encrypted_pfx_password: "AAAA".to_owned(),
    }
}
