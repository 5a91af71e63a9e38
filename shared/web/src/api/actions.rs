//! What a person decides about one enrollment.

use axum::{Json, extract::State};
use domain::{BatchId, EnrollmentId, IntegrationId};
use flow::{Decision, FieldProblem, held, import_again, resolve};
use ports::Platform;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    App,
    document::{ChangeProblems, Problems},
    input::{By, Fields, Ids, value},
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
        .routes(handlers!(P: give_up))
        .routes(handlers!(P: try_now))
        .routes(handlers!(P: import_again_one))
        .routes(handlers!(P: import_again_many))
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
    let decision = Decision::about(&app.flow, id, enrollment, &by).await?;
    Ok(Json(resolve::unblock(decision).await?.into()))
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
    let decision = Decision::about(&app.flow, id, enrollment, &by).await?;
    Ok(Json(resolve::cancel(decision, &input.reason).await?.into()))
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
    let decision = Decision::about(&app.flow, id, enrollment, &by).await?;
    let resolved = match (input.bought.as_deref(), input.not_bought) {
        (Some(reference), false) => resolve::bought(decision, reference).await?,
        (None, true) => resolve::not_bought(decision, input.checked.as_deref()).await?,
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
    let decision = Decision::about(&app.flow, id, enrollment, &by).await?;
    Ok(Json(held::accept(decision, &input.reason).await?.into()))
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
    let decision = Decision::about(&app.flow, id, enrollment, &by).await?;
    Ok(Json(held::revoke_certificate(decision, &input.reason).await?.into()))
}

/// Fetch a held certificate again, after SSL.com issued anew
#[utoipa::path(
    post, path = "/api/integrations/{id}/enrollments/{enrollment}/fetch-again", tag = "enrollments",
    security(("bearer" = ["approver"])), params(("id" = Uuid, Path), ("enrollment" = Uuid, Path)),
    responses((status = OK, body = Enrollment), Problems, ChangeProblems),
)]
async fn fetch_again<P: Platform>(State(app): State<App<P>>, Ids((id, enrollment)): One, By(by): By) -> Changed {
    let decision = Decision::about(&app.flow, id, enrollment, &by).await?;
    Ok(Json(held::fetch_again(decision).await?.into()))
}

/// Try a failed step again
#[utoipa::path(
    post, path = "/api/integrations/{id}/enrollments/{enrollment}/retry", tag = "enrollments",
    security(("bearer" = ["operator"])), params(("id" = Uuid, Path), ("enrollment" = Uuid, Path)),
    responses((status = OK, body = Enrollment), Problems, ChangeProblems),
)]
async fn retry<P: Platform>(State(app): State<App<P>>, Ids((id, enrollment)): One, By(by): By) -> Changed {
    let decision = Decision::about(&app.flow, id, enrollment, &by).await?;
    Ok(Json(resolve::retry(decision).await?.into()))
}

/// Give up what failed, or a validation that nobody ends
///
/// A certificate is revoked at SSL.com first; an order without one stays paid there.
#[utoipa::path(
    post, path = "/api/integrations/{id}/enrollments/{enrollment}/give-up", tag = "enrollments",
    security(("bearer" = ["approver"])), params(("id" = Uuid, Path), ("enrollment" = Uuid, Path)),
    request_body = Reason,
    responses((status = OK, body = Enrollment), Problems, ChangeProblems),
)]
async fn give_up<P: Platform>(
    State(app): State<App<P>>,
    Ids((id, enrollment)): One,
    By(by): By,
    Fields(input): Fields<Reason>,
) -> Changed {
    let decision = Decision::about(&app.flow, id, enrollment, &by).await?;
    Ok(Json(resolve::give_up(decision, &input.reason).await?.into()))
}

/// Try now what a machine waits for
#[utoipa::path(
    post, path = "/api/integrations/{id}/enrollments/{enrollment}/try-now", tag = "enrollments",
    security(("bearer" = ["operator"])), params(("id" = Uuid, Path), ("enrollment" = Uuid, Path)),
    responses((status = OK, body = Enrollment), Problems, ChangeProblems),
)]
async fn try_now<P: Platform>(State(app): State<App<P>>, Ids((id, enrollment)): One, By(by): By) -> Changed {
    let decision = Decision::about(&app.flow, id, enrollment, &by).await?;
    Ok(Json(resolve::try_now(decision).await?.into()))
}

/// Write the Intune record again, while the sealed key is kept
#[utoipa::path(
    post, path = "/api/integrations/{id}/enrollments/{enrollment}/import-again", tag = "enrollments",
    operation_id = "import_again",
    security(("bearer" = ["operator"])), params(("id" = Uuid, Path), ("enrollment" = Uuid, Path)),
    responses((status = OK, body = Enrollment), Problems, ChangeProblems),
)]
async fn import_again_one<P: Platform>(State(app): State<App<P>>, Ids((id, enrollment)): One, By(by): By) -> Changed {
    let decision = Decision::about(&app.flow, id, enrollment, &by).await?;
    Ok(Json(import_again::one(decision).await?.into()))
}

/// Whose records are written again, and where to go on.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct ImportAgain {
    /// Only this batch; left out: everybody.
    #[schema(value_type = Option<Uuid>)]
    batch: Option<String>,
    /// `next` of the answer before.
    after: Option<String>,
}

/// What one call did. While there is a `next`, it is sent again as `after`.
#[derive(Serialize, ToSchema)]
struct ImportingAgain {
    requested: u64,
    /// Their key is destroyed: only a new certificate helps.
    without_key: u64,
    next: Option<String>,
}

/// Write the Intune records of a batch, or of everybody, again
///
/// A hundred at a time, to the connector key and with the PFX profile of the settings as they are now.
#[utoipa::path(
    post, path = "/api/integrations/{id}/import-again", tag = "enrollments", operation_id = "import_all_again",
    security(("bearer" = ["operator"])), params(("id" = Uuid, Path)), request_body = ImportAgain,
    responses((status = OK, body = ImportingAgain), Problems, ChangeProblems),
)]
async fn import_again_many<P: Platform>(
    State(app): State<App<P>>,
    Ids(id): Ids<IntegrationId>,
    By(by): By,
    Fields(input): Fields<ImportAgain>,
) -> Result<Json<ImportingAgain>, Problem> {
    let batch = value::<BatchId>("batch", input.batch.as_deref(), "use the id of a batch")?;
    let part = import_again::many(&app.flow, id, batch, input.after, &by).await?;
    let import_again::Requested { requested, without_key, next } = part;
    Ok(Json(ImportingAgain { requested, without_key, next }))
}

/// Have SSL.com send its mail to the mailbox once more
#[utoipa::path(
    post, path = "/api/integrations/{id}/enrollments/{enrollment}/resend-validation", tag = "enrollments",
    security(("bearer" = ["operator"])), params(("id" = Uuid, Path), ("enrollment" = Uuid, Path)),
    responses((status = OK, body = Enrollment), Problems, ChangeProblems),
)]
async fn resend_validation<P: Platform>(State(app): State<App<P>>, Ids((id, enrollment)): One, By(by): By) -> Changed {
    let decision = Decision::about(&app.flow, id, enrollment, &by).await?;
    Ok(Json(resolve::resend_validation(decision).await?.into()))
}
