//! The whole way, once, for 25 people.

use reqwest::{Method, StatusCode};

use crate::{run, world::World};

#[test]
fn twenty_five_people_get_a_certificate_that_their_devices_open() {
    run(async {
        let world = World::of("main-path", 25).await;
        for public in
            ["/", "/connected", "/console.css", "/console.js", "/icon.svg", "/openapi.json", "/health", "/health/ready"]
        {
            let answer = world.operator.with_token(String::new()).request(Method::GET, public, None).await;
            assert_eq!(answer.status, StatusCode::OK, "{public}: {}", answer.body);
        }
        let batch = world.order_for_everybody().await;
        world.until_count(&batch, "imported", 25).await;
        world.everybody_has_one(25).await;
        let called_back = world.vendors.sslcom.orders().iter().filter(|order| order.called_back).count();
        assert_eq!(called_back, 25, "SSL.com called the webhook for every order");
        for queue in ["user-import", "batch-enrollment", "order-placement", "order-check", "pfx-import"] {
            assert_eq!(world.dead_letters(queue).await, Vec::<String>::new(), "{queue}");
        }
    });
}
