//! Puts the routes together and keeps the door: everything under `/api` needs an [`Operator`] whose role covers
//! what the document says, and a route that the document does not know is open to nobody.

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{HeaderMap, Method, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use domain::operator::Operator;
use ports::Platform;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    App, Options, Surface, api, console,
    document::{Document, Rules, rules},
    edge::{self, Edge},
    health, hook, oauth,
    problem::{Kind, Problem},
    sign_in,
};

/// The largest body that is read.
const LARGEST_BODY: usize = 1 << 20;

/// `routes!` cannot spell a generic handler; this names its instance first.
macro_rules! handlers {
    ($platform:ty: $($handler:ident),+ $(,)?) => {{
        $(let $handler = $handler::<$platform>;)+
        utoipa_axum::routes!($($handler),+)
    }};
}
pub(crate) use handlers;

pub(crate) fn assemble<P: Platform>(app: App<P>, options: Options) -> Router {
    let surface = options.surface;
    let (ruled, mut document) = ruled_routes(&app, surface).split_for_parts();
    let (open, open_document) = open_routes(surface).split_for_parts();
    let rules = Arc::new(rules(&document));
    document.merge(open_document);

    // The surfaces without a token have no such route, and axum panics at a layer over nothing.
    let ruled = match surface {
        Surface::Everything | Surface::Api => ruled.route_layer(from_fn_with_state((app.clone(), rules), guard::<P>)),
        Surface::Authorize | Surface::Webhook => ruled,
    };
    ruled
        .merge(open)
        .fallback(edge::unknown_path)
        .method_not_allowed_fallback(edge::wrong_method)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(CatchPanicLayer::custom(edge::panicked))
        .layer(axum::Extension(api::DocumentText::of(document)))
        .layer(from_fn_with_state(Edge::new(app.clone(), options), edge::around::<P>))
        .with_state(app)
}

/// Every route that needs an operator with a role.
fn ruled_routes<P: Platform>(app: &App<P>, surface: Surface) -> OpenApiRouter<App<P>> {
    let none = OpenApiRouter::with_openapi(Document::openapi());
    match surface {
        Surface::Everything | Surface::Api => none.merge(api::routes(app)).merge(sign_in::session_routes()),
        Surface::Authorize | Surface::Webhook => none,
    }
}

/// Every route that needs no token. A new one has to be written here, where it is seen.
fn open_routes<P: Platform>(surface: Surface) -> OpenApiRouter<App<P>> {
    let none = OpenApiRouter::default();
    let pages = |none: OpenApiRouter<App<P>>| {
        none.merge(health::routes()).merge(api::document_routes()).merge(console::routes())
    };
    match surface {
        Surface::Everything => pages(none).merge(sign_in::routes()).merge(oauth::routes()).merge(hook::routes()),
        Surface::Api => pages(none),
        Surface::Authorize => none.merge(oauth::routes()),
        Surface::Webhook => none.merge(hook::routes()),
    }
}

/// Lets in who is signed in and whose role is enough.
async fn guard<P: Platform>(
    State((app, rules)): State<(App<P>, Arc<Rules>)>,
    mut request: Request,
    next: Next,
) -> Response {
    let known = request.extensions().get::<Operator>().cloned();
    let by_token = || bearer(request.headers()).and_then(|token| app.access.operator(token, app.flow.now()));
    let Some(operator) = known.or_else(by_token) else {
        return Problem::new(Kind::Unauthenticated, "send a valid token: `Authorization: Bearer …`").into_response();
    };
    let mut response = match refusal(&rules, &request, &operator) {
        Some(problem) => problem.into_response(),
        None => {
            request.extensions_mut().insert(operator.clone());
            next.run(request).await
        }
    };
    response.extensions_mut().insert(operator);
    response
}

fn refusal(rules: &Rules, request: &Request, operator: &Operator) -> Option<Problem> {
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    // axum answers HEAD with the handler of GET.
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    let refused = |detail| Some(Problem::new(Kind::Forbidden, detail));
    match rules.get(&(method.clone(), path.to_owned())) {
        Some(needed) if operator.covers(*needed) => None,
        Some(needed) => refused(format!("this needs the role {}", role_word(*needed))),
        None => refused("nobody was given the right to do this".to_owned()),
    }
}

/// The token of an `Authorization: Bearer` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn role_word(role: domain::operator::Role) -> &'static str {
    use domain::operator::Role;
    match role {
        Role::Viewer => "viewer",
        Role::Operator => "operator",
        Role::Approver => "approver",
        Role::Recovery => "recovery",
        Role::Admin => "admin",
    }
}
