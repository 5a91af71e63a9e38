//! Signing in with a one-time ticket, and what belongs to a session. The token travels in bodies and headers,
//! never in a URL or a cookie, so that no other page can use it.

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use domain::operator::Operator;
use jiff::Timestamp;
use ports::Platform;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    App,
    document::Problems,
    input::Fields,
    problem::{Kind, Problem, ProblemDocument},
    routes::{bearer, handlers},
    shape::Role,
};

pub(crate) fn routes<P: Platform>() -> OpenApiRouter<App<P>> {
    OpenApiRouter::default().routes(handlers!(P: sign_in))
}

pub(crate) fn session_routes<P: Platform>() -> OpenApiRouter<App<P>> {
    OpenApiRouter::default().routes({
        let sign_out = sign_out::<P>;
        routes!(session, sign_out)
    })
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct SignIn {
    /// From the link's `#ticket=`. It signs in once.
    ticket: String,
}

/// A new session.
#[derive(Serialize, ToSchema)]
struct SignedIn {
    /// For `Authorization: Bearer`.
    token: String,
    name: String,
    roles: Vec<Role>,
    expires_at: Timestamp,
}

/// Who the token belongs to.
#[derive(Serialize, ToSchema)]
struct Session {
    name: String,
    roles: Vec<Role>,
}

/// Sign in
#[utoipa::path(
    post, path = "/sign-in", tag = "session",
    request_body = SignIn,
    responses(
        (status = OK, body = SignedIn),
        (status = UNAUTHORIZED, description = "The ticket was used before, or never existed",
            body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
async fn sign_in<P: Platform>(
    State(app): State<App<P>>,
    Fields(input): Fields<SignIn>,
) -> Result<Json<SignedIn>, Problem> {
    let (token, session) = app.access.sign_in(&input.ticket, app.flow.now()).ok_or_else(|| {
        Problem::new(Kind::Unauthenticated, "this link was used before, or is of an earlier start; ask for a new one")
    })?;
    Ok(Json(SignedIn {
        token,
        name: session.operator.name,
        roles: words(session.operator.roles),
        expires_at: session.expires_at,
    }))
}

/// Who am I
#[utoipa::path(
    get, path = "/api/session", tag = "session", security(("bearer" = ["viewer"])),
    responses((status = OK, body = Session), Problems),
)]
async fn session(Extension(operator): Extension<Operator>) -> Json<Session> {
    Json(Session { name: operator.name, roles: words(operator.roles) })
}

fn words(roles: Vec<domain::operator::Role>) -> Vec<Role> {
    roles.into_iter().map(Role::from).collect()
}

/// Sign out
///
/// The session ends at once. The tokens of a deployment are not sessions and stay.
#[utoipa::path(
    delete, path = "/api/session", tag = "session", security(("bearer" = ["viewer"])),
    responses((status = NO_CONTENT, description = "The session is over"), Problems),
)]
async fn sign_out<P: Platform>(State(app): State<App<P>>, headers: HeaderMap) -> StatusCode {
    if let Some(token) = bearer(&headers) {
        app.access.sign_out(token);
    }
    StatusCode::NO_CONTENT
}
