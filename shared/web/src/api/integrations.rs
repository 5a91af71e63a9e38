//! Integrations: settings, the stop switch, Authorize, preflight, products, audit.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use domain::IntegrationId;
use flow::{FieldProblem, connect, plan_batch::offered_products};
use jiff::Timestamp;
use ports::{IntegrationStore, Platform, Store};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::{placed, scope};
use crate::{
    App,
    document::{ChangeProblems, Problems},
    input::{Asked, By, Fields, Ids, Object, Part},
    problem::Problem,
    routes::handlers,
    shape::{AuditLine, Integration, List, PreflightRow, SettingsBody, SoldProduct},
};

pub(super) fn routes<P: Platform>() -> OpenApiRouter<App<P>> {
    OpenApiRouter::default()
        .routes(handlers!(P: list))
        .routes(handlers!(P: read, change))
        .routes(handlers!(P: stop_buying))
        .routes(handlers!(P: after_restore))
        .routes(handlers!(P: authorize))
        .routes(handlers!(P: preflight))
        .routes(handlers!(P: products))
        .routes(handlers!(P: audit))
}

pub(super) fn creating_routes<P: Platform>() -> OpenApiRouter<App<P>> {
    OpenApiRouter::default().routes(handlers!(P: create))
}

/// Integrations
#[utoipa::path(
    get, path = "/api/integrations", tag = "integrations", operation_id = "integrations",
    security(("bearer" = ["viewer"])), params(Part),
    responses((status = OK, body = List<Integration>), Problems),
)]
async fn list<P: Platform>(
    State(app): State<App<P>>,
    Asked(asked): Asked<Part>,
) -> Result<Json<List<Integration>>, Problem> {
    let limit = asked.limit()?;
    let page = app.flow.platform().store().integrations(asked.after, limit).await?;
    Ok(Json(List::of(page, Integration::from)))
}

/// Connect an organisation
///
/// Every field is read, and all problems are answered at once. Nothing is stored unless all are good.
#[utoipa::path(
    post, path = "/api/integrations", tag = "integrations", operation_id = "create_integration",
    security(("bearer" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key creates once")),
    request_body = SettingsBody,
    responses((status = CREATED, body = Integration, headers(("Location" = String))), Problems, ChangeProblems),
)]
async fn create<P: Platform>(
    State(app): State<App<P>>,
    By(by): By,
    Object(input): Object,
) -> Result<Response, Problem> {
    let integration = connect::create_integration(&app.flow, input, &by).await?;
    let location = format!("/api/integrations/{}", integration.id);
    Ok(placed(StatusCode::CREATED, location, Json(Integration::from(integration))))
}

/// One integration
#[utoipa::path(
    get, path = "/api/integrations/{id}", tag = "integrations", operation_id = "integration",
    security(("bearer" = ["viewer"])), params(("id" = Uuid, Path)),
    responses((status = OK, body = Integration), Problems),
)]
async fn read<P: Platform>(
    State(app): State<App<P>>,
    Ids(id): Ids<IntegrationId>,
) -> Result<Json<Integration>, Problem> {
    let found = app.flow.rows(id).integration().await?;
    let integration = found.ok_or_else(|| Problem::not_found("integration"))?;
    Ok(Json(integration.into()))
}

/// Change the settings
///
/// All fields are given; what is left out takes its default, except that secrets left out stay as they are. Open
/// plans are void when something changes that they stand on.
#[utoipa::path(
    put, path = "/api/integrations/{id}", tag = "integrations", operation_id = "change_integration",
    security(("bearer" = ["admin"])), params(("id" = Uuid, Path)),
    request_body = SettingsBody,
    responses((status = OK, body = Integration), Problems, ChangeProblems),
)]
async fn change<P: Platform>(
    State(app): State<App<P>>,
    Ids(id): Ids<IntegrationId>,
    By(by): By,
    Object(input): Object,
) -> Result<Json<Integration>, Problem> {
    Ok(Json(connect::change_settings(&app.flow, id, input, &by).await?.into()))
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct StopBuying {
    #[schema(value_type = bool)]
    stopped: Option<bool>,
}

/// The stop switch
///
/// Read before every order. What is paid is finished either way.
#[utoipa::path(
    put, path = "/api/integrations/{id}/stop-buying", tag = "integrations",
    security(("bearer" = ["admin"])), params(("id" = Uuid, Path)),
    request_body = StopBuying,
    responses((status = OK, body = Integration), Problems, ChangeProblems),
)]
async fn stop_buying<P: Platform>(
    State(app): State<App<P>>,
    Ids(id): Ids<IntegrationId>,
    By(by): By,
    Fields(input): Fields<StopBuying>,
) -> Result<Json<Integration>, Problem> {
    let missing = || Problem::invalid(vec![FieldProblem::new("stopped", "it is missing", "send true or false")]);
    let stopped = input.stopped.ok_or_else(missing)?;
    Ok(Json(connect::set_stop_buying(&app.flow, id, stopped, &by).await?.into()))
}

