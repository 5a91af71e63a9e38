//! People as imported, and the import.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use domain::{IntegrationId, PersonId};
use flow::{FieldProblem, import_people};
use ports::{IntegrationStore, PeopleFilter, Platform};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;

use super::{placed, scope};
use crate::{
    App,
    document::{ChangeProblems, Problems},
    input::{Asked, By, Ids, page_size},
    problem::Problem,
    routes::handlers,
    shape::{ImportProgress, List, Person},
};

pub(super) fn routes<P: Platform>() -> OpenApiRouter<App<P>> {
    OpenApiRouter::default().routes(handlers!(P: list)).routes(handlers!(P: read)).routes(handlers!(P: progress))
}

pub(super) fn creating_routes<P: Platform>() -> OpenApiRouter<App<P>> {
    OpenApiRouter::default().routes(handlers!(P: import))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Part {
    /// The name begins with this; letter case does not count.
    name: Option<String>,
    /// The address begins with this; letter case does not count. Either name or address can be given.
    address: Option<String>,
    /// `next` of the part before.
    after: Option<String>,
    /// 1 to 200; 50 when left out.
    limit: Option<String>,
}

impl Part {
    fn filter(&self) -> Result<PeopleFilter, Problem> {
        match (self.name.clone(), self.address.clone()) {
            (None, None) => Ok(PeopleFilter::Everybody),
            (Some(prefix), None) => Ok(PeopleFilter::Name { prefix }),
            (None, Some(prefix)) => Ok(PeopleFilter::Address { prefix }),
            (Some(_), Some(_)) => {
                let problem = "people are looked for by name or by address, not by both";
                Err(Problem::invalid(vec![FieldProblem::new("address", problem, "leave one of the two out")]))
            }
        }
    }
}

/// People
#[utoipa::path(
    get, path = "/api/integrations/{id}/people", tag = "people", operation_id = "people",
    security(("bearer" = ["viewer"])), params(("id" = Uuid, Path), Part),
    responses((status = OK, body = List<Person>), Problems),
)]
async fn list<P: Platform>(
    State(app): State<App<P>>,
    Ids(id): Ids<IntegrationId>,
    Asked(asked): Asked<Part>,
) -> Result<Json<List<Person>>, Problem> {
    let limit = page_size(asked.limit.as_deref())?;
    let filter = asked.filter()?;
    let page = scope(&app, id).await?.people(&filter, asked.after, limit).await?;
    Ok(Json(List::of(page, Person::from)))
}

/// One person
#[utoipa::path(
    get, path = "/api/integrations/{id}/people/{person}", tag = "people", operation_id = "person",
    security(("bearer" = ["viewer"])), params(("id" = Uuid, Path), ("person" = Uuid, Path)),
    responses((status = OK, body = Person), Problems),
)]
async fn read<P: Platform>(
    State(app): State<App<P>>,
    Ids((id, person)): Ids<(IntegrationId, PersonId)>,
) -> Result<Json<Person>, Problem> {
    let found = scope(&app, id).await?.person(person).await?;
    Ok(Json(found.ok_or_else(|| Problem::not_found("person"))?.into()))
}

/// Import the directory
#[utoipa::path(
    post, path = "/api/integrations/{id}/people/import", tag = "people", operation_id = "import_people",
    security(("bearer" = ["operator"])),
    params(
        ("id" = Uuid, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key starts once"),
    ),
    responses((status = ACCEPTED, body = ImportProgress, headers(("Location" = String))), Problems, ChangeProblems),
)]
async fn import<P: Platform>(
    State(app): State<App<P>>,
    Ids(id): Ids<IntegrationId>,
    By(by): By,
) -> Result<Response, Problem> {
    let cursor = import_people::start(&app.flow, id, &by).await?;
    let location = format!("/api/integrations/{id}/people/import");
    Ok(placed(StatusCode::ACCEPTED, location, Json(ImportProgress::from(cursor))))
}

/// Where the import stands
#[utoipa::path(
    get, path = "/api/integrations/{id}/people/import", tag = "people", operation_id = "import_progress",
    security(("bearer" = ["viewer"])), params(("id" = Uuid, Path)),
    responses((status = OK, body = ImportProgress), Problems),
)]
async fn progress<P: Platform>(
    State(app): State<App<P>>,
    Ids(id): Ids<IntegrationId>,
) -> Result<Json<ImportProgress>, Problem> {
    Ok(Json(scope(&app, id).await?.directory_cursor().await?.into()))
}
