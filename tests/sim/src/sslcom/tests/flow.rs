use super::{
    behaviour::{Bundle, KeyUsage, OrderAmount, StatusOf},
    *,
};
use crate::faults::Fault;

#[tokio::test]
async fn a_prevalidated_mailbox_gets_its_certificate_in_two_steps() {
    let shop = Shop::open().await;
    let bought = shop.send(Method::POST, "/certificates", order(700, "n-1")).await;
    assert_eq!(bought.status, 200);
    assert_eq!(bought.status_text(), "unused. waiting on certificate signing request (csr)");
    assert_eq!(bought.member("order_amount"), "$76.00");
    assert_eq!(bought.member("external_order_number"), "n-1");
    for nothing_yet in ["certificates", "validations", "registrant", "effective_date"] {
        assert_eq!(bought.member(nothing_yet), &Value::Null);
    }
    let reference = bought.member("ref").as_str().unwrap();
    assert!(reference.starts_with("co-"));

    let submitted = shop.put(reference, submission(&csr(MAILBOX))).await;
    assert_eq!(submitted.status_text(), "validating, please wait");
    assert_eq!(submitted.member("certificates"), &Value::Null);
    shop.until_issued(reference).await;

    let issued = shop.look(reference).await;
    assert_eq!(issued.status_text(), "issued");
    assert_eq!(issued.member("common_name"), MAILBOX);
    assert_eq!(issued.member("subject_alternative_names"), &json!([MAILBOX]));
    let bundle = issued.member("certificates").as_str().unwrap();
    assert_eq!(bundle.matches("BEGIN CERTIFICATE").count(), 2);
    assert!(bundle.ends_with(&shop.sslcom.issuing_certificate_pem()));
    assert_eq!(shop.sslcom.defects(), Defects::default());
}

#[tokio::test]
async fn without_a_pace_of_its_own_the_ca_signs_when_it_is_told_and_by_the_clock_that_it_was_given() {
    let day = days_ago(40).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
    let by_hand = Options { issue_after: None, clock: Arc::new(move || day), ..options() };
    let shop = Shop::open_with(by_hand).await;
    let (ready, early) = (shop.buy("n-1").await, shop.buy("n-2").await);
    shop.put(&ready, submission(&csr(MAILBOX))).await;
    assert_eq!(shop.sslcom.ready(), [ready.as_str()]);
    assert!(!shop.sslcom.issue(&early) && !shop.sslcom.issue("co-unknown"));
    assert!(shop.sslcom.issue(&ready));
    assert!(!shop.sslcom.issue(&ready), "an order is issued once");
    let order = shop.sslcom.order(&ready).unwrap();
    assert_eq!((order.state, order.created), (OrderState::Issued, day));
    assert!(order.certificate.unwrap().not_before <= day);
}

#[tokio::test]
async fn each_thing_that_is_missing_is_waited_for() {
    let shop = Shop::open().await;
    let reference = shop.buy("n").await;
    let answer = shop.put(&reference, json!({ "csr": csr("bo@annan.se") })).await;
    assert_eq!(answer.status_text(), "waiting on registrant information from customer");
    assert_eq!(answer.member("validations")["email:bo@annan.se"]["status"], "pending");
    let answer = shop.put(&reference, registrant()).await;
    assert_eq!(answer.status_text(), "waiting on registrant information from customer");
    let answer = shop.put(&reference, json!({ "contacts": contacts() })).await;
    assert_eq!(answer.status_text(), "waiting on validation from customer");
}

#[tokio::test]
async fn another_mailbox_waits_for_its_click() {
    let shop = Shop::open().await;
    let mailbox = "bo@annan.se";
    let reference = shop.buy("n").await;
    shop.put(&reference, submission(&csr(mailbox))).await;
    assert_eq!(shop.sslcom.click(mailbox), 0, "no mail was asked for");

    let retry = format!("/certificate/{reference}/retry_domain_validation");
    assert_eq!(shop.send(Method::POST, &retry, json!({})).await.status, 400);
    for (item, approver) in [("email:eva@annan.se", mailbox), ("email:bo@annan.se", "eva@annan.se")] {
        let members = json!({ "domains": { item: { "dcv": approver } } });
        assert_eq!(shop.put(&reference, members).await.status, 400);
    }
    let validate = json!({ "domains": { "email:bo@annan.se": { "dcv": mailbox } } });
    let answer = shop.put(&reference, validate).await;
    assert_eq!(answer.status_text(), "validating, please wait");
    assert_eq!(shop.send(Method::POST, &retry, json!({})).await.status, 200);
    assert_eq!(shop.sslcom.order(&reference).unwrap().validation_mails, 2);

    assert_eq!(shop.sslcom.click("Bo@annan.se"), 1);
    assert_eq!(shop.sslcom.click(mailbox), 0, "a link works once");
    shop.until_issued(&reference).await;
    let answer = shop.look(&reference).await;
    assert_eq!(answer.member("validations")["email:bo@annan.se"]["status"], "satisfied");
}

