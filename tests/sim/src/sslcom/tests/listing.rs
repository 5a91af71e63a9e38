use super::{
    behaviour::{ExternalOrderNumber, PastTheEnd},
    *,
};

impl Shop {
    async fn list(&self, query: &[(&str, &str)]) -> Vec<Value> {
        let answer = self.ask("/certificates", query).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json.unwrap().as_array().unwrap().clone()
    }
}

fn numbers(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["external_order_number"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn orders_are_listed_in_pages_with_the_newest_first() {
    let shop = Shop::open().await;
    shop.sslcom.add_funds(ACCOUNT, 100_000);
    for number in 1..=12 {
        shop.buy(&format!("n-{number}")).await;
    }
    let first = shop.list(&[]).await;
    assert_eq!(first.len(), 10, "ten is the default");
    assert_eq!(first[0]["external_order_number"], "n-12");
    assert_eq!(first[0]["product"], "700");
    assert_eq!(first[0]["certificates_count"], 0);
    assert!(first[0]["ref"].as_str().unwrap().starts_with("co-"));
    assert_eq!(numbers(&shop.list(&[("page", "2")]).await), ["n-2", "n-1"]);
    assert!(shop.list(&[("page", "3")]).await.is_empty());
    assert_eq!(shop.list(&[("per_page", "10000")]).await.len(), 12);

    assert_eq!(shop.ask("/certificates", &[("page", "0")]).await.status, 400);
    shop.change(|behaviour| behaviour.first_page = 0);
    assert_eq!(numbers(&shop.list(&[("page", "1")]).await), ["n-2", "n-1"]);
    assert_eq!(shop.list(&[("page", "0")]).await.len(), 10);
}

#[tokio::test]
async fn a_listing_shows_only_the_account_s_own_orders() {
    let shop = Shop::open().await;
    shop.buy("n").await;
    let url = format!("{}/certificates", shop.sslcom.base_url());
    let credentials = [("account_key", "account-2"), ("secret_key", "secret-2")];
    let answer = shop.client.get(url).query(&credentials).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "[]");
}

#[tokio::test]
async fn dates_vouchers_and_fields_narrow_a_listing() {
    let shop = Shop::open().await;
    shop.issue("n-1", MAILBOX).await;
    shop.buy("n-2").await;
    let day = |ago| days_ago(ago).strftime("%m-%d-%Y").to_string();
    // A day before and after, so that midnight may pass during the test.
    let (before, after) = (day(1), day(-1));
    assert_eq!(shop.list(&[("start", &before), ("end", &after)]).await.len(), 2);
    assert!(shop.list(&[("end", &day(2))]).await.is_empty());
    assert!(shop.list(&[("start", &day(-2))]).await.is_empty());
    assert_eq!(numbers(&shop.list(&[("filter", "vouchers")]).await), ["n-2"]);
    let narrow = shop.list(&[("fields", "ref,order_status")]).await;
    assert_eq!(narrow[1].as_object().unwrap().len(), 2);
    assert_eq!(narrow[1]["order_status"], "issued");

    for query in [("start", "2026-01-01"), ("end", "13-01-2026"), ("filter", "all"), ("sort", "x")] {
        assert_eq!(shop.ask("/certificates", &[query]).await.status, 400, "{query:?}");
    }
}

#[tokio::test]
async fn vouchers_may_be_shown_only_to_who_asks_for_them() {
    let shop = Shop::open().await;
    shop.issue("n-1", MAILBOX).await;
    shop.buy("n-2").await;
    assert_eq!(numbers(&shop.list(&[]).await), ["n-2", "n-1"]);
    shop.change(|behaviour| behaviour.vouchers_listed = false);
    assert_eq!(numbers(&shop.list(&[]).await), ["n-1"]);
    assert_eq!(numbers(&shop.list(&[("filter", "vouchers")]).await), ["n-2"]);
}

#[tokio::test]
async fn a_page_after_the_last_is_empty_the_last_once_more_or_refused() {
    let shop = Shop::open().await;
    let page = |number: &'static str| [("page", number), ("per_page", "2")];
    assert!(shop.list(&page("1")).await.is_empty(), "there is one page of nothing");
    for number in 1..=3 {
        shop.buy(&format!("n-{number}")).await;
    }
    assert_eq!(numbers(&shop.list(&page("2")).await), ["n-1"]);
    assert!(shop.list(&page("3")).await.is_empty());
    shop.change(|behaviour| behaviour.past_the_end = PastTheEnd::Repeats);
    assert_eq!(numbers(&shop.list(&page("3")).await), ["n-1"]);
    shop.change(|behaviour| behaviour.past_the_end = PastTheEnd::Refused);
    assert_eq!(numbers(&shop.list(&page("2")).await), ["n-1"]);
    let refused = shop.ask("/certificates", &page("3")).await;
    assert_eq!((refused.status.as_u16(), refused.error_fields()), (400, vec!["page"]));
    assert!(shop.list(&[("page", "1"), ("filter", "vouchers"), ("end", "01-31-2020")]).await.is_empty());
}

#[tokio::test]
async fn the_caller_s_number_is_searchable_echoed_or_forgotten() {
    let shop = Shop::open().await;
    let reference = shop.buy("n-1").await;
    shop.buy("n-2").await;
    let search = [("search", "n-1")];
    assert!(shop.list(&search).await.is_empty());
    assert_eq!(numbers(&shop.list(&[]).await), ["n-2", "n-1"]);

    shop.change(|behaviour| behaviour.external_order_number = ExternalOrderNumber::Searchable);
    assert_eq!(numbers(&shop.list(&search).await), ["n-1"]);

    shop.change(|behaviour| behaviour.external_order_number = ExternalOrderNumber::Retrieved);
    assert_eq!(shop.list(&[]).await[0]["external_order_number"], Value::Null);
    assert_eq!(shop.look(&reference).await.member("external_order_number"), "n-1");

    shop.change(|behaviour| behaviour.external_order_number = ExternalOrderNumber::Forgotten);
    assert_eq!(shop.list(&[]).await[0]["external_order_number"], Value::Null);
    assert_eq!(shop.look(&reference).await.member("external_order_number"), &Value::Null);
}

#[tokio::test]
async fn a_listing_can_be_out_of_order() {
    let shop = Shop::open().await;
    shop.change(|behaviour| behaviour.listing_available = false);
    assert!(shop.ask("/certificates", &[]).await.is_html_500());
}

#[tokio::test]
async fn ten_thousand_orders_are_no_burden() {
    let mut options = options();
    options.accounts[0].funds_cents = u64::MAX / 2;
    let shop = Shop::open_with(options).await;
    for number in 0..10_000 {
        let fields = fields::Fields::from_json(
            json!({ "account_key": ACCOUNT, "secret_key": SECRET, "product": 600, "period": 365,
                "external_order_number": format!("n-{number}") })
            .to_string()
            .as_bytes(),
        );
        purchase::create(&shop.sslcom.world, fields.unwrap()).unwrap();
    }
    let last = shop.list(&[("per_page", "100"), ("page", "100")]).await;
    assert_eq!((last.len(), &last[99]["external_order_number"]), (100, &json!("n-0")));
    assert_eq!(shop.sslcom.till().by_external_order_number.len(), 10_000);
}
