//! Who is let in: the gateway looks at the token, the application at its roles.

use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{run, world::World};

#[test]
fn a_good_token_is_let_in_and_its_roles_decide_what_it_may() {
    run(async {
        let mut world = World::deployed("tokens", 2, &[]).await;
        let issuer = &world.issuer;
        let past = Timestamp::now().as_second() - 600;
        let as_good = issuer.token(&["viewer"]);
        let (signed, _) = as_good.rsplit_once('.').unwrap();
        for (what, token, status) in [
            ("a good token", as_good.clone(), StatusCode::OK),
            ("no token", String::new(), StatusCode::UNAUTHORIZED),
            ("no JWT", "nonsense".to_owned(), StatusCode::UNAUTHORIZED),
            ("an expired token", issuer.token_with(&["viewer"], json!({ "exp": past })), StatusCode::UNAUTHORIZED),
            ("another audience", issuer.token_with(&["viewer"], json!({ "aud": "another" })), StatusCode::UNAUTHORIZED),
            (
                "another issuer",
                issuer.token_with(&["viewer"], json!({ "iss": "http://localhost:1" })),
                StatusCode::UNAUTHORIZED,
            ),
            ("no signature", format!("{signed}."), StatusCode::UNAUTHORIZED),
            ("another's signature", format!("{signed}.{}", "A".repeat(342)), StatusCode::UNAUTHORIZED),
            ("no role", issuer.token(&[]), StatusCode::FORBIDDEN),
            ("a role that is none", issuer.token(&["owner"]), StatusCode::FORBIDDEN),
        ] {
            let answer = world.operator.with_token(token).request(Method::GET, "/api/integrations", None).await;
            assert_eq!(answer.status, status, "{what}: {}", answer.body);
        }

        world.connect().await;
        let batch = world.plan().await;
        let viewer = world.operator.with_token(world.issuer.token(&["viewer"]));
        assert_eq!(viewer.get(&format!("/batches/{batch}")).await["status"], "ready");
        let refused = viewer.post(&format!("/batches/{batch}/approve"), json!({})).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.body);
        let operator = world.operator.with_token(world.issuer.token(&["operator"]));
        let refused = operator.post(&format!("/batches/{batch}/approve"), json!({})).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.body);
        let approver = world.operator.with_token(world.issuer.token(&["viewer", "approver"]));
        approver.post(&format!("/batches/{batch}/approve"), json!({})).await.done();
        world.until_count(&batch, "imported", 2).await;
        world.everybody_has_one(2).await;
    });
}