#[tokio::test]
async fn people_who_click_by_themselves_need_no_test_to_click_for_them() {
    let shop = Shop::open().await;
    shop.change(|behaviour| {
        behaviour.epki_automatic = false;
        behaviour.clicks_by_themselves_after = Some(Duration::from_millis(5));
    });
    let reference = shop.buy("n").await;
    let answer = shop.put(&reference, submission(&csr(MAILBOX))).await;
    assert_eq!(answer.status_text(), "waiting on validation from customer");
    let validate = json!({ "domains": { format!("email:{MAILBOX}"): { "dcv": MAILBOX } } });
    shop.put(&reference, validate).await;
    shop.until_issued(&reference).await;
}

#[tokio::test]
async fn a_domain_that_was_validated_too_long_ago_counts_no_more() {
    let shop = Shop::open().await;
    let reference = shop.buy("n").await;
    let answer = shop.put(&reference, submission(&csr("asa@gammal.se"))).await;
    assert_eq!(answer.status_text(), "waiting on validation from customer");
}

#[tokio::test]
async fn a_registrant_that_was_not_verified_waits_for_the_staff() {
    let shop = Shop::open().await;
    let reference = shop.buy("n").await;
    let mut members = submission(&csr(MAILBOX));
    members["organization"] = json!("Annan AB");
    let answer = shop.put(&reference, members).await;
    assert_eq!(answer.status_text(), "validating, please wait");
    assert!(shop.sslcom.vet(&reference));
    shop.until_issued(&reference).await;
}

#[tokio::test]
async fn a_rejected_order_is_closed() {
    let shop = Shop::open().await;
    let reference = shop.buy("n").await;
    assert!(shop.sslcom.reject(&reference, "rejected by the CA"));
    assert_eq!(shop.look(&reference).await.status_text(), "rejected by the CA");
    assert_eq!(shop.put(&reference, submission(&csr(MAILBOX))).await.status, 400);
    assert!(!shop.sslcom.reject("co-nothing", ""));
}

#[tokio::test]
async fn a_request_on_an_issued_order_replaces_the_certificate_and_is_counted() {
    let shop = Shop::open().await;
    let reference = shop.issue("n", MAILBOX).await;
    let first = shop.sslcom.order(&reference).unwrap().certificate.unwrap().serial;
    let answer = shop.put(&reference, json!({ "csr": csr(MAILBOX) })).await;
    assert_eq!(answer.member("certificates"), &Value::Null);
    shop.until_issued(&reference).await;
    let order = shop.sslcom.order(&reference).unwrap();
    assert_ne!(order.certificate.unwrap().serial, first);
    assert_eq!(order.superseded, [first]);
    assert_eq!(shop.sslcom.defects(), Defects { rekeys: 1, ..Defects::default() });
    assert_eq!(shop.sslcom.till().purchases, 1);
}

#[tokio::test]
async fn the_till_counts_purchases_and_repeated_numbers() {
    let shop = Shop::open().await;
    let first = shop.buy("n-1").await;
    let again = shop.buy("n-1").await;
    let other = shop.buy("n-2").await;
    let anonymous = json!({ "product": 600, "period": 730 });
    assert_eq!(shop.send(Method::POST, "/certificates", anonymous).await.status, 200);
    let till = shop.sslcom.till();
    assert_eq!((till.purchases, till.spent_cents), (4, 3 * 76_00 + 2 * 38_00));
    assert_eq!(till.by_external_order_number["n-1"], [first, again]);
    assert_eq!(till.by_external_order_number["n-2"], [other]);
    let defects = shop.sslcom.defects();
    assert_eq!((defects.repeated_purchases, defects.purchases_without_number), (1, 1));
}

