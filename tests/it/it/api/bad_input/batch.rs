//! What a batch is asked for, field by field.

use ports::{EnrollmentFilter, IntegrationStore};
use reqwest::StatusCode;
use serde_json::json;
use uuid::Uuid;

use super::{
    super::{Server, document::document, person},
    Bad, bad, leaves, without_a_row,
};

fn rows() -> Vec<Bad> {
    let code = "use a code of GET …/products";
    let many: Vec<_> = (0..10_001_u128).map(Uuid::from_u128).collect();
    vec![
        bad("/people", json!(null), "people", "nobody is named", "everybody"),
        bad("/people", json!([]), "people", "the list is empty", "list ids of people"),
        bad("/people", json!("everybody"), "people", "expected a sequence", "/openapi.json"),
        bad("/people", json!(["anna@contoso.example"]), "people[0]", "it is not a GUID", "use an id of GET …/people"),
        bad("/people", json!(["../../x"]), "people[0]", "it is not a GUID", "use an id of GET …/people"),
        bad("/people", json!([Uuid::from_u128(7)]), "people", "was not imported", "import the directory first"),
        bad("/people", json!(many), "people", "more than 10,000 people are listed", "say everybody"),
        bad("/people", json!([[1]]), "people", "expected a string", "/openapi.json"),
        bad("/everybody", json!(true), "everybody", "people are listed as well", "leave one of the two out"),
        bad("/everybody", json!("true"), "everybody", "expected a boolean", "/openapi.json"),
        bad("/product", json!(null), "product", "it is missing", code),
        bad("/product", json!(1), "product", "product 1 is not offered here", "use one of 600"),
        bad("/product", json!(-600), "product", "integer `-600`", "/openapi.json"),
        bad("/product", json!(600.5), "product", "floating point `600.5`", "/openapi.json"),
        bad("/product", json!(4_294_967_896_u64), "product", "integer `4294967896`", "/openapi.json"),
        bad("/product", json!("600"), "product", "invalid type: string", "/openapi.json"),
        bad("/days", json!(null), "days", "it is missing", "use one of the product's durations"),
        bad("/days", json!(0), "days", "is not offered for 0 days", "use one of"),
        bad("/days", json!(36_500), "days", "is not offered for 36500 days", "use one of"),
        bad("/days", json!(65_901), "days", "integer `65901`", "/openapi.json"),
        bad("/purpose", json!(null), "purpose", "it is missing", "use general, encryption or signing"),
        bad("/purpose", json!("Signing"), "purpose", "unknown variant `Signing`", "/openapi.json"),
        bad("/purpose", json!("smimeSigning"), "purpose", "unknown variant", "/openapi.json"),
        bad("/price", json!(1), "price", "unknown field `price`", "/openapi.json"),
    ]
}

#[tokio::test]
async fn each_bad_field_of_a_batch_has_its_own_sentence_and_plans_nothing() {
    let server = Server::start().await;
    let document = document(&server).await;
    let leaves = leaves(&document, &json!({ "$ref": "#/components/schemas/NewBatch" }));
    assert_eq!(leaves.len(), 5, "{leaves:?}");
    assert_eq!(without_a_row(&leaves, &rows()), Vec::<String>::new());

    let id = server.integration().await;
    let anna = person();
    let stored = server.rows(id);
    stored.put_people(std::slice::from_ref(&anna)).await.unwrap();
    let path = format!("/api/integrations/{id}/batches");
    let products = server.get(&format!("/api/integrations/{id}/products")).await.json();
    let (code, days) = (&products[0]["code"], &products[0]["offers"][0]["days"]);
    let good = json!({ "people": [anna.id], "product": code, "days": days, "purpose": "general" });
    let audit = stored.audit(None, 100).await.unwrap();
    for row in rows() {
        row.must_be_told(&server.post(&path, row.within(&good)).await);
    }
    assert_eq!(stored.batches(None, 10).await.unwrap().items, []);
    assert_eq!(stored.enrollments(&EnrollmentFilter::Everything, None, 10).await.unwrap().items, []);
    assert_eq!(stored.audit(None, 100).await.unwrap(), audit);
    assert_eq!(server.post(&path, good).await.status, StatusCode::ACCEPTED, "the rest of the body was good");
}
