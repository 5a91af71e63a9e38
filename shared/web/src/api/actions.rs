//! What a person decides about one enrollment.

use axum::{Json, extract::State};
use domain::{EnrollmentId, IntegrationId};
use flow::{FieldProblem, resolve};
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
    shape::Enrollment,
};

pub(super) fn routes<P: Platform>() -> OpenApiRouter<App<P>> {
    OpenApiRouter::default()
        .routes(handlers!(P: unblock))
        .routes(handlers!(P: cancel))
        .routes(handlers!(P: resolve))
        .routes(handlers!(P: accept))
        .routes(handlers!(P: revoke))
        .routes(handlers!(P: fetch_again))
        .routes(handlers!(P: retry))
        .routes(handlers!(P: import_again))
        .routes(handlers!(P: resend_validation))
}

type One = Ids<(IntegrationId, EnrollmentId)>;
type Changed = Result<Json<Enrollment>, Problem>;

/// Why it is done; it stands in the timeline and the audit.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct Reason {
    reason: String,
}

/// What became of an order whose answer was lost. One of the two is given.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct Resolution {
    /// It was bought, and this is its order.
    #[schema(example = "co-abcdef0")]
    bought: Option<String>,
    /// It was not bought; a new attempt begins, unless SSL.com shows the order after all.
    not_bought: bool,
    /// How that was checked, where SSL.com cannot be looked at or shows orders that might be it.
    #[schema(example = "no such order in the portal; SSL.com support, ticket 4711")]
    checked: Option<String>,
}

/// What blocked it is mended: order again
#[utoipa::path(
    post, path = "/api/integrations/{id}/enrollments/{enrollment}/unblock", tag = "enrollments",
    security(("bearer" = ["approver"])), params(("id" = Uuid, Path), ("enrollment" = Uuid, Path)),
    responses((status = OK, body = Enrollment), Problems, ChangeProblems),
)]
async fn unblock<P: Platform>(State(app): State<App<P>>, Ids((id, enrollment)): One, By(by): By) -> Changed {
    Ok(Json(resolve::unblock(&app.flow, id, enrollment, &by).await?.into()))
}

/// Give it up before anything was bought
#[utoipa::path(
    post, path = "/api/integrations/{id}/enrollments/{enrollment}/cancel", tag = "enrollments",
    security(("bearer" = ["approver"])), params(("id" = Uuid, Path), ("enrollment" = Uuid, Path)),
    request_body = Reason,
    responses((status = OK, body = Enrollment), Problems, ChangeProblems),
)]
async fn cancel<P: Platform>(
    State(app): State<App<P>>,
    Ids((id, enrollment)): One,
    By(by): By,
    Fields(input): Fields<Reason>,
) -> Changed {
    Ok(Json(resolve::cancel(&app.flow, id, enrollment, &input.reason, &by).await?.into()))
}

/// Say whether an order whose answer was lost was bought
#[utoipa::path(
    post, path = "/api/integrations/{id}/enrollments/{enrollment}/resolve", tag = "enrollments",
    security(("bearer" = ["approver"])), params(("id" = Uuid, Path), ("enrollment" = Uuid, Path)),
    request_body = Resolution,
    responses((status = OK, body = Enrollment), Problems, ChangeProblems),
)]
async fn resolve<P: Platform>(
    State(app): State<App<P>>,
    Ids((id, enrollment)): One,
    By(by): By,
    Fields(input): Fields<Resolution>,
) -> Changed {
    let resolved = match (input.bought.as_deref(), input.not_bought) {
        (Some(reference), false) => resolve::bought(&app.flow, id, enrollment, reference, &by).await?,
        (None, true) => resolve::not_bought(&app.flow, id, enrollment, input.checked.as_deref(), &by).await?,
        _ => {
            let fix = "send \"bought\" with the order, or \"not_bought\": true";
            return Err(Problem::invalid(vec![FieldProblem::new("bought", "one of two answers is needed", fix)]));
        }
    };
    Ok(Json(resolved.into()))
}

