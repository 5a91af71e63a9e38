//! The OpenAPI 3.1 document, collected from the handlers, and the roles it says each operation needs.

use std::collections::HashMap;

use axum::http::Method;
use domain::operator::Role;
use utoipa::{
    IntoResponses, Modify, OpenApi, ToSchema,
    openapi::{
        ContentBuilder, Ref, RefOr, ResponseBuilder,
        path::Operation,
        response::Response,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::problem::{FieldError, ProblemDocument};

/// The document before the handlers are added.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "intune-smime",
        description = "S/MIME certificates from SSL.com on every device that Microsoft Intune manages.\n\n\
            Everything under `/api` needs a bearer token. The role that an operation needs is named in its \
            security requirement; each of viewer, operator, approver and admin may do what the ones before it may. \
            Failures are RFC 9457 problems. Lists answer `items` and `next`; `next` is handed back as `after`.",
    ),
    components(schemas(ProblemDocument, FieldError)),
    modifiers(&Bearer),
    tags(
        (name = "integrations", description = "One organisation: its Entra tenant, its connector key, its SSL.com account"),
        (name = "people", description = "The directory as imported"),
        (name = "batches", description = "A plan with a price, then approved, then run"),
        (name = "enrollments", description = "One person and one certificate, from the request to the Intune record"),
        (name = "vouchers", description = "Orders that are paid and unused"),
        (name = "session", description = "Signing in"),
        (name = "console", description = "Pages for people"),
        (name = "open", description = "For machines, without a token"),
    )
)]
pub(crate) struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("An API token of the deployment, or the token of a session"))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    }
}

/// The role that each operation needs, by method and path template.
pub(crate) type Rules = HashMap<(Method, String), Role>;

/// Reads the rules out of the document, so that what is written there and what is enforced cannot differ. An
/// operation whose requirement is not exactly one known role gets no rule, and without a rule nobody gets in.
pub(crate) fn rules(document: &utoipa::openapi::OpenApi) -> Rules {
    let mut rules = Rules::new();
    for (path, item) in &document.paths.paths {
        let operations = [
            (Method::GET, &item.get),
            (Method::PUT, &item.put),
            (Method::POST, &item.post),
            (Method::PATCH, &item.patch),
            (Method::DELETE, &item.delete),
        ];
        for (method, operation) in operations {
            if let Some(role) = operation.as_ref().and_then(only_role) {
                rules.insert((method, path.clone()), role);
            }
        }
    }
    rules
}

/// The role of an operation that has one security requirement, which names one.
fn only_role(operation: &Operation) -> Option<Role> {
    let [needed] = operation.security.as_deref()? else { return None };
    // What a requirement holds can be read only out of its JSON.
    let needed = serde_json::to_value(needed).ok()?;
    let [role] = needed["bearer"].as_array()?.as_slice() else { return None };
    serde_json::from_value(role.clone()).ok()
}

/// The problems that any operation under `/api` can answer with.
pub(crate) struct Problems;

impl IntoResponses for Problems {
    fn responses() -> std::collections::BTreeMap<String, RefOr<Response>> {
        problems(&[
            ("400", "malformed: the request cannot be read"),
            ("401", "unauthenticated: there is no valid bearer token"),
            ("403", "forbidden: the role does not allow it"),
            ("404", "not-found: there is no such thing in this integration"),
            ("422", "invalid: every field that cannot be used is named"),
            ("503", "unavailable: our own platform did not answer"),
        ])
    }
}

/// What an operation that changes something can answer with besides.
pub(crate) struct ChangeProblems;

impl IntoResponses for ChangeProblems {
    fn responses() -> std::collections::BTreeMap<String, RefOr<Response>> {
        problems(&[
            ("409", "conflict: it does not fit what is there now"),
            ("413", "too-large: the body is larger than 1 MiB"),
            ("415", "media-type: the body is not declared as JSON"),
            ("502", "vendor: SSL.com or Microsoft refused or was not reached"),
        ])
    }
}

fn problems(rows: &[(&str, &str)]) -> std::collections::BTreeMap<String, RefOr<Response>> {
    let problem = || ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemDocument::name()))).build();
    let answer = |description: &str| {
        ResponseBuilder::new().description(description).content("application/problem+json", problem()).build()
    };
    rows.iter().map(|(status, description)| ((*status).to_owned(), answer(description).into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Never called; only their descriptions are.
    mod operations {
        #[utoipa::path(get, path = "/api/a/{id}", security(("bearer" = ["approver"])), responses())]
        pub(super) fn ruled() {}
        #[utoipa::path(post, path = "/api/a/{id}", responses())]
        pub(super) fn forgotten() {}
        #[utoipa::path(get, path = "/api/b", security(("bearer" = [])), responses())]
        pub(super) fn empty() {}
        #[utoipa::path(get, path = "/api/c", security(("bearer" = ["root"])), responses())]
        pub(super) fn unknown() {}
        #[utoipa::path(get, path = "/api/d", security((), ("bearer" = ["viewer"])), responses())]
        pub(super) fn optional() {}
    }

    #[derive(OpenApi)]
    #[openapi(paths(
        operations::ruled,
        operations::forgotten,
        operations::empty,
        operations::unknown,
        operations::optional
    ))]
    struct Five;

    #[test]
    fn only_exactly_one_known_role_makes_a_rule() {
        let rules = rules(&Five::openapi());
        assert_eq!(rules, Rules::from([((Method::GET, "/api/a/{id}".into()), Role::Approver)]));
        operations::ruled();
        operations::forgotten();
        operations::empty();
        operations::unknown();
        operations::optional();
    }
}
