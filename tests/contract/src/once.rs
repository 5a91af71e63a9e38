//! What counts once: the state of an Authorize, and the idempotency keys of requests.

use domain::IntegrationId;
use ports::{AuthorizeState, Platform, Store};
use uuid::Uuid;

use crate::samples::{MANY, at, connected, together};

pub async fn a_state_is_given_out_once<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (id, _) = connected(platform).await?;
    let store = platform.store();
    let (state, other) = (state(id), state(id));
    store.put_authorize_state(&state).await?;
    store.put_authorize_state(&other).await?;
    let takers = (0..MANY).map(|_| {
        let (store, hash) = (store.clone(), state.hash.clone());
        async move { store.take_authorize_state(&hash, at(0)).await }
    });
    let taken: Vec<_> = together(takers).await?.into_iter().flatten().collect();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].integration, state.integration);
    assert_eq!(taken[0].nonce, state.nonce);
    assert_eq!(taken[0].sealed_verifier, state.sealed_verifier);
    assert_eq!(taken[0].cookie_hash, state.cookie_hash);
    assert_eq!(taken[0].expires_at, state.expires_at);
    assert!(store.take_authorize_state(&other.hash, at(0)).await?.is_some());
    assert!(store.take_authorize_state("unknown", at(0)).await?.is_none());
    Ok(())
}

pub async fn a_state_that_is_over_is_not_given_out<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (id, _) = connected(platform).await?;
    let (late, in_time) = (state(id), state(id));
    for state in [&late, &in_time] {
        platform.store().put_authorize_state(state).await?;
    }
    assert!(platform.store().take_authorize_state(&in_time.hash, at(599)).await?.is_some());
    assert!(platform.store().take_authorize_state(&late.hash, at(600)).await?.is_none());
    Ok(())
}

pub async fn a_key_remembers_the_first_body_and_its_answer<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let store = platform.store();
    let key = &Uuid::new_v4().to_string();
    let ask = async |body: &str, answer: Option<&str>| store.idempotent(key, body, answer, at(600), at(0)).await;
    let known = |body: &str, answer: Option<&str>| Some((body.to_owned(), answer.map(str::to_owned)));
    assert_eq!(ask("hash-1", None).await?, None);
    assert_eq!(ask("hash-1", None).await?, known("hash-1", None), "under way");
    assert_eq!(ask("hash-2", Some("not its answer")).await?, known("hash-1", None), "another body");
    assert_eq!(ask("hash-1", Some("201")).await?, known("hash-1", Some("201")));
    assert_eq!(ask("hash-1", Some("202")).await?, known("hash-1", Some("201")), "the first answer stays");
    assert_eq!(ask("hash-2", None).await?, known("hash-1", Some("201")));
    let other = &Uuid::new_v4().to_string();
    assert_eq!(store.idempotent(other, "hash-2", Some("200"), at(600), at(0)).await?, None);
    assert_eq!(store.idempotent(other, "hash-2", None, at(600), at(0)).await?, known("hash-2", Some("200")));
    Ok(())
}

pub async fn a_key_that_is_over_is_new_again<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let key = &Uuid::new_v4().to_string();
    let ask = async |body, now| platform.store().idempotent(key, body, None, at(now + 600), at(now)).await;
    assert_eq!(ask("hash-1", 0).await?, None);
    assert!(ask("hash-1", 599).await?.is_some());
    assert_eq!(ask("hash-2", 600).await?, None);
    assert_eq!(ask("hash-1", 601).await?, Some(("hash-2".into(), None)));
    Ok(())
}

pub async fn of_fifty_requests_with_one_key_one_is_the_first<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let key = Uuid::new_v4().to_string();
    let requests = (0..MANY).map(|_| {
        let (store, key) = (platform.store().clone(), key.clone());
        async move { store.idempotent(&key, "hash", None, at(600), at(0)).await }
    });
    let known = together(requests).await?;
    assert_eq!(known.into_iter().filter(Option::is_none).count(), 1);
    Ok(())
}

fn state(integration: IntegrationId) -> AuthorizeState {
    AuthorizeState {
        hash: format!("{:064x}", Uuid::new_v4().as_u128()),
        integration,
        nonce: "a nonce".into(),
        sealed_verifier: vec![0, 1, 254, 255],
        cookie_hash: "a cookie's hash".into(),
        expires_at: at(600),
    }
}
