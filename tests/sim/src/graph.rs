//! The part of Microsoft Graph that an importer of S/MIME certificates needs: users, groups, and
//! Intune's imported PFX certificates.
//!
//! Every call needs a token that this world's Entra ID signed, with the permission that the Graph
//! documentation names. What a resource does not offer is refused, not ignored.

pub mod behaviour;
mod certificates;
mod delta;
pub mod profiles;
mod query;
pub mod record;
pub(crate) mod throttle;
mod users;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response as AxumResponse},
    routing::get,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    microsoft::{Tenant, World},
    server,
};

pub(crate) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/v1.0/users", get(users::list))
        .route("/v1.0/users/delta", get(delta::changes))
        .route("/v1.0/users/{id}", get(users::one))
        .route("/v1.0/groups/{id}/transitiveMembers/microsoft.graph.user", get(users::members))
        .route("/beta/deviceManagement/userPfxCertificates", get(certificates::list).post(certificates::create))
        .route(
            "/beta/deviceManagement/userPfxCertificates/{id}",
            get(certificates::one).patch(certificates::update).delete(certificates::delete),
        )
        .route("/beta/deviceManagement/ndesConnectors", get(profiles::connectors))
        .route("/beta/deviceManagement/deviceConfigurations", get(profiles::list))
        .fallback(no_such_segment)
        .method_not_allowed_fallback(no_such_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&world), at_the_door))
        .with_state(world)
}

/// The names of calls, for counts and faults.
pub(crate) fn call_name(method: &Method, path: &str) -> &'static str {
    const RECORDS: &str = "/beta/deviceManagement/userPfxCertificates";
    if let Some(rest) = path.strip_prefix(RECORDS) {
        return match (method.as_str(), rest.is_empty()) {
            ("GET", true) => "graph.pfx_list",
            ("POST", true) => "graph.pfx_create",
            ("GET", false) => "graph.pfx_get",
            ("PATCH", false) => "graph.pfx_update",
            ("DELETE", false) => "graph.pfx_delete",
            _ => "graph.other",
        };
    }
    match path {
        "/v1.0/users" => "graph.users",
        "/v1.0/users/delta" => "graph.users_delta",
        "/beta/deviceManagement/ndesConnectors" => "graph.connectors",
        "/beta/deviceManagement/deviceConfigurations" => "graph.profiles",
        _ if path.starts_with("/v1.0/users/") => "graph.user",
        _ if path.starts_with("/v1.0/groups/") => "graph.group_members",
        _ => "graph.other",
    }
}

/// Who calls, according to the token.
#[derive(Clone)]
struct Caller {
    tenant: Arc<Tenant>,
    app: String,
    permissions: Vec<String>,
    /// The header that lets a query be answered from an index, which may lag.
    eventual: bool,
    activity_id: Uuid,
}

impl Caller {
    /// Passes when the token has one of these permissions.
    fn require(&self, any_of: &[&str]) -> Result<(), Refusal> {
        if any_of.iter().any(|wanted| self.permissions.iter().any(|held| held == wanted)) {
            return Ok(());
        }
        Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "Authorization_RequestDenied",
            "Insufficient privileges to complete the operation.",
        )
        .really(format!("none of {any_of:?} is granted to {}", self.app)))
    }
}

const READ_USERS: &[&str] = &["User.Read.All", "User.ReadWrite.All", "Directory.Read.All"];
const READ_MEMBERS: &[&str] = &["GroupMember.Read.All", "Group.Read.All", "Group.ReadWrite.All"];
const READ_CONFIGURATION: &[&str] =
    &["DeviceManagementConfiguration.Read.All", "DeviceManagementConfiguration.ReadWrite.All"];
const WRITE_CONFIGURATION: &[&str] = &["DeviceManagementConfiguration.ReadWrite.All"];

/// An error answer of Graph. The door adds the request ids.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// The cause that an opaque answer hides, for the judge's own list.
    cause: Option<String>,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), cause: None }
    }

    fn really(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "Request_ResourceNotFound", message)
    }

    /// Intune's answer to most of what it does not like: a JSON text in a string that names an
    /// activity and no cause (Intune-Resource-Access issue 160, msgraph-sdk-dotnet issue 1253).
    fn opaque(status: StatusCode, caller: &Caller, cause: impl Into<String>) -> Self {
        let message = json!({
            "_version": 3,
            "Message": format!(
                "An error has occurred - Operation ID (for customer support): {} - Activity ID: {} \
                 - Url: https://fef.msub02.manage.microsoft.com/RACerts/StatelessImportPFXService/\
                 deviceManagement/userPfxCertificates?api-version=5022-05-10",
                Uuid::nil(),
                caller.activity_id,
            ),
            "CustomApiErrorPhrase": "",
            "RetryAfter": null,
            "ErrorSourceService": "",
            "HttpHeaders": "{}",
        });
        Self::new(status, "BadRequest", message.to_string()).really(cause)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> AxumResponse {
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = self.status;
        answer.extensions_mut().insert(self);
        answer
    }
}

