//! Reads what a caller sent, or says as a problem which part of it cannot be used. Names that nobody knows are
//! refused, so that a misspelt field is not silently left out.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{StatusCode, header, request::Parts},
};
use domain::{operator::Operator, transition::Actor};
use flow::{FieldProblem, unique_json};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::problem::{Kind, Problem};

/// The most rows in one answer.
const LONGEST_PAGE: usize = 200;

/// Rows in one answer when nobody asks for a number.
const PAGE: usize = 50;

/// The ids of the path. One that cannot be read is as unknown as one that does not exist.
pub(crate) struct Ids<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Ids<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(ids) = Path::<T>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::new(Kind::NotFound, "the address holds an id that cannot be one"))?;
        Ok(Self(ids))
    }
}

/// Who asks, in the words of the timeline.
pub(crate) struct By(pub(crate) Actor);

impl<S: Send + Sync> FromRequestParts<S> for By {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // The guard put it there; a route that it does not stand before has no operator.
        let operator = parts.extensions.get::<Operator>();
        let name = operator.ok_or_else(|| Problem::new(Kind::Unauthenticated, "sign in first"))?.name.clone();
        Ok(Self(Actor::Operator { name }))
    }
}

/// The query. `T` denies unknown fields and holds texts, so that each can be refused by name.
pub(crate) struct Asked<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Query(query) = Query::<T>::try_from_uri(&parts.uri)
            .map_err(|rejection| Problem::new(Kind::Malformed, rejection.body_text()))?;
        Ok(Self(query))
    }
}

/// A JSON object as it came.
pub(crate) struct Object(pub(crate) Map<String, Value>);

impl<S: Send + Sync> FromRequest<S> for Object {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !says_json(&request) {
            return Err(Problem::new(Kind::MediaType, "the Content-Type must be application/json"));
        }
        let body = Bytes::from_request(request, state).await.map_err(|rejection| unread(rejection.status()))?;
        let (value, repeated) =
            unique_json::read(&body).map_err(|problem| Problem::new(Kind::Malformed, not_json(&problem)))?;
        let Value::Object(object) = value else {
            return Err(Problem::new(Kind::Malformed, "the body is JSON, but not an object"));
        };
        if repeated.is_empty() {
            return Ok(Self(object));
        }
        let twice = |field| FieldProblem::new(field, "it is there twice", "send it once");
        Err(Problem::invalid(repeated.into_iter().map(twice).collect()))
    }
}

/// A JSON object read field by field: each field that is unknown or of the wrong type is named, not only the first.
pub(crate) struct Fields<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for Fields<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let Object(object) = Object::from_request(request, state).await?;
        read(object).map(Self).map_err(Problem::invalid)
    }
}

/// Reads an object whose every field may be left out.
pub(crate) fn read<T: DeserializeOwned>(object: Map<String, Value>) -> Result<T, Vec<FieldProblem>> {
    let alone = |(field, value): (&String, &Value)| {
        let single = Map::from_iter([(field.clone(), value.clone())]);
        let problem = serde_json::from_value::<T>(Value::Object(single)).err()?;
        Some(FieldProblem::new(field, problem.to_string(), "see /openapi.json for the fields of this request"))
    };
    let problems: Vec<_> = object.iter().filter_map(alone).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    serde_json::from_value(Value::Object(object))
        .map_err(|problem| vec![FieldProblem::new("", problem.to_string(), "see /openapi.json")])
}

/// Which part of a list.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Part {
    /// `next` of the part before.
    pub(crate) after: Option<String>,
    /// 1 to 200; 50 when left out.
    limit: Option<String>,
}

impl Part {
    pub(crate) fn limit(&self) -> Result<usize, Problem> {
        page_size(self.limit.as_deref())
    }
}

/// How many rows to answer with.
pub(crate) fn page_size(limit: Option<&str>) -> Result<usize, Problem> {
    let Some(text) = limit else { return Ok(PAGE) };
    text.parse().ok().filter(|limit| (1..=LONGEST_PAGE).contains(limit)).ok_or_else(|| {
        let problem = format!("{text:?} is not a number from 1 to {LONGEST_PAGE}");
        let fix = "ask for fewer rows, and for the rest with `after`";
        Problem::invalid(vec![FieldProblem::new("limit", problem, fix)])
    })
}

/// One value of the query.
pub(crate) fn value<T: std::str::FromStr>(field: &str, text: Option<&str>, fix: &str) -> Result<Option<T>, Problem> {
    let parsed = text.map(str::parse).transpose();
    parsed.map_err(|_| Problem::invalid(vec![FieldProblem::new(field, "it cannot be read", fix)]))
}

/// Why a body was not read: too large, or the connection broke.
pub(crate) fn unread(status: StatusCode) -> Problem {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Kind::TooLarge, "a body may have 1 MiB (1,048,576 bytes)"),
        _ => Problem::new(Kind::Malformed, "the body did not arrive as a whole"),
    }
}

fn says_json(request: &Request) -> bool {
    let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media = value.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    media.eq_ignore_ascii_case("application/json")
}

/// Where the body stops being JSON.
fn not_json(problem: &serde_json::Error) -> String {
    format!("the body is not JSON: it stops making sense at line {}, column {}", problem.line(), problem.column())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use axum::body::Body;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Order {
        days: Option<u16>,
        name: Option<String>,
    }

    async fn sent(content_type: &str, body: &str) -> Result<Order, Problem> {
        let request = Request::builder().header(header::CONTENT_TYPE, content_type);
        let request = request.body(Body::from(body.to_owned())).unwrap();
        Fields::from_request(request, &()).await.map(|Fields(order)| order)
    }

    #[tokio::test]
    async fn every_field_that_cannot_be_used_is_named() {
        let body = json!({ "days": "many", "nmae": "x", "name": "y" }).to_string();
        let problem = sent("application/json", &body).await.unwrap_err();
        assert_eq!(problem.kind, Kind::Invalid);
        let fields: Vec<_> = problem.errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["days", "nmae"]);
        assert!(problem.errors[1].problem.contains("unknown field `nmae`"));
    }

    #[tokio::test]
    async fn a_good_body_is_read_and_its_charset_is_allowed() {
        let order = sent("application/json; charset=utf-8", r#"{"days":365}"#).await.unwrap();
        assert_eq!(order, Order { days: Some(365), name: None });
    }

    #[tokio::test]
    async fn what_is_not_an_object_is_refused_without_being_quoted() {
        for (media, body, kind) in [
            ("text/plain", "{}", Kind::MediaType),
            ("", "{}", Kind::MediaType),
            ("application/json", "", Kind::Malformed),
            ("application/json", "{\"days\":", Kind::Malformed),
            ("application/json", "\"hunter2\"", Kind::Malformed),
            ("application/json", "[\"hunter2\"]", Kind::Malformed),
        ] {
            let problem = sent(media, body).await.unwrap_err();
            assert_eq!(problem.kind, kind, "{body}");
            assert!(!problem.detail.contains("hunter2"), "{}", problem.detail);
        }
    }

    #[test]
    fn a_limit_out_of_range_is_refused_with_a_sentence() {
        assert_eq!(page_size(None).unwrap(), 50);
        assert_eq!(page_size(Some("200")).unwrap(), 200);
        for limit in ["0", "201", "-1", "ten", ""] {
            let problem = page_size(Some(limit)).unwrap_err();
            assert_eq!(problem.errors[0].field, "limit");
        }
    }
}