#[tokio::test]
async fn the_amount_can_differ_or_be_unreadable() {
    let shop = Shop::open().await;
    let amount = async |switch| {
        shop.change(|behaviour| behaviour.order_amount = switch);
        let answer = shop.send(Method::POST, "/certificates", order(600, "n")).await;
        answer.member("order_amount").as_str().unwrap().to_owned()
    };
    assert_eq!(amount(OrderAmount::Equal).await, "$38.00");
    assert_eq!(amount(OrderAmount::Different(5_07)).await, "$43.07");
    assert_eq!(amount(OrderAmount::Unreadable).await, "as agreed");
    assert_eq!(shop.sslcom.till().spent_cents, 38_00 + 43_07 + 38_00);
}

#[tokio::test]
async fn a_status_can_be_unknown_until_the_certificate_is_there() {
    let shop = Shop::open().await;
    shop.change(|behaviour| behaviour.unknown_status_text = Some("under review".to_owned()));
    let reference = shop.buy("n").await;
    assert_eq!(shop.look(&reference).await.status_text(), "under review");
    let answer = shop.put(&reference, submission(&csr(MAILBOX))).await;
    assert_eq!(answer.status_text(), "under review");
    shop.until_issued(&reference).await;
    assert_eq!(shop.look(&reference).await.status_text(), "issued");
}

#[tokio::test]
async fn the_unknown_status_can_begin_with_the_request_or_with_the_certificate() {
    let shop = Shop::open().await;
    let unknown = |which| {
        shop.change(|behaviour| {
            behaviour.unknown_status_text = Some("under review".to_owned());
            behaviour.unknown_status_of = which;
        });
    };
    unknown(StatusOf::Submitted);
    let reference = shop.buy("n").await;
    assert_eq!(shop.look(&reference).await.status_text(), "unused. waiting on certificate signing request (csr)");
    assert_eq!(shop.put(&reference, submission(&csr(MAILBOX))).await.status_text(), "under review");
    shop.until_issued(&reference).await;
    assert_eq!(shop.look(&reference).await.status_text(), "issued");
    unknown(StatusOf::Issued);
    let issued = shop.look(&reference).await;
    assert_eq!(issued.status_text(), "under review");
    assert!(issued.member("certificates").is_string());
    let voucher = shop.buy("n-2").await;
    assert_eq!(shop.look(&voucher).await.status_text(), "unused. waiting on certificate signing request (csr)");
}

#[tokio::test]
async fn the_bundle_comes_in_every_form() {
    let shop = Shop::open().await;
    let reference = shop.issue("n", MAILBOX).await;
    let bundle = async |form| {
        shop.change(|behaviour| behaviour.bundle = form);
        shop.look(&reference).await.member("certificates").as_str().unwrap().to_owned()
    };
    let count = |bundle: &str| bundle.matches("BEGIN CERTIFICATE").count();
    assert_eq!(count(&bundle(Bundle::LeafFirst).await), 2);
    assert_eq!(count(&bundle(Bundle::MissingIntermediate).await), 1);
    assert_eq!(count(&bundle(Bundle::WithDuplicates).await), 6);
    assert!(bundle(Bundle::Huge).await.len() > 1 << 20);
    let base64 = STANDARD.decode(bundle(Bundle::Base64).await).unwrap();
    let leaf = shop.sslcom.order(&reference).unwrap().certificate.unwrap().der();
    assert_eq!(base64, [leaf.as_slice(), shop.sslcom.world.ca.issuing_der()].concat());
    let shuffled = bundle(Bundle::Shuffled).await;
    assert_eq!(count(&shuffled), 3);
    assert!(shuffled.starts_with(&shop.sslcom.root_certificate_pem()));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bundle.p7b");
    std::fs::write(&file, bundle(Bundle::Pkcs7).await).unwrap();
    let printed =
        std::process::Command::new("openssl").args(["pkcs7", "-print_certs", "-in"]).arg(&file).output().unwrap();
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    assert_eq!(count(&String::from_utf8(printed.stdout).unwrap()), 3);
}