/// Compare with SSL.com after a restore
///
/// Buying stops at once, and open plans are given up. Orders that the restored data does not know are written into their
/// enrollments. The audit says what came of it: `restore.compared`, or `restore.not_compared` with the reason. The stop
/// switch stays on until somebody takes it off.
#[utoipa::path(
    post, path = "/api/integrations/{id}/after-restore", tag = "integrations",
    security(("bearer" = ["admin"])), params(("id" = Uuid, Path)),
    responses((status = ACCEPTED, headers(("Location" = String))), Problems, ChangeProblems),
)]
async fn after_restore<P: Platform>(
    State(app): State<App<P>>,
    Ids(id): Ids<IntegrationId>,
    By(by): By,
) -> Result<Response, Problem> {
    flow::after_restore::request(&app.flow, id, &by).await?;
    Ok(placed(StatusCode::ACCEPTED, format!("/api/integrations/{id}/audit"), ()))
}

/// Where to press Authorize.
#[derive(Serialize, ToSchema)]
struct AuthorizeLink {
    /// Opens once, in any browser.
    url: String,
    expires_at: Timestamp,
}

/// Make the link to authorize
#[utoipa::path(
    post, path = "/api/integrations/{id}/authorize", tag = "integrations",
    security(("bearer" = ["admin"])), params(("id" = Uuid, Path)),
    responses((status = OK, body = AuthorizeLink), Problems, ChangeProblems),
)]
async fn authorize<P: Platform>(
    State(app): State<App<P>>,
    Ids(id): Ids<IntegrationId>,
    By(by): By,
) -> Result<Json<AuthorizeLink>, Problem> {
    let link = connect::authorize_link(&app.flow, id, &by).await?;
    // Beside the redirect address: the cookie that the link sets has to come back there.
    let mut url = app.flow.deployment().redirect_url.clone();
    url.set_path("/oauth/start");
    url.query_pairs_mut().clear().append_pair("ticket", link.ticket.expose_secret());
    Ok(Json(AuthorizeLink { url: url.into(), expires_at: link.expires_at }))
}

/// Preflight
///
/// Spends and writes nothing.
#[utoipa::path(
    get, path = "/api/integrations/{id}/preflight", tag = "integrations",
    security(("bearer" = ["viewer"])), params(("id" = Uuid, Path)),
    responses((status = OK, body = Vec<PreflightRow>), Problems, ChangeProblems),
)]
async fn preflight<P: Platform>(
    State(app): State<App<P>>,
    Ids(id): Ids<IntegrationId>,
) -> Result<Json<Vec<PreflightRow>>, Problem> {
    let rows = flow::preflight::preflight(&app.flow, id).await?;
    Ok(Json(rows.into_iter().map(PreflightRow::from).collect()))
}

/// Products that a batch can ask for
#[utoipa::path(
    get, path = "/api/integrations/{id}/products", tag = "batches",
    security(("bearer" = ["viewer"])), params(("id" = Uuid, Path)),
    responses((status = OK, body = Vec<SoldProduct>), Problems),
)]
async fn products<P: Platform>(
    State(app): State<App<P>>,
    Ids(id): Ids<IntegrationId>,
) -> Result<Json<Vec<SoldProduct>>, Problem> {
    scope(&app, id).await?;
    Ok(Json(offered_products(&app.flow).into_iter().map(SoldProduct::from).collect()))
}

/// What operators did, newest first
#[utoipa::path(
    get, path = "/api/integrations/{id}/audit", tag = "integrations",
    security(("bearer" = ["viewer"])), params(("id" = Uuid, Path), Part),
    responses((status = OK, body = List<AuditLine>), Problems),
)]
async fn audit<P: Platform>(
    State(app): State<App<P>>,
    Ids(id): Ids<IntegrationId>,
    Asked(asked): Asked<Part>,
) -> Result<Json<List<AuditLine>>, Problem> {
    let limit = asked.limit()?;
    let page = scope(&app, id).await?.audit(asked.after, limit).await?;
    Ok(Json(List::of(page, AuditLine::from)))
}
