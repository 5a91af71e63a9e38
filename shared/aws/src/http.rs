//! Requests of the HTTP API. Whoever the gateway's authorizer let in becomes an [`Operator`] of the request.

use std::fmt::Display;

use domain::operator::{Operator, Role};
use lambda_http::{IntoResponse, Request, RequestExt, request::RequestContext, service_fn};
use serde::{Deserialize, de::IntoDeserializer};
use tower::{Service, ServiceExt};

use crate::{Error, correlation};

/// Answers requests with the router until Lambda ends the process.
pub async fn run<R, A>(router: R) -> Result<(), Error>
where
    R: Service<Request, Response = A> + Clone + Send + Sync + 'static,
    R::Future: Send,
    R::Error: Display + Send,
    A: IntoResponse + Send,
{
    lambda_http::run(service_fn(move |mut request: Request| {
        let router = router.clone();
        async move {
            let id = request_id(&request);
            if let Some(operator) = operator(&request) {
                request.extensions_mut().insert(operator);
            }
            let answered = correlation::under(id.as_deref(), "request", router.oneshot(request)).await;
            answered.map_err(|error| Error::from(error.to_string()))
        }
    }))
    .await
}

fn request_id(request: &Request) -> Option<String> {
    match request.request_context_ref()? {
        RequestContext::ApiGatewayV2(context) => context.request_id.clone(),
        _ => None,
    }
}

/// Whom the authorizer let in. A route without authorizer has nobody, whatever the request says of itself.
fn operator(request: &Request) -> Option<Operator> {
    let RequestContext::ApiGatewayV2(context) = request.request_context_ref()? else { return None };
    let claims = &context.authorizer.as_ref()?.jwt.as_ref()?.claims;
    // The name is for people; the object id is who it was.
    let known = ["preferred_username", "name", "oid", "sub"].into_iter().find_map(|claim| claims.get(claim));
    let object = claims.get("oid").or_else(|| claims.get("sub"));
    let name = match (known, object) {
        (Some(name), Some(object)) if name != object => format!("{name} ({object})"),
        (Some(name), _) => name.clone(),
        (None, _) => "somebody without a name".to_owned(),
    };
    Some(Operator { name, roles: claims.get("roles").map(|roles| roles_of(roles)).unwrap_or_default() })
}

/// The gateway writes a list of claims as text: `[operator approver]`; JSON is read as well. Words that are no roles of
/// ours give no right.
fn roles_of(claim: &str) -> Vec<Role> {
    let words = claim.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != '-');
    let role =
        |word: &str| Role::deserialize(IntoDeserializer::<serde::de::value::Error>::into_deserializer(word)).ok();
    words.filter_map(role).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use serde_json::{Value, json};

    use super::*;

    fn request(authorizer: Value) -> Request {
        let event = json!({
            "version": "2.0",
            "routeKey": "ANY /api/{proxy+}",
            "rawPath": "/api/integrations",
            "rawQueryString": "",
            "headers": { "authorization": "Bearer forged" },
            "isBase64Encoded": false,
            "requestContext": {
                "http": { "method": "GET", "path": "/api/integrations", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1" },
                "requestId": "r-1",
                "stage": "$default",
                "authorizer": authorizer,
            },
        });
        lambda_http::request::from_str(&event.to_string()).unwrap()
    }

    fn let_in(claims: Value) -> Option<Operator> {
        operator(&request(json!({ "jwt": { "claims": claims, "scopes": null } })))
    }

    #[test]
    fn whom_the_gateway_let_in_is_an_operator_with_their_roles() {
        let claims = json!({ "preferred_username": "ada@example.com", "oid": "7", "roles": "[approver recovery]" });
        let ada = Operator { name: "ada@example.com (7)".into(), roles: vec![Role::Approver, Role::Recovery] };
        assert_eq!(let_in(claims), Some(ada));
    }

    #[test]
    fn roles_are_read_in_every_form_and_others_give_no_right() {
        for claim in ["[viewer admin]", "viewer admin", r#"["viewer","admin"]"#, "[viewer, admin, Admins, admin-x]"] {
            assert_eq!(roles_of(claim), [Role::Viewer, Role::Admin], "{claim}");
        }
        for claim in ["", "[]", "Administrator", "ADMIN", "ad min"] {
            assert_eq!(roles_of(claim), [], "{claim}");
        }
    }

    #[test]
    fn somebody_without_roles_is_somebody_and_a_route_without_authorizer_has_nobody() {
        assert_eq!(let_in(json!({ "sub": "8" })), Some(Operator { name: "8".into(), roles: vec![] }));
        assert_eq!(operator(&request(Value::Null)), None);
        assert_eq!(request_id(&request(Value::Null)).as_deref(), Some("r-1"));
    }
}
