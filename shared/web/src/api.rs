//! Everything under `/api`: one operation per handler, each with the role that it needs.

mod actions;
mod batches;
mod enrollments;
mod integrations;
mod people;
mod vouchers;

use std::sync::{Arc, OnceLock};

use axum::{
    Extension,
    http::{HeaderMap, StatusCode, header},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
};
use domain::IntegrationId;
use ports::{IntegrationStore, Platform, Store};
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{App, idempotency, problem::Problem, tagged};

pub(crate) fn routes<P: Platform>(app: &App<P>) -> OpenApiRouter<App<P>> {
    let creating = OpenApiRouter::default()
        .merge(integrations::creating_routes())
        .merge(people::creating_routes())
        .merge(batches::creating_routes())
        .route_layer(from_fn_with_state(app.clone(), idempotency::once::<P>));
    OpenApiRouter::default()
        .merge(integrations::routes())
        .merge(people::routes())
        .merge(batches::routes())
        .merge(enrollments::routes())
        .merge(actions::routes())
        .merge(vouchers::routes())
        .merge(creating)
}

pub(crate) fn document_routes<P: Platform>() -> OpenApiRouter<App<P>> {
    OpenApiRouter::default().routes(routes!(document))
}

/// The OpenAPI document, written when it is first asked for: a function starts more often than anybody reads it.
#[derive(Clone)]
pub(crate) struct DocumentText(Arc<(OpenApi, OnceLock<String>)>);

impl DocumentText {
    pub(crate) fn of(document: OpenApi) -> Self {
        Self(Arc::new((document, OnceLock::new())))
    }

    fn text(&self) -> &str {
        let (document, text) = &*self.0;
        text.get_or_init(|| document.to_json().expect("every key of an OpenAPI document is a text"))
    }
}

/// This document
#[utoipa::path(
    get, path = "/openapi.json", tag = "open",
    responses((status = OK, description = "OpenAPI 3.1", content_type = "application/json")),
)]
async fn document(Extension(document): Extension<DocumentText>, asked: HeaderMap) -> Response {
    tagged::tagged(&asked, "application/json", document.text())
}

type Rows<P> = <<P as Platform>::Store as Store>::Scoped;

/// The rows of an integration that exists.
async fn scope<P: Platform>(app: &App<P>, id: IntegrationId) -> Result<Rows<P>, Problem> {
    let rows = app.flow.rows(id);
    match rows.integration().await? {
        Some(_) => Ok(rows),
        None => Err(Problem::not_found("integration")),
    }
}

/// `201 Created`, or `202 Accepted` while the work goes on: either way, where it can be seen.
fn placed(status: StatusCode, location: String, body: impl IntoResponse) -> Response {
    (status, [(header::LOCATION, location)], body).into_response()
}
