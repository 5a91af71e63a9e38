//! Batches: asked for, read as a plan with a price, approved or abandoned.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use domain::{BatchId, IntegrationId, PersonId};
use flow::{
    FieldProblem, approve_batch,
    plan_batch::{self, BatchRequest, People},
};
use ports::{IntegrationStore, PlanFilter, Platform};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use super::{placed, scope};
use crate::{
    App,
    document::{ChangeProblems, Problems},
    input::{Asked, By, Fields, Ids, Part, page_size},
    problem::Problem,
    routes::handlers,
    shape::{Batch, Count, List, PlanPerson, Purpose},
};

pub(super) fn routes<P: Platform>() -> OpenApiRouter<App<P>> {
    OpenApiRouter::default()
        .routes(handlers!(P: list))
        .routes(handlers!(P: read))
        .routes(handlers!(P: plan))
        .routes(handlers!(P: approve))
        .routes(handlers!(P: resume))
        .routes(handlers!(P: abandon))
}

pub(super) fn creating_routes<P: Platform>() -> OpenApiRouter<App<P>> {
    OpenApiRouter::default().routes(handlers!(P: request))
}

/// Batches, newest first
#[utoipa::path(
    get, path = "/api/integrations/{id}/batches", tag = "batches", operation_id = "batches",
    security(("bearer" = ["viewer"])), params(("id" = Uuid, Path), Part),
    responses((status = OK, body = List<Batch>), Problems),
)]
async fn list<P: Platform>(
    State(app): State<App<P>>,
    Ids(id): Ids<IntegrationId>,
    Asked(asked): Asked<Part>,
) -> Result<Json<List<Batch>>, Problem> {
    let limit = asked.limit()?;
    let page = scope(&app, id).await?.batches(asked.after, limit).await?;
    Ok(Json(List::of(page, Batch::from)))
}

/// Who gets which certificate. Either `people` or `everybody` is given.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct NewBatch {
    #[schema(value_type = Option<Vec<Uuid>>)]
    people: Option<Vec<String>>,
    everybody: bool,
    #[schema(value_type = u32)]
    product: Option<u32>,
    #[schema(value_type = u16)]
    days: Option<u16>,
    #[schema(value_type = Purpose)]
    purpose: Option<Purpose>,
}

impl NewBatch {
    fn read(self) -> Result<BatchRequest, Problem> {
        let mut problems = Vec::new();
        let people = people(self.people, self.everybody, &mut problems);
        let product = given("product", self.product, "use a code of GET …/products", &mut problems);
        let days = given("days", self.days, "use one of the product's durations", &mut problems);
        let purpose = given("purpose", self.purpose, "use general, encryption or signing", &mut problems);
        match (people, product, days, purpose) {
            (Some(people), Some(product), Some(days), Some(purpose)) if problems.is_empty() => {
                Ok(BatchRequest { people, product, days, purpose: purpose.into() })
            }
            _ => Err(Problem::invalid(problems)),
        }
    }
}

fn given<T>(field: &str, value: Option<T>, fix: &str, problems: &mut Vec<FieldProblem>) -> Option<T> {
    if value.is_none() {
        problems.push(FieldProblem::new(field, "it is missing", fix));
    }
    value
}

fn people(listed: Option<Vec<String>>, everybody: bool, problems: &mut Vec<FieldProblem>) -> Option<People> {
    let mut refused = |field: String, problem: &str, fix: &str| problems.push(FieldProblem::new(field, problem, fix));
    match listed {
        Some(_) if everybody => refused("everybody".into(), "people are listed as well", "leave one of the two out"),
        None if everybody => return Some(People::Everybody),
        None => refused("people".into(), "nobody is named", "list ids of people, or send \"everybody\": true"),
        Some(listed) if listed.is_empty() => refused("people".into(), "the list is empty", "list ids of people"),
        Some(listed) => {
            let mut people = Vec::new();
            for (row, text) in listed.iter().enumerate() {
                match text.parse::<Uuid>() {
                    Ok(id) => people.push(PersonId(id)),
                    Err(_) => refused(format!("people[{row}]"), "it is not a GUID", "use an id of GET …/people"),
                }
            }
            return Some(People::Listed(people));
        }
    }
    None
}

/// Ask for a plan
///
/// Planning reads and buys nothing. When the batch is `ready`, its price and its people stand, for seven days.
#[utoipa::path(
    post, path = "/api/integrations/{id}/batches", tag = "batches", operation_id = "create_batch",
    security(("bearer" = ["operator"])),
    params(
        ("id" = Uuid, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key plans once"),
    ),
    request_body = NewBatch,
    responses((status = ACCEPTED, body = Batch, headers(("Location" = String))), Problems, ChangeProblems),
)]
async fn request<P: Platform>(
    State(app): State<App<P>>,
    Ids(id): Ids<IntegrationId>,
    By(by): By,
    Fields(input): Fields<NewBatch>,
) -> Result<Response, Problem> {
    let batch = plan_batch::request(&app.flow, id, input.read()?, &by).await?;
    Ok(placed(StatusCode::ACCEPTED, location(&batch), Json(Batch::from(batch))))
}

