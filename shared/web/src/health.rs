//! Whether the process runs, and whether it can work: two questions with two answers.

use axum::{Json, extract::State};
use ports::{Platform, Store};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    App,
    problem::{Problem, ProblemDocument},
    routes::handlers,
};

pub(crate) fn routes<P: Platform>() -> OpenApiRouter<App<P>> {
    OpenApiRouter::default().routes(routes!(running)).routes(handlers!(P: ready))
}

#[derive(Serialize, ToSchema)]
struct Health {
    status: &'static str,
}

/// The process runs
#[utoipa::path(get, path = "/health", tag = "open", responses((status = OK, body = Health)))]
async fn running() -> Json<Health> {
    Json(Health { status: "running" })
}

/// The store can be read
///
/// Says nothing about SSL.com or Microsoft: that is what preflight is for.
#[utoipa::path(
    get, path = "/health/ready", tag = "open",
    responses(
        (status = OK, body = Health),
        (status = SERVICE_UNAVAILABLE, description = "The store cannot be read",
            body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
async fn ready<P: Platform>(State(app): State<App<P>>) -> Result<Json<Health>, Problem> {
    app.flow.platform().store().integrations(None, 1).await?;
    Ok(Json(Health { status: "ready" }))
}
