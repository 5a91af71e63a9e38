//! `/users/delta`: what changed since a token (Graph docs, delta query overview).

use std::sync::Arc;

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::IntoResponse as _,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Answer, Caller, READ_USERS, ok,
    query::{Query, bad_request, decode, encode, link, project, selected},
    users::{DEFAULT_PROPERTIES, PROPERTIES, shown},
};
use crate::{
    directory::{Change, Removal},
    microsoft::World,
};

/// What both kinds of link carry; the properties were chosen once, at the beginning.
#[derive(Clone, Serialize, Deserialize)]
struct Token {
    kind: Kind,
    select: String,
    after: u64,
    until: u64,
    empty_page_given: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    /// In an `@odata.nextLink`: more of this round.
    Skip,
    /// In an `@odata.deltaLink`: the next round.
    Delta,
}

pub(super) async fn changes(
    State(world): State<Arc<World>>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    caller.require(READ_USERS)?;
    // $top, $orderby and $expand are not supported here; the page size is asked for by a header.
    let query = Query::parse(&uri, &["$select", "$deltatoken"])?;
    let directory = caller.tenant.directory();
    let url = format!("{}/v1.0/users/delta", world.graph_url());
    let behaviour = world.behaviour();

    let begin = |after| -> Result<Token, _> {
        let select = query.select(PROPERTIES, DEFAULT_PROPERTIES)?;
        let until = directory.version();
        Ok(Token { kind: Kind::Skip, select: select.join(","), after, until, empty_page_given: false })
    };
    let token = match (query.option("$skiptoken"), query.option("$deltatoken")) {
        (None, None | Some("")) => begin(0)?,
        (None, Some("latest")) => begin(directory.version())?,
        (Some(_), Some(_)) => return Err(bad_request("A skip token and a delta token at once.")),
        (skip, delta) => {
            let kind = if skip.is_some() { Kind::Skip } else { Kind::Delta };
            let token: Option<Token> = skip.or(delta).and_then(decode);
            let token = token.filter(|token| token.kind == kind);
            let mut token = token.ok_or_else(|| bad_request("Badly formed token."))?;
            if query.option("$select").is_some() {
                return Err(bad_request("The properties are part of the token already."));
            }
            // The first round begins at zero, before any version that could expire.
            let known = if token.after == 0 { token.until } else { token.after };
            if !directory.remembers(known) {
                return Ok(expired(&url, behaviour.expired_delta_status));
            }
            if kind == Kind::Delta {
                token = Token { kind: Kind::Skip, until: directory.version(), ..token };
            }
            token
        }
    };

    let select = selected(&token.select, PROPERTIES)?;
    if behaviour.empty_pages && query.option("$skiptoken").is_some() && !token.empty_page_given {
        let next = Token { empty_page_given: true, ..token };
        let next = link(&url, &behaviour, vec![("$skiptoken", encode(&next))]);
        return ok(json!({ "@odata.nextLink": next, "value": [] }));
    }
    let size = largest_page(&headers).min(behaviour.page_size).max(1);
    let (changes, more) = directory.changes_between(token.after, token.until, size);
    let mut value: Vec<Value> = changes.iter().map(|(_, change)| object(change, &select)).collect();
    if behaviour.delta_replays
        && let Some(first) = value.first().cloned()
    {
        value.push(first);
    }
    let mut page = json!({
        "@odata.context": format!("{}/v1.0/$metadata#users({})", world.graph_url(), token.select),
        "value": value,
    });
    match changes.last() {
        Some((last, _)) if more => {
            let next = Token { after: *last, empty_page_given: false, ..token };
            let next = link(&url, &behaviour, vec![("$skiptoken", encode(&next))]);
            page["@odata.nextLink"] = next.into();
        }
        _ => {
            // What changed while the pages were read belongs to the next round.
            let next = Token { kind: Kind::Delta, after: token.until, empty_page_given: false, ..token };
            let next = link(&url, &behaviour, vec![("$deltatoken", encode(&next))]);
            page["@odata.deltaLink"] = next.into();
        }
    }
    ok(page)
}

fn object(change: &Change, select: &[&str]) -> Value {
    match change {
        Change::Present(person) => {
            let mut object = project(&shown(person), select);
            object["id"] = person.id.to_string().into();
            object
        }
        Change::Removed(id, removal) => {
            let reason = match removal {
                Removal::Restorable => "changed",
                Removal::Final => "deleted",
            };
            json!({ "id": id, "@removed": { "reason": reason } })
        }
    }
}

/// `Prefer: odata.maxpagesize=n`.
fn largest_page(headers: &HeaderMap) -> usize {
    headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|each| each.trim().strip_prefix("odata.maxpagesize=")?.parse().ok())
        .unwrap_or(200)
}

/// The whole synchronisation must begin again, at the address in `Location` if the status is 410 (Graph docs, delta query
/// overview: "an error in the 40X series with codes such as syncStateNotFound", and 410 with a `Location`).
fn expired(url: &str, status: u16) -> axum::response::Response {
    let body = json!({
        "error": {
            "code": "syncStateNotFound",
            "message": "The sync state generation is not found; please perform a full sync.",
        }
    });
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::GONE);
    let mut answer = (status, axum::Json(body)).into_response();
    if status != StatusCode::GONE {
        return answer;
    }
    let location = HeaderValue::from_str(&format!("{url}?$deltatoken="));
    answer.headers_mut().insert(header::LOCATION, location.expect("a URL is ASCII"));
    answer
}
