use std::{fs, io::Write as _, path::Path};

use super::*;

fn kept_in(folder: &Path) -> Options {
    Options { journal: Some(folder.to_owned()), ..options() }
}

#[tokio::test]
async fn a_world_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Shop::open_with(kept_in(folder.path())).await;
    let issued = shop.issue("n-1", MAILBOX).await;
    let waiting = shop.buy("n-2").await;
    shop.put(&waiting, submission(&csr("bo@annan.se"))).await;
    let validate = json!({ "domains": { "email:bo@annan.se": { "dcv": "bo@annan.se" } } });
    shop.put(&waiting, validate).await;
    let used = csr(MAILBOX);
    shop.put(&issued, json!({ "csr": used })).await;
    shop.until_issued(&issued).await;
    shop.sslcom.add_funds("account-2", 7_00);
    let before = shop.sslcom.order(&issued).unwrap().certificate;
    let root = shop.sslcom.root_certificate_pem();
    let till = shop.sslcom.till();
    let port = shop.sslcom.base_url().rsplit(':').next().unwrap().parse().unwrap();
    shop.sslcom.stop().await;

    let shop = Shop::open_with(Options { port: Some(port), ..kept_in(folder.path()) }).await;
    assert_eq!(shop.sslcom.root_certificate_pem(), root);
    assert_eq!(shop.sslcom.till(), till);
    assert_eq!(shop.sslcom.defects().rekeys, 1);
    assert_eq!(shop.sslcom.order(&issued).unwrap().certificate, before);
    let answer = shop.put(&shop.buy("n-3").await, submission(&used)).await;
    assert!(answer.member("errors")["csr"]["csr_unique_values"].is_array(), "{answer:?}");
    assert_eq!(shop.sslcom.click("bo@annan.se"), 1);
    shop.until_issued(&waiting).await;
}

#[tokio::test]
async fn an_issuance_that_was_under_way_is_finished_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let slow = Options { issue_after: Some(Duration::from_secs(3600)), ..kept_in(folder.path()) };
    let shop = Shop::open_with(slow).await;
    let reference = shop.buy("n").await;
    shop.put(&reference, submission(&csr(MAILBOX))).await;
    // Dropped without a word, as a killed process leaves it.
    drop(shop);

    let shop = Shop::open_with(kept_in(folder.path())).await;
    shop.until_issued(&reference).await;
    assert_eq!(shop.sslcom.till().purchases, 1);
}

#[tokio::test]
async fn a_torn_last_line_costs_only_what_was_never_answered() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Shop::open_with(kept_in(folder.path())).await;
    let reference = shop.buy("n-1").await;
    shop.sslcom.stop().await;
    let journal = folder.path().join("sslcom.jsonl");
    let mut file = fs::OpenOptions::new().append(true).open(&journal).unwrap();
    file.write_all(br#"{"kind":"order","key":"co-torn","value":{"num"#).unwrap();

    let shop = Shop::open_with(kept_in(folder.path())).await;
    assert_eq!(shop.sslcom.till().purchases, 1);
    shop.buy("n-2").await;
    shop.sslcom.stop().await;
    let shop = Shop::open_with(kept_in(folder.path())).await;
    assert_eq!(shop.sslcom.till().purchases, 2);
    assert_eq!(shop.sslcom.orders()[0].reference, reference);
}

#[tokio::test]
async fn a_journal_of_another_seed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    Shop::open_with(kept_in(folder.path())).await.sslcom.stop().await;
    let other = SslCom::start(Options { seed: 2, ..kept_in(folder.path()) }).await;
    assert_eq!(other.err().unwrap().kind(), io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn no_private_key_stands_in_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Shop::open_with(kept_in(folder.path())).await;
    shop.issue("n", MAILBOX).await;
    let text = fs::read_to_string(folder.path().join("sslcom.jsonl")).unwrap();
    assert!(!text.contains("PRIVATE KEY"));
    // The beginning of every PKCS#8 key on P-256 or P-384, in base64.
    for beginning in ["MIGHAgEAMBMGByqGSM49", "MIG2AgEAMBAGByqGSM49"] {
        assert!(!text.contains(beginning));
    }
}