/// One batch, with its enrollments counted by state
#[utoipa::path(
    get, path = "/api/integrations/{id}/batches/{batch}", tag = "batches", operation_id = "batch",
    security(("bearer" = ["viewer"])), params(("id" = Uuid, Path), ("batch" = Uuid, Path)),
    responses((status = OK, body = Batch), Problems),
)]
async fn read<P: Platform>(
    State(app): State<App<P>>,
    Ids((id, batch)): Ids<(IntegrationId, BatchId)>,
) -> Result<Json<Batch>, Problem> {
    let rows = scope(&app, id).await?;
    let found = rows.batch(batch).await?.ok_or_else(|| Problem::not_found("batch"))?;
    let counts = Count::all(rows.counts(Some(batch)).await?);
    Ok(Json(Batch::from(found).with_counts(counts)))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PlanPart {
    /// Only people about whom the plan says this word.
    #[param(example = "no_licence")]
    assessment: Option<String>,
    /// `next` of the part before.
    after: Option<String>,
    /// 1 to 200; 50 when left out.
    limit: Option<String>,
}

/// What the plan says about each person
#[utoipa::path(
    get, path = "/api/integrations/{id}/batches/{batch}/plan", tag = "batches", operation_id = "plan",
    security(("bearer" = ["viewer"])), params(("id" = Uuid, Path), ("batch" = Uuid, Path), PlanPart),
    responses((status = OK, body = List<PlanPerson>), Problems),
)]
async fn plan<P: Platform>(
    State(app): State<App<P>>,
    Ids((id, batch)): Ids<(IntegrationId, BatchId)>,
    Asked(asked): Asked<PlanPart>,
) -> Result<Json<List<PlanPerson>>, Problem> {
    let limit = page_size(asked.limit.as_deref())?;
    let rows = scope(&app, id).await?;
    rows.batch(batch).await?.ok_or_else(|| Problem::not_found("batch"))?;
    let filter = asked.assessment.map_or(PlanFilter::Everybody, PlanFilter::Assessment);
    let page = rows.plan_rows(batch, &filter, asked.after, limit).await?;
    let mut items = Vec::with_capacity(page.items.len());
    for row in page.items {
        let person = rows.person(row.person).await?;
        items.push(PlanPerson::new(row, person.as_ref()));
    }
    Ok(Json(List { items, next: page.next }))
}

/// Approve the plan: this buys
#[utoipa::path(
    post, path = "/api/integrations/{id}/batches/{batch}/approve", tag = "batches",
    security(("bearer" = ["approver"])), params(("id" = Uuid, Path), ("batch" = Uuid, Path)),
    responses((status = ACCEPTED, body = Batch, headers(("Location" = String))), Problems, ChangeProblems),
)]
async fn approve<P: Platform>(
    State(app): State<App<P>>,
    Ids((id, batch)): Ids<(IntegrationId, BatchId)>,
    By(by): By,
) -> Result<Response, Problem> {
    let batch = approve_batch::approve(&app.flow, id, batch, &by).await?;
    Ok(placed(StatusCode::ACCEPTED, location(&batch), Json(Batch::from(batch))))
}

/// Go on with a stopped batch: this buys
#[utoipa::path(
    post, path = "/api/integrations/{id}/batches/{batch}/resume", tag = "batches",
    security(("bearer" = ["approver"])), params(("id" = Uuid, Path), ("batch" = Uuid, Path)),
    responses((status = ACCEPTED, body = Batch, headers(("Location" = String))), Problems, ChangeProblems),
)]
async fn resume<P: Platform>(
    State(app): State<App<P>>,
    Ids((id, batch)): Ids<(IntegrationId, BatchId)>,
    By(by): By,
) -> Result<Response, Problem> {
    let batch = approve_batch::resume(&app.flow, id, batch, &by).await?;
    Ok(placed(StatusCode::ACCEPTED, location(&batch), Json(Batch::from(batch))))
}

/// Give up a plan that nobody approved
#[utoipa::path(
    post, path = "/api/integrations/{id}/batches/{batch}/abandon", tag = "batches",
    security(("bearer" = ["operator"])), params(("id" = Uuid, Path), ("batch" = Uuid, Path)),
    responses((status = OK, body = Batch), Problems, ChangeProblems),
)]
async fn abandon<P: Platform>(
    State(app): State<App<P>>,
    Ids((id, batch)): Ids<(IntegrationId, BatchId)>,
    By(by): By,
) -> Result<Json<Batch>, Problem> {
    Ok(Json(approve_batch::abandon(&app.flow, id, batch, &by).await?.into()))
}

fn location(batch: &domain::Batch) -> String {
    format!("/api/integrations/{}/batches/{}", batch.integration, batch.id)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use serde_json::{Value, json};

    use super::*;
    use crate::input::read;

    fn parsed(body: Value) -> Result<BatchRequest, Vec<String>> {
        let Value::Object(body) = body else { panic!("a body is an object") };
        let input: NewBatch = read(body).unwrap();
        input.read().map_err(|problem| problem.errors.into_iter().map(|error| error.field).collect())
    }

    #[test]
    fn everybody_or_a_list_is_asked_for() {
        let rest = json!({ "product": 700, "days": 365, "purpose": "signing" });
        let with = |people: Value| {
            let mut body = rest.clone();
            body.as_object_mut().unwrap().extend(people.as_object().unwrap().clone());
            parsed(body)
        };
        assert!(matches!(with(json!({ "everybody": true })).unwrap().people, People::Everybody));
        let listed = with(json!({ "people": [Uuid::nil()] })).unwrap();
        assert!(matches!(listed.people, People::Listed(people) if people == [PersonId(Uuid::nil())]));
        assert_eq!(with(json!({ "people": [Uuid::nil(), "x"] })).unwrap_err(), ["people[1]"]);
        assert_eq!(with(json!({ "people": [] })).unwrap_err(), ["people"]);
        assert_eq!(with(json!({})).unwrap_err(), ["people"]);
        assert_eq!(with(json!({ "people": [Uuid::nil()], "everybody": true })).unwrap_err(), ["everybody"]);
    }

    #[test]
    fn every_missing_field_is_named_at_once() {
        assert_eq!(parsed(json!({})).unwrap_err(), ["people", "product", "days", "purpose"]);
    }
}
