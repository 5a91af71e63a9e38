//! The browser's part of Authorize: out to Entra with a cookie, and back with a code. Both ends are redirects; the
//! code, the state and the ticket never stand in the address of a page that stays.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{AppendHeaders, IntoResponse},
};
use axum_extra::extract::cookie::{Cookie, CookieJar, Expiration, SameSite};
use flow::connect::{self, AuthorizeAnswer};
use ports::Platform;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    App,
    input::Asked,
    problem::{Kind, Problem},
    routes::handlers,
};

pub(crate) fn routes<P: Platform>() -> OpenApiRouter<App<P>> {
    OpenApiRouter::default().routes(handlers!(P: start)).routes(handlers!(P: callback))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Start {
    /// From `POST /api/integrations/{id}/authorize`. It works once.
    ticket: String,
}

/// What Entra may put into the query. It adds fields as it likes (`session_state`), so unknown ones pass.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Answer {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

/// Begin to authorize
#[utoipa::path(
    get, path = "/oauth/start", tag = "open", params(Start),
    responses(
        (status = SEE_OTHER, description = "To Microsoft's sign-in page"),
        (status = "4XX", description = "A page that says why not", content_type = "text/html"),
    ),
)]
async fn start<P: Platform>(
    State(app): State<App<P>>,
    asked: Result<Asked<Start>, Problem>,
) -> Result<impl IntoResponse, Problem> {
    let Asked(asked) = asked.map_err(|_| Problem::new(Kind::Malformed, START_AGAIN).on_page())?;
    let begun = connect::start_authorize(&app.flow, &asked.ticket).await;
    let begun = begun.map_err(|refusal| Problem::from(refusal).on_page())?;
    let cookie = CookieShape::of(&app).cookie(begun.cookie.expose_secret().to_owned(), Expiration::Session);
    Ok((
        StatusCode::SEE_OTHER,
        AppendHeaders([(header::SET_COOKIE, cookie.to_string()), (header::LOCATION, begun.location)]),
    ))
}

/// Back from Microsoft
#[utoipa::path(
    get, path = "/oauth/callback", tag = "open", params(Answer),
    responses(
        (status = SEE_OTHER, description = "To a page without the code"),
        (status = "4XX", description = "A page that says why not", content_type = "text/html"),
    ),
)]
async fn callback<P: Platform>(
    State(app): State<App<P>>,
    jar: CookieJar,
    answer: Result<Asked<Answer>, Problem>,
) -> Result<impl IntoResponse, Problem> {
    let shape = CookieShape::of(&app);
    let answer = answer.ok().and_then(|Asked(answer)| {
        Some(AuthorizeAnswer {
            state: answer.state?,
            code: answer.code.map(SecretString::from),
            error: answer.error,
            error_description: answer.error_description,
        })
    });
    let answer = answer.ok_or_else(|| Problem::new(Kind::Malformed, START_AGAIN).on_page())?;
    let cookie = jar.get(shape.name()).map(Cookie::value);
    let connected = connect::finish_authorize(&app.flow, answer, cookie).await;
    let connected = connected.map_err(|refusal| Problem::from(refusal).on_page())?;
    // The state is used up, and so is the cookie.
    let mut gone = shape.cookie(String::new(), Expiration::Session);
    gone.make_removal();
    let location = format!("/connected?integration={}", connected.id);
    Ok((StatusCode::SEE_OTHER, AppendHeaders([(header::SET_COOKIE, gone.to_string()), (header::LOCATION, location)])))
}

const START_AGAIN: &str = "this address is incomplete; press Authorize again and follow the new link";

/// How the cookie has to look at the address that Entra sends the browser back to.
#[derive(Clone, Copy)]
enum CookieShape {
    Https,
    /// A browser keeps no `Secure` cookie from plain HTTP. Only a loopback address is reached that way.
    Loopback,
}

impl CookieShape {
    fn of<P: Platform>(app: &App<P>) -> Self {
        match app.flow.deployment().redirect_url.scheme() {
            "http" => Self::Loopback,
            _ => Self::Https,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Https => "__Host-authorize",
            Self::Loopback => "authorize",
        }
    }

    /// `Lax`, because the browser comes back from another site, by a GET.
    fn cookie(self, value: String, expires: Expiration) -> Cookie<'static> {
        Cookie::build((self.name(), value))
            .path("/")
            .http_only(true)
            .secure(matches!(self, Self::Https))
            .same_site(SameSite::Lax)
            .expires(expires)
            .build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_https_the_cookie_is_bound_to_this_host() {
        let cookie = CookieShape::Https.cookie("v".into(), Expiration::Session).to_string();
        assert_eq!(cookie, "__Host-authorize=v; HttpOnly; SameSite=Lax; Secure; Path=/");
    }

    #[test]
    fn over_plain_loopback_it_is_the_same_without_what_a_browser_would_refuse() {
        let cookie = CookieShape::Loopback.cookie("v".into(), Expiration::Session).to_string();
        assert_eq!(cookie, "authorize=v; HttpOnly; SameSite=Lax; Path=/");
    }
}