/// Accept a held certificate as it is
#[utoipa::path(
    post, path = "/api/integrations/{id}/enrollments/{enrollment}/accept", tag = "enrollments",
    security(("bearer" = ["approver"])), params(("id" = Uuid, Path), ("enrollment" = Uuid, Path)),
    request_body = Reason,
    responses((status = OK, body = Enrollment), Problems, ChangeProblems),
)]
async fn accept<P: Platform>(
    State(app): State<App<P>>,
    Ids((id, enrollment)): One,
    By(by): By,
    Fields(input): Fields<Reason>,
) -> Changed {
    Ok(Json(resolve::accept_held(&app.flow, id, enrollment, &input.reason, &by).await?.into()))
}

/// Revoke a held certificate at SSL.com
#[utoipa::path(
    post, path = "/api/integrations/{id}/enrollments/{enrollment}/revoke", tag = "enrollments",
    security(("bearer" = ["approver"])), params(("id" = Uuid, Path), ("enrollment" = Uuid, Path)),
    request_body = Reason,
    responses((status = OK, body = Enrollment), Problems, ChangeProblems),
)]
async fn revoke<P: Platform>(
    State(app): State<App<P>>,
    Ids((id, enrollment)): One,
    By(by): By,
    Fields(input): Fields<Reason>,
) -> Changed {
    Ok(Json(resolve::revoke_held(&app.flow, id, enrollment, &input.reason, &by).await?.into()))
}

/// Fetch a held certificate again, after SSL.com issued anew
#[utoipa::path(
    post, path = "/api/integrations/{id}/enrollments/{enrollment}/fetch-again", tag = "enrollments",
    security(("bearer" = ["approver"])), params(("id" = Uuid, Path), ("enrollment" = Uuid, Path)),
    responses((status = OK, body = Enrollment), Problems, ChangeProblems),
)]
async fn fetch_again<P: Platform>(State(app): State<App<P>>, Ids((id, enrollment)): One, By(by): By) -> Changed {
    Ok(Json(resolve::retry_held(&app.flow, id, enrollment, &by).await?.into()))
}

/// Try a failed step again
#[utoipa::path(
    post, path = "/api/integrations/{id}/enrollments/{enrollment}/retry", tag = "enrollments",
    security(("bearer" = ["operator"])), params(("id" = Uuid, Path), ("enrollment" = Uuid, Path)),
    responses((status = OK, body = Enrollment), Problems, ChangeProblems),
)]
async fn retry<P: Platform>(State(app): State<App<P>>, Ids((id, enrollment)): One, By(by): By) -> Changed {
    Ok(Json(resolve::retry(&app.flow, id, enrollment, &by).await?.into()))
}

/// Write the Intune record again, while the sealed key is kept
#[utoipa::path(
    post, path = "/api/integrations/{id}/enrollments/{enrollment}/import-again", tag = "enrollments",
    security(("bearer" = ["operator"])), params(("id" = Uuid, Path), ("enrollment" = Uuid, Path)),
    responses((status = OK, body = Enrollment), Problems, ChangeProblems),
)]
async fn import_again<P: Platform>(State(app): State<App<P>>, Ids((id, enrollment)): One, By(by): By) -> Changed {
    Ok(Json(resolve::import_again(&app.flow, id, enrollment, &by).await?.into()))
}

/// Have SSL.com send its mail to the mailbox once more
#[utoipa::path(
    post, path = "/api/integrations/{id}/enrollments/{enrollment}/resend-validation", tag = "enrollments",
    security(("bearer" = ["operator"])), params(("id" = Uuid, Path), ("enrollment" = Uuid, Path)),
    responses((status = OK, body = Enrollment), Problems, ChangeProblems),
)]
async fn resend_validation<P: Platform>(State(app): State<App<P>>, Ids((id, enrollment)): One, By(by): By) -> Changed {
    Ok(Json(resolve::resend_validation(&app.flow, id, enrollment, &by).await?.into()))
}
