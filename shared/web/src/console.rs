//! The pages for people. The console is one static page whose script asks the API; nothing about an integration is
//! in the HTML, so the pages need no token and may be seen by anybody.

use askama::Template;
use axum::{
    http::{HeaderMap, header},
    response::{Html, IntoResponse, Response},
};
use domain::enrollment::StateName;
use ports::Platform;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{App, problem::Problem, tagged};

pub(crate) fn routes<P: Platform>() -> OpenApiRouter<App<P>> {
    OpenApiRouter::default()
        .routes(routes!(console))
        .routes(routes!(connected))
        .routes(routes!(style))
        .routes(routes!(script))
        .routes(routes!(icon))
}

#[derive(Template)]
#[template(path = "console.html")]
struct ConsolePage {
    states: [StateLabel; StateName::ALL.len()],
}

struct StateLabel {
    word: &'static str,
    label: &'static str,
    needs_a_person: bool,
}

#[derive(Template)]
#[template(path = "connected.html")]
struct ConnectedPage;

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    detail: &'a str,
    reference: Uuid,
}

/// The console
#[utoipa::path(
    get, path = "/", tag = "console",
    responses((status = OK, description = "A page", content_type = "text/html")),
)]
async fn console(asked: HeaderMap) -> Response {
    let states = StateName::ALL.map(|state| StateLabel {
        word: state.as_str(),
        label: label(state),
        needs_a_person: state.needs_a_person(),
    });
    fixed(&asked, "text/html; charset=utf-8", written(&ConsolePage { states }))
}

/// Where Authorize ends
#[utoipa::path(
    get, path = "/connected", tag = "console",
    responses((status = OK, description = "A page", content_type = "text/html")),
)]
async fn connected(asked: HeaderMap) -> Response {
    fixed(&asked, "text/html; charset=utf-8", written(&ConnectedPage))
}

/// The pages' style
#[utoipa::path(
    get, path = "/console.css", tag = "console",
    responses((status = OK, description = "A style sheet", content_type = "text/css")),
)]
async fn style(asked: HeaderMap) -> Response {
    fixed(&asked, "text/css; charset=utf-8", include_str!("../assets/console.css"))
}

/// The console's script
#[utoipa::path(
    get, path = "/console.js", tag = "console",
    responses((status = OK, description = "A script", content_type = "text/javascript")),
)]
async fn script(asked: HeaderMap) -> Response {
    fixed(&asked, "text/javascript; charset=utf-8", include_str!("../assets/console.js"))
}

/// The pages' icon
#[utoipa::path(
    get, path = "/icon.svg", tag = "console",
    responses((status = OK, description = "An icon", content_type = "image/svg+xml")),
)]
async fn icon(asked: HeaderMap) -> Response {
    fixed(&asked, "image/svg+xml", include_str!("../assets/icon.svg"))
}

/// A problem for a person at a browser.
pub(crate) fn problem_page(problem: &Problem, reference: Uuid) -> Response {
    let page = ProblemPage { detail: &problem.detail, reference };
    Html(written(&page)).into_response()
}

/// May be kept by the browser, which asks each time whether it is still the same.
fn fixed(asked: &HeaderMap, media: &'static str, body: impl Into<String>) -> Response {
    ([(header::CACHE_CONTROL, "no-cache")], tagged::tagged(asked, media, body)).into_response()
}

fn written(page: &impl Template) -> String {
    page.render().expect("text and ids are written into a String, which cannot fail")
}

fn label(state: StateName) -> &'static str {
    match state {
        StateName::Planned => "Planned",
        StateName::Requested => "Approved",
        StateName::Buying => "Ordering",
        StateName::Bought => "Ordered",
        StateName::Validating => "Validating",
        StateName::Issued => "Issued",
        StateName::Importing => "Importing",
        StateName::Imported => "In Intune",
        StateName::Unsure => "Unclear order",
        StateName::Blocked => "Not ordered",
        StateName::Held => "Held",
        StateName::Rejected => "Rejected",
        StateName::Expired => "Order expired",
        StateName::Failed => "Failed",
        StateName::Cancelled => "Cancelled",
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use crate::problem::Kind;

    fn pages() -> [String; 3] {
        let states = StateName::ALL.map(|state| StateLabel {
            word: state.as_str(),
            label: label(state),
            needs_a_person: state.needs_a_person(),
        });
        let detail = "<script>alert(1)</script>";
        let problem = Problem::new(Kind::Conflict, detail);
        let problem = ProblemPage { detail: &problem.detail, reference: Uuid::nil() };
        [ConsolePage { states }.render().unwrap(), ConnectedPage.render().unwrap(), problem.render().unwrap()]
    }

    #[test]
    fn the_pages_hold_nothing_that_the_content_security_policy_would_stop() {
        for page in pages() {
            for forbidden in ["style=", "onclick", "onload", "<style", "http://", "https://"] {
                assert!(!page.contains(forbidden), "{forbidden}");
            }
            assert_eq!(page.matches("<script").count(), page.matches("<script src=\"/console.js\"").count());
            assert!(page.contains("<html lang=\"en\">") && page.contains("name=\"viewport\""));
        }
    }

    #[test]
    fn what_a_vendor_said_is_text_on_the_page() {
        let [_, _, problem] = pages();
        assert!(problem.contains("&#60;script&#62;alert(1)"), "{problem}");
        assert!(problem.contains(&Uuid::nil().to_string()));
    }

    #[test]
    fn the_console_has_a_bar_for_every_state() {
        let [console, ..] = pages();
        for state in StateName::ALL {
            assert!(console.contains(&format!("data-state=\"{state}\"")), "{state}");
        }
    }

    #[test]
    fn the_script_writes_text_and_never_markup() {
        let script = include_str!("../assets/console.js");
        for forbidden in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "localStorage"] {
            assert!(!script.contains(forbidden), "{forbidden}");
        }
    }
}