#[tokio::test]
async fn the_key_usage_follows_its_switch() {
    let shop = Shop::open().await;
    // keyUsage 2.5.29.15, critical: how many bits of the last byte are unused, and the byte. The key is one of an
    // elliptic curve, which agrees on keys. A request that asks for nothing gets both.
    let (signing, encryption, both) = ((7, 0x80), (3, 0x08), (3, 0x88));
    for (number, (switch, (unused, bits))) in [
        (KeyUsage::Dual, both),
        (KeyUsage::AsRequested, both),
        (KeyUsage::Signing, signing),
        (KeyUsage::Encryption, encryption),
    ]
    .into_iter()
    .enumerate()
    {
        shop.change(|behaviour| behaviour.key_usage = switch);
        let reference = shop.issue(&format!("n-{number}"), MAILBOX).await;
        let der = shop.sslcom.order(&reference).unwrap().certificate.unwrap().der();
        let usage = [6, 3, 0x55, 0x1d, 15, 1, 1, 0xff, 4, 4, 3, 2, unused, bits];
        assert!(der.windows(usage.len()).any(|window| window == usage), "{switch:?}");
    }
    let reference = shop.buy("asks").await;
    shop.change(|behaviour| behaviour.key_usage = KeyUsage::AsRequested);
    shop.put(&reference, submission(&csr_for(MAILBOX, vec![KeyUsagePurpose::DigitalSignature]))).await;
    shop.until_issued(&reference).await;
    let der = shop.sslcom.order(&reference).unwrap().certificate.unwrap().der();
    let usage = [6, 3, 0x55, 0x1d, 15, 1, 1, 0xff, 4, 4, 3, 2, signing.0, signing.1];
    assert!(der.windows(usage.len()).any(|window| window == usage));
}

#[tokio::test]
async fn certificates_are_revoked_by_serial_or_all_at_once() {
    let shop = Shop::open().await;
    let unused = shop.buy("n-1").await;
    let path = format!("/certificate/{unused}");
    let reason = json!({ "reason": "left the company" });
    assert_eq!(shop.send(Method::DELETE, &path, reason.clone()).await.status, 400);

    let reference = shop.issue("n-2", MAILBOX).await;
    let path = format!("/certificate/{reference}");
    let other = json!({ "reason": "r", "serials": ["00"] });
    assert_eq!(shop.send(Method::DELETE, &path, other).await.error_fields(), ["serials"]);
    let serial = shop.sslcom.order(&reference).unwrap().certificate.unwrap().serial;
    let upper = json!({ "reason": "r", "serials": [serial.to_uppercase()] });
    assert_eq!(shop.send(Method::DELETE, &path, upper).await.status_text(), "revoked");
    assert_eq!(shop.sslcom.order(&reference).unwrap().revoked, [serial]);

    let reference = shop.issue("n-3", "bo@exempel.se").await;
    let url = format!("{}/certificate/{reference}", shop.sslcom.base_url());
    let credentials = [("account_key", ACCOUNT), ("secret_key", SECRET), ("reason", "lost")];
    let answer = shop.client.delete(url).query(&credentials).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(shop.sslcom.order(&reference).unwrap().state, OrderState::Revoked);
}

#[tokio::test]
async fn approvers_and_methods_name_the_mailbox_alone() {
    let shop = Shop::open().await;
    let reference = shop.issue("n", MAILBOX).await;
    let path = format!("/certificate/{reference}/validations/methods");
    let methods = shop.ask(&path, &[]).await;
    assert_eq!(methods.json.unwrap(), json!({ "email:asa@exempel.se": { "email": [MAILBOX] } }));
    let asked = json!({ "domains": ["email:asa@exempel.se"] });
    let approvers = shop.send(Method::POST, "/certificates/validations/email", asked).await;
    assert_eq!(approvers.json.unwrap(), json!({ "email:asa@exempel.se": [MAILBOX] }));
}

#[tokio::test]
async fn a_purchase_whose_answer_is_lost_was_made_and_one_that_was_dropped_was_not() {
    let shop = Shop::open().await;
    shop.sslcom.faults().next("sslcom.create", Fault::LoseAnswer);
    let path = "/certificates";
    assert!(shop.try_send(Method::POST, path, order(700, "n-1")).await.is_err());
    assert_eq!(shop.sslcom.till().purchases, 1);
    shop.sslcom.faults().next("sslcom.create", Fault::DropBefore);
    assert!(shop.try_send(Method::POST, path, order(700, "n-2")).await.is_err());
    shop.sslcom.faults().next("sslcom.create", Fault::FailBefore(502));
    assert_eq!(shop.send(Method::POST, path, order(700, "n-3")).await.status, 502);
    assert_eq!(shop.sslcom.till().purchases, 1);
    shop.sslcom.faults().next("sslcom.create", Fault::FailAfter(500));
    assert!(shop.send(Method::POST, path, order(700, "n-4")).await.is_html_500());
    assert_eq!(shop.sslcom.till().purchases, 2);
    assert_eq!(shop.sslcom.calls("sslcom.create"), 4);
}
