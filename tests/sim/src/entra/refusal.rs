//! Errors with their AADSTS numbers (Entra docs, reference-error-codes).

use axum::{
    Json,
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
};
use jiff::Timestamp;
use serde_json::json;
use url::Url;
use uuid::Uuid;

/// One error of the sign-in or token endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    error: &'static str,
    number: u32,
    text: String,
}

impl Refusal {
    pub(super) fn invalid_client(number: u32, text: impl Into<String>) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, ..Self::new("invalid_client", number, text) }
    }

    pub(super) fn invalid_grant(number: u32, text: impl Into<String>) -> Self {
        Self::new("invalid_grant", number, text)
    }

    pub(super) fn invalid_request(number: u32, text: impl Into<String>) -> Self {
        Self::new("invalid_request", number, text)
    }

    pub(super) fn invalid_scope(number: u32, text: impl Into<String>) -> Self {
        Self::new("invalid_scope", number, text)
    }

    pub(super) fn new(error: &'static str, number: u32, text: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error, number, text: text.into() }
    }

    pub(super) fn missing(parameter: &str) -> Self {
        let text = format!("The request body must contain the following parameter: '{parameter}'.");
        Self::invalid_request(900_144, text)
    }

    /// For the judge's list.
    pub(super) fn cause(&self) -> String {
        format!("AADSTS{}: {}", self.number, self.text)
    }

    /// The page that a person sees when the browser must not be sent back to the application.
    pub(super) fn page(&self) -> Response {
        let text = format!(
            "<!DOCTYPE html>\n<html><head><title>Sign in to your account</title></head><body>\
             <h1>Sorry, but we're having trouble signing you in.</h1><p>AADSTS{}: {}</p></body></html>\n",
            self.number, self.text
        );
        (StatusCode::BAD_REQUEST, Html(text)).into_response()
    }

    /// Sends the browser back to the application with the error.
    pub(super) fn redirect(&self, redirect_uri: &Url, state: Option<&str>) -> Response {
        let mut parameters = vec![("error", self.error.to_owned()), ("error_description", self.cause())];
        parameters.extend(state.map(|state| ("state", state.to_owned())));
        found(redirect_uri, parameters)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (trace, correlation) = (Uuid::new_v4(), Uuid::new_v4());
        let timestamp = Timestamp::now().strftime("%Y-%m-%d %H:%M:%SZ").to_string();
        let body = json!({
            "error": self.error,
            "error_description": format!(
                "{} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}",
                self.cause()
            ),
            "error_codes": [self.number],
            "timestamp": timestamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": format!("https://login.microsoftonline.com/error?code={}", self.number),
        });
        (self.status, Json(body)).into_response()
    }
}

/// A 302 to an address with these parameters added.
pub(super) fn found(address: &Url, parameters: Vec<(&str, String)>) -> Response {
    let mut address = address.clone();
    address.query_pairs_mut().extend_pairs(parameters);
    // axum's own constructors send 303 and 307; Entra sends 302.
    let mut answer = Redirect::to(address.as_str()).into_response();
    *answer.status_mut() = StatusCode::FOUND;
    answer
}