type Answer = Result<AxumResponse, Refusal>;

fn ok(body: impl Into<Value>) -> Answer {
    Ok(axum::Json::<Value>(body.into()).into_response())
}

async fn no_such_segment() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "ResourceNotFound", "Resource not found for the segment.")
}

async fn no_such_method() -> Refusal {
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "Request_BadRequest",
        "Specified HTTP method is not allowed for the request target.",
    )
}

/// Lets a request in and writes the ids on what comes out.
async fn at_the_door(State(world): State<Arc<World>>, mut request: Request, next: Next) -> AxumResponse {
    let request_id = Uuid::new_v4();
    let client_request_id = request.headers().get(CLIENT_REQUEST_ID).cloned();
    let activity_id =
        client_request_id.as_ref().and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(request_id);
    let call = call_name(request.method(), request.uri().path());
    let mut answer = match admit(&world, &request, activity_id) {
        Err(Turned::Away(refusal)) => refusal.into_response(),
        Err(Turned::Back(answer)) => answer,
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
    };
    if let Some(refusal) = answer.extensions_mut().remove::<Refusal>() {
        world.note_refusal(call, refusal.cause.as_ref().unwrap_or(&refusal.message));
        let inner = json!({
            "date": Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S").to_string(),
            "request-id": request_id,
            "client-request-id": activity_id,
        });
        let body = json!({
            "error": { "code": refusal.code, "message": refusal.message, "innerError": inner }
        });
        answer = (refusal.status, axum::Json(body)).into_response();
        if refusal.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"\"");
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
    }
    let request_id = HeaderValue::from_str(&request_id.to_string()).expect("an id is ASCII");
    answer.headers_mut().insert("request-id", request_id);
    if let Some(echo) = client_request_id {
        answer.headers_mut().insert(CLIENT_REQUEST_ID, echo);
    }
    answer
}

const CLIENT_REQUEST_ID: &str = "client-request-id";

enum Turned {
    Away(Refusal),
    Back(AxumResponse),
}

fn admit(world: &World, request: &Request, activity_id: Uuid) -> Result<Caller, Turned> {
    let caller = authenticate(world, request.headers(), activity_id).map_err(Turned::Away)?;
    let behaviour = world.behaviour();
    if request.uri().path().starts_with("/beta/deviceManagement/")
        && let Some(limits) = behaviour.limits
        && let Some(wait) = world.throttle.count(
            caller.tenant.id(),
            &caller.app,
            request.method() != Method::GET,
            limits,
            world.began + world.began.elapsed() * behaviour.speed,
        )
    {
        return Err(Turned::Back(server::throttled(behaviour.retry_after.after(wait))));
    }
    Ok(caller)
}

fn authenticate(world: &World, headers: &HeaderMap, activity_id: Uuid) -> Result<Caller, Refusal> {
    let refused = |message: &str| Refusal::new(StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", message);
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
        .ok_or_else(|| refused("Access token is empty."))?;
    let claims = world.keys.verify(token).ok_or_else(|| refused("Access token validation failure."))?;
    let text = |name: &str| claims[name].as_str().unwrap_or_default();
    if text("aud") != world.graph_audience() {
        return Err(refused("Access token validation failure. Invalid audience."));
    }
    if claims["exp"].as_i64().is_none_or(|end| end <= Timestamp::now().as_second()) {
        return Err(refused("Lifetime validation failed, the token is expired."));
    }
    let tenant = text("tid").parse().ok().and_then(|id: Uuid| world.tenant(id));
    let tenant = tenant.ok_or_else(|| refused("Access token validation failure. Invalid tenant."))?;
    let roles = claims["roles"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let permissions = roles.chain(text("scp").split_whitespace()).map(str::to_owned).collect();
    let eventual =
        headers.get("consistencylevel").is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"eventual"));
    Ok(Caller { tenant, app: text("appid").to_owned(), permissions, eventual, activity_id })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests;
