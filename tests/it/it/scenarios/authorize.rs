//! The sign-in that proves the tenant, and what it does not let through.

use reqwest::StatusCode;
use serde_json::{Value, json};
use sim::entra::SignIn;

use crate::world::{Setting, World};

/// Settings are saved; nobody has signed in.
async fn unauthorized() -> World {
    let mut world = World::unconnected(Setting { people: 1, ..Setting::default() }).await;
    world.save_settings().await;
    world
}

async fn authorized(world: &World) -> Value {
    world.operator.get("").await["connected"].clone()
}

#[tokio::test]
async fn a_sign_in_names_the_administrator_and_lets_the_directory_be_imported() {
    let world = unauthorized().await;
    let early = world.operator.post("/people/import", json!({})).await.refused(409);
    assert!(early.contains("authorize the integration first"), "{early}");
    world.operator.authorize().await;
    assert!(authorized(&world).await.is_object());
    assert_eq!(world.import().await["seen"], 1);
}

#[tokio::test]
async fn a_state_that_is_not_ours_is_refused() {
    let world = unauthorized().await;
    let begun = world.operator.begin(&world.operator.authorize_link().await).await.unwrap();
    let back = world.operator.sign_in(&begun).await;
    let state = back.split("state=").nth(1).unwrap().split('&').next().unwrap();
    let forged = back.replace(state, &"x".repeat(state.len()));
    let (status, page) = world.operator.come_back(&forged, Some(&begun.cookie)).await;
    assert_eq!(status, StatusCode::CONFLICT, "{page}");
    assert_eq!(authorized(&world).await, Value::Null);
}

#[tokio::test]
async fn a_browser_that_did_not_begin_the_sign_in_cannot_end_it() {
    let world = unauthorized().await;
    let victim = world.operator.begin(&world.operator.authorize_link().await).await.unwrap();
    let attacker = world.operator.begin(&world.operator.authorize_link().await).await.unwrap();
    for cookie in [None, Some(attacker.cookie.as_str())] {
        let back = world.operator.sign_in(&victim).await;
        let (status, page) = world.operator.come_back(&back, cookie).await;
        assert_eq!(status, StatusCode::CONFLICT, "{page}");
    }
    assert_eq!(authorized(&world).await, Value::Null);
}

#[tokio::test]
async fn a_refused_consent_is_explained() {
    let world = unauthorized().await;
    let text = "The user declined to consent to access the app.".to_owned();
    world.microsoft().first_tenant().set_sign_in(SignIn::Refuses { error: "access_denied", text });
    let begun = world.operator.begin(&world.operator.authorize_link().await).await.unwrap();
    let back = world.operator.sign_in(&begun).await;
    let (status, page) = world.operator.come_back(&back, Some(&begun.cookie)).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    let advice = microsoft::entra::advice(65_004).unwrap();
    assert!(page.contains("AADSTS65004") && page.contains(advice), "{page}");
    assert_eq!(authorized(&world).await, Value::Null);
}

#[tokio::test]
async fn a_link_and_an_answer_work_once() {
    let world = unauthorized().await;
    let link = world.operator.authorize_link().await;
    let begun = world.operator.begin(&link).await.unwrap();
    let Err((status, page)) = world.operator.begin(&link).await else { panic!("the link opened twice") };
    assert!(status == StatusCode::CONFLICT && page.contains("press Authorize again"), "{page}");

    let back = world.operator.sign_in(&begun).await;
    assert_eq!(world.operator.come_back(&back, Some(&begun.cookie)).await.0, StatusCode::SEE_OTHER);
    assert_eq!(world.operator.come_back(&back, Some(&begun.cookie)).await.0, StatusCode::CONFLICT);
}
