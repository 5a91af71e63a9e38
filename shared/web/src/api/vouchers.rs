//! Orders that are paid and unused: seen, freed, and given to somebody else.

use axum::{Json, extract::State};
use domain::{EnrollmentId, IntegrationId};
use flow::{Decision, vouchers};
use ports::Platform;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    App,
    document::{ChangeProblems, Problems},
    input::{By, Fields, Ids},
    problem::Problem,
    routes::handlers,
    shape::{Enrollment, List, Voucher},
};

pub(super) fn routes<P: Platform>() -> OpenApiRouter<App<P>> {
    OpenApiRouter::default()
        .routes(handlers!(P: list_vouchers))
        .routes(handlers!(P: give_order))
        .routes(handlers!(P: release_order))
}

type One = Ids<(IntegrationId, EnrollmentId)>;
type Changed = Result<Json<Enrollment>, Problem>;

/// Orders that are paid and unused
///
/// SSL.com is asked, so this is not for polling.
#[utoipa::path(
    get, path = "/api/integrations/{id}/vouchers", tag = "vouchers", operation_id = "vouchers",
    security(("bearer" = ["viewer"])), params(("id" = Uuid, Path)),
    responses((status = OK, body = List<Voucher>), Problems),
)]
async fn list_vouchers<P: Platform>(
    State(app): State<App<P>>,
    Ids(id): Ids<IntegrationId>,
) -> Result<Json<List<Voucher>>, Problem> {
    let items = vouchers::list(&app.flow, id).await?.into_iter().map(Voucher::from).collect();
    Ok(Json(List { items, next: None }))
}

/// Which order.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct GivenOrder {
    #[schema(example = "co-abcdef0")]
    order: String,
}

/// Use a paid order in place of a new one
#[utoipa::path(
    post, path = "/api/integrations/{id}/enrollments/{enrollment}/give-order", tag = "vouchers",
    security(("bearer" = ["approver"])), params(("id" = Uuid, Path), ("enrollment" = Uuid, Path)),
    request_body = GivenOrder,
    responses((status = OK, body = Enrollment), Problems, ChangeProblems),
)]
async fn give_order<P: Platform>(
    State(app): State<App<P>>,
    Ids((id, enrollment)): One,
    By(by): By,
    Fields(input): Fields<GivenOrder>,
) -> Changed {
    let decision = Decision::about(&app.flow, id, enrollment, &by).await?;
    Ok(Json(vouchers::give(decision, &input.order).await?.into()))
}

/// Which order, and why it is not needed here.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct ReleasedOrder {
    #[schema(example = "co-abcdef0")]
    order: String,
    reason: String,
}

/// Free an unused order for somebody else
///
/// A surplus order, or the one of an enrollment whose request could not be handed in, which is cancelled with it.
#[utoipa::path(
    post, path = "/api/integrations/{id}/enrollments/{enrollment}/release-order", tag = "vouchers",
    security(("bearer" = ["approver"])), params(("id" = Uuid, Path), ("enrollment" = Uuid, Path)),
    request_body = ReleasedOrder,
    responses((status = OK, body = Enrollment), Problems, ChangeProblems),
)]
async fn release_order<P: Platform>(
    State(app): State<App<P>>,
    Ids((id, enrollment)): One,
    By(by): By,
    Fields(input): Fields<ReleasedOrder>,
) -> Changed {
    let decision = Decision::about(&app.flow, id, enrollment, &by).await?;
    Ok(Json(vouchers::release(decision, &input.order, &input.reason).await?.into()))
}
