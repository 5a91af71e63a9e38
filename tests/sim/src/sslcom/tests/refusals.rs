use super::*;

#[tokio::test]
async fn wrong_credentials_are_refused_everywhere() {
    let shop = Shop::open().await;
    let wrong = json!({ "secret_key": "guess", "product": "700", "period": "365" });
    for (method, path) in [
        (Method::POST, "/certificates"),
        (Method::PUT, "/certificate/co-1"),
        (Method::DELETE, "/certificate/co-1"),
        (Method::POST, "/certificate/co-1/retry_domain_validation"),
        (Method::POST, "/certificates/validations/email"),
    ] {
        let answer = shop.send(method, path, wrong.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.error_fields()), (401, vec!["credentials"]));
    }
    for path in ["/certificates", "/certificate/co-1", "/certificate/co-1/validations/methods"] {
        let url = format!("{}{path}?account_key={ACCOUNT}", shop.sslcom.base_url());
        let answer = Answer::read(shop.client.get(url).send().await.unwrap()).await.unwrap();
        assert_eq!(answer.status, 401);
    }
    assert_eq!(shop.sslcom.till(), Till::default());
}

#[tokio::test]
async fn an_order_for_what_is_not_sold_is_refused() {
    let shop = Shop::open().await;
    let refused = async |members| {
        let answer = shop.send(Method::POST, "/certificates", members).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        answer.error_fields().join(" ")
    };
    assert_eq!(refused(order(601, "n")).await, "product");
    assert_eq!(refused(json!({ "period": "365" })).await, "product");
    assert_eq!(refused(json!({ "product": "700" })).await, "period");
    assert_eq!(refused(json!({ "product": "700", "period": "366" })).await, "period");
    assert_eq!(refused(json!({ "product": "seven", "period": "365" })).await, "product");
    let other = json!({ "account_key": "account-2", "secret_key": "secret-2",
        "product": "700", "period": "365" });
    assert_eq!(refused(other).await, "product");
    assert_eq!(shop.sslcom.till().purchases, 0);
}

#[tokio::test]
async fn an_order_without_funds_is_refused() {
    let shop = Shop::open().await;
    let poor = json!({ "account_key": "account-2", "secret_key": "secret-2",
        "product": 300, "period": 1826, "external_order_number": "n-1" });
    let answer = shop.send(Method::POST, "/certificates", poor.clone()).await;
    assert_eq!(answer.status, 200, "the first costs 100 dollars: {answer:?}");
    assert_eq!(answer.member("order_amount"), "$100.00");

    let answer = shop.send(Method::POST, "/certificates", poor.clone()).await;
    assert_eq!((answer.status.as_u16(), answer.error_fields()), (200, vec!["funded_account"]));
    assert_eq!(answer.member("ref"), &Value::Null);

    shop.change(|behaviour| behaviour.no_funds_status = 400);
    assert_eq!(shop.send(Method::POST, "/certificates", poor.clone()).await.status, 400);
    assert_eq!(shop.sslcom.till().spent_cents, 10_000);

    shop.sslcom.add_funds("account-2", 10_000);
    assert_eq!(shop.send(Method::POST, "/certificates", poor).await.status, 200);
    assert_eq!(shop.sslcom.till().spent_cents, 20_000);
}

#[tokio::test]
async fn members_that_are_null_or_not_understood_are_refused() {
    let shop = Shop::open().await;
    for (members, field) in [
        (json!({ "csr": null }), "csr"),
        (json!({ "contacts": { "all": { "phone": null } } }), "contacts"),
        (json!({ "organization_name": "Exempel AB" }), "organization_name"),
        (json!({ "callback": { "url": "https://a.example/", "secret": "x" } }), "callback.secret"),
        (json!({ "callback": { "url": "ftp://a.example/" } }), "callback.url"),
        (json!({ "callback": { "url": "https://a.example/", "method": "put" } }), "callback.method"),
    ] {
        let mut order = order(700, "n");
        order.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let answer = shop.send(Method::POST, "/certificates", order).await;
        assert_eq!((answer.status.as_u16(), answer.error_fields()), (400, vec![field]));
    }
    assert_eq!(shop.sslcom.till().purchases, 0);
}

#[tokio::test]
async fn bodies_that_are_not_declared_or_written_as_json_are_refused() {
    let shop = Shop::open().await;
    let url = format!("{}/certificates", shop.sslcom.base_url());
    let form = [("account_key", ACCOUNT), ("secret_key", SECRET), ("product", "700")];
    let answer = shop.client.post(&url).form(&form).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert_eq!(shop.sslcom.defects().wrong_content_types, 1);

    let garbled = shop.client.post(&url).header("content-type", "application/json").body("{");
    assert_eq!(garbled.send().await.unwrap().status(), 400);
    assert_eq!(shop.sslcom.till().purchases, 0);
}

#[tokio::test]
async fn an_unknown_path_is_answered_with_html() {
    let shop = Shop::open().await;
    for path in ["/", "/oauth/token", "/certificate", "/certificates/1.3/create"] {
        let answer = shop.send(Method::POST, path, json!({})).await;
        assert_eq!(answer.status, 404);
        assert!(answer.text.contains("<html>"));
    }
}

#[tokio::test]
async fn a_request_and_registrant_in_the_first_step_trip_the_server() {
    let shop = Shop::open().await;
    let mut both = order(700, "n");
    both.as_object_mut().unwrap().extend(submission(&csr(MAILBOX)).as_object().unwrap().clone());
    assert!(shop.send(Method::POST, "/certificates", both).await.is_html_500());
    assert_eq!(shop.sslcom.till().purchases, 0);
}

#[tokio::test]
async fn a_request_with_carriage_returns_trips_the_server() {
    let shop = Shop::open().await;
    let reference = shop.buy("n").await;
    let windows = csr(MAILBOX).replace('\n', "\r\n");
    assert!(shop.put(&reference, submission(&windows)).await.is_html_500());
    assert_eq!(shop.sslcom.order(&reference).unwrap().state, OrderState::Unused);
}

#[tokio::test]
async fn a_request_that_is_garbage_has_problems() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    let shop = Shop::open().await;
    let reference = shop.buy("n").await;
    for garbage in [STANDARD.encode(csr(MAILBOX)), "garbage".to_owned()] {
        let answer = shop.put(&reference, submission(&garbage)).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.member("errors")["csr"][0], "csr has problems");
    }
}

#[tokio::test]
async fn a_request_or_key_that_was_used_before_is_refused() {
    let shop = Shop::open().await;
    let key = KeyPair::generate().unwrap();
    let pem = csr_with(&key, MAILBOX);
    let first = shop.buy("n-1").await;
    assert_eq!(shop.put(&first, submission(&pem)).await.status, 200);

    let second = shop.buy("n-2").await;
    for again in [pem.clone(), csr_with(&key, "bo@exempel.se")] {
        let answer = shop.put(&second, submission(&again)).await;
        assert_eq!(answer.status, 400);
        assert!(answer.member("errors")["csr"]["csr_unique_values"].is_array(), "{answer:?}");
    }
    shop.change(|behaviour| behaviour.errors_with_200 = true);
    let answer = shop.put(&second, submission(&pem)).await;
    assert_eq!((answer.status.as_u16(), answer.error_fields()), (200, vec!["csr"]));
}

#[tokio::test]
async fn a_registrant_or_contact_that_is_incomplete_is_refused() {
    let shop = Shop::open().await;
    let reference = shop.buy("n").await;
    let without = |name: &str| {
        let mut members = submission(&csr(MAILBOX));
        members.as_object_mut().unwrap().remove(name);
        members
    };
    for name in ["organization", "locality", "state_or_province", "country"] {
        let answer = shop.put(&reference, without(name)).await;
        assert_eq!((answer.status.as_u16(), answer.error_fields()), (400, vec![name]));
    }
    let one_role = json!({ "contacts": { "billing": contacts()["all"] } });
    assert_eq!(shop.put(&reference, one_role).await.error_fields(), ["contacts"]);
    let mut no_phone = json!({ "contacts": contacts() });
    no_phone["contacts"]["all"].as_object_mut().unwrap().remove("phone");
    assert_eq!(shop.put(&reference, no_phone).await.error_fields(), ["contacts.all.phone"]);
    let country = json!({ "country": "Sweden", "locality": "Umeå", "state_or_province": "AC" });
    assert_eq!(shop.put(&reference, country).await.error_fields(), ["country"]);
}

#[tokio::test]
async fn only_the_configured_spelling_of_the_state_is_accepted() {
    let shop = Shop::open().await;
    let reference = shop.buy("n").await;
    let text = submission(&csr(MAILBOX)).to_string();
    let providence: Value = serde_json::from_str(&text.replace("state_or_province", "state_or_providence")).unwrap();
    assert_eq!(shop.put(&reference, providence.clone()).await.status, 400);

    shop.change(|behaviour| behaviour.state_field = behaviour::StateField::Providence);
    let province: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(shop.put(&reference, province).await.status, 400);
    let answer = shop.put(&reference, providence).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.member("registrant")["state_or_province"], "Västerbotten");
}

#[tokio::test]
async fn a_registrant_that_is_not_accepted_is_refused_and_the_order_waits() {
    let shop = Shop::open().await;
    let reference = shop.buy("n").await;
    shop.change(|behaviour| behaviour.registrant_accepted = false);
    let answer = shop.put(&reference, submission(&csr(MAILBOX))).await;
    assert_eq!((answer.status.as_u16(), answer.error_fields()), (400, vec!["locality"]));
    shop.change(|behaviour| behaviour.registrant_accepted = true);
    assert_eq!(shop.put(&reference, submission(&csr(MAILBOX))).await.status, 200);
}

#[tokio::test]
async fn an_order_of_another_account_or_of_nobody_does_not_exist() {
    let shop = Shop::open().await;
    let reference = shop.buy("n").await;
    let other = json!({ "account_key": "account-2", "secret_key": "secret-2", "csr": csr(MAILBOX) });
    assert_eq!(shop.put(&reference, other).await.status, 404);
    assert_eq!(shop.put("co-nothing", json!({ "csr": csr(MAILBOX) })).await.status, 404);
    assert_eq!(shop.look("co-nothing").await.status, 404);
    assert_eq!(shop.sslcom.defects().updates_of_unknown_references, 2);
}

#[tokio::test]
async fn queries_that_are_not_understood_are_refused() {
    let shop = Shop::open().await;
    let reference = shop.buy("n").await;
    let path = format!("/certificate/{reference}");
    for query in [("response_type", "zip"), ("query_type", "all"), ("response_encoding", "binary")] {
        assert_eq!(shop.ask(&path, &[query]).await.status, 400, "{query:?}");
    }
    let good = [("response_type", "individually"), ("response_encoding", "base64")];
    assert_eq!(shop.ask(&path, &good).await.status, 200);
}
