//! The OData query options that Graph understands for the resources here. What is not listed for a
//! resource is refused, so that nobody relies on an option that the real one ignores.

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::{StatusCode, Uri};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use url::{Url, form_urlencoded};

use super::{Refusal, behaviour::Behaviour};

/// What a page holds when `$top` does not say.
const DEFAULT_PAGE: usize = 100;
const LARGEST_PAGE: usize = 999;

/// The decoded query of one request.
pub(super) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Takes the options in `allowed` and `$skiptoken`.
    pub(super) fn parse(uri: &Uri, allowed: &[&str]) -> Result<Self, Refusal> {
        let pairs: Vec<(String, String)> =
            form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        for (place, (name, _)) in pairs.iter().enumerate() {
            if !allowed.contains(&name.as_str()) && name != SKIP_TOKEN {
                return Err(bad_request(format!("The query option '{name}' is not supported.")));
            }
            if pairs[..place].iter().any(|(before, _)| before == name) {
                return Err(bad_request(format!("The query option '{name}' is given twice.")));
            }
        }
        Ok(Self { pairs })
    }

    pub(super) fn option(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find_map(|(found, value)| (found == name).then_some(value.as_str()))
    }

    /// The properties of `$select`, or else `default`. A property that is not `known` is refused.
    pub(super) fn select(
        &self,
        known: &[&'static str],
        default: &[&'static str],
    ) -> Result<Vec<&'static str>, Refusal> {
        let Some(select) = self.option("$select") else { return Ok(default.to_vec()) };
        selected(select, known)
    }

    fn page_size(&self, behaviour: &Behaviour) -> Result<usize, Refusal> {
        let asked = match self.option("$top") {
            None => DEFAULT_PAGE,
            Some(top) => top
                .parse()
                .ok()
                .filter(|top| (1..=LARGEST_PAGE).contains(top))
                .ok_or_else(|| bad_request(format!("Invalid page size specified: '{top}'.")))?,
        };
        Ok(asked.min(behaviour.page_size).max(1))
    }

    /// A token is good for the query that it came from and for no other.
    fn fingerprint(&self) -> String {
        let mut text = form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(self.pairs.iter().filter(|(name, _)| name != SKIP_TOKEN));
        URL_SAFE_NO_PAD.encode(&digest(&SHA256, text.finish().as_bytes()).as_ref()[..12])
    }

    /// One page as Graph writes it. `items` finds what comes after a key: at most so many items,
    /// each with its own key, and whether there are more.
    pub(super) fn page(
        &self,
        url: &str,
        behaviour: &Behaviour,
        items: impl FnOnce(&str, usize) -> (Vec<(String, Value)>, bool),
    ) -> Result<Map<String, Value>, Refusal> {
        let cursor = self.cursor()?;
        let size = self.page_size(behaviour)?;
        let mut page = Map::new();
        if behaviour.empty_pages && !cursor.after.is_empty() && !cursor.empty_page_given {
            let next = Cursor { empty_page_given: true, ..cursor };
            page.insert("@odata.nextLink".to_owned(), self.next_link(url, behaviour, &next).into());
            page.insert("value".to_owned(), json!([]));
            return Ok(page);
        }
        let (items, more) = items(&cursor.after, size);
        if more && let Some((last, _)) = items.last() {
            let next = Cursor { after: last.clone(), empty_page_given: false, query: self.fingerprint() };
            page.insert("@odata.nextLink".to_owned(), self.next_link(url, behaviour, &next).into());
        }
        page.insert("value".to_owned(), items.into_iter().map(|(_, item)| item).collect());
        Ok(page)
    }

    pub(super) fn is_first_page(&self) -> bool {
        self.option(SKIP_TOKEN).is_none()
    }

    fn cursor(&self) -> Result<Cursor, Refusal> {
        let Some(token) = self.option(SKIP_TOKEN) else { return Ok(Cursor::default()) };
        decode::<Cursor>(token)
            .filter(|cursor| cursor.query == self.fingerprint())
            .ok_or_else(|| bad_request("The skip token does not belong to this query."))
    }

    fn next_link(&self, url: &str, behaviour: &Behaviour, next: &Cursor) -> String {
        let kept = self.pairs.iter().filter(|(name, _)| name != SKIP_TOKEN);
        let mut pairs: Vec<(&str, String)> = kept.map(|(name, value)| (name.as_str(), value.clone())).collect();
        pairs.push((SKIP_TOKEN, encode(next)));
        link(url, behaviour, pairs)
    }
}

/// An absolute link to another page, or to a stranger when the behaviour says so.
pub(super) fn link(url: &str, behaviour: &Behaviour, pairs: Vec<(&str, String)>) -> String {
    let mut link = Url::parse_with_params(url, pairs).expect("the server's own address is a URL");
    if behaviour.next_link_on_another_host {
        link.set_host(Some("graph.example.invalid")).expect("a host name");
    }
    link.into()
}

/// The text of a token that only this server reads.
pub(super) fn encode(token: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(token).expect("a token has a JSON form"))
}

pub(super) fn decode<T: for<'de> Deserialize<'de>>(token: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}

/// Reads the value of `$select`.
pub(super) fn selected(select: &str, known: &[&'static str]) -> Result<Vec<&'static str>, Refusal> {
    select
        .split(',')
        .map(|name| {
            known
                .iter()
                .copied()
                .find(|property| *property == name.trim())
                .ok_or_else(|| bad_request(format!("Could not find a property named '{name}'.")))
        })
        .collect()
}

/// Keeps the selected properties of an object.
pub(super) fn project(object: &Value, select: &[&str]) -> Value {
    let kept = select.iter().filter_map(|name| Some(((*name).to_owned(), object.get(name)?.clone())));
    Value::Object(kept.collect())
}

pub(super) fn bad_request(message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "Request_BadRequest", message)
}

const SKIP_TOKEN: &str = "$skiptoken";

#[derive(Default, Serialize, Deserialize)]
struct Cursor {
    after: String,
    empty_page_given: bool,
    query: String,
}

/// One condition of a `$filter`; all of them must hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Condition {
    /// The property or the function on it, as written.
    pub(super) left: String,
    pub(super) right: Literal,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Literal {
    Text(String),
    Bool(bool),
    /// The conditions inside of `any(...)`.
    Any(Vec<Condition>),
    /// A GUID or number, as written.
    Bare(String),
}

/// Reads `a eq 'b' and c eq true and d/any(p:p/e eq f)`. Nothing else is understood.
pub(super) fn conditions(filter: &str) -> Result<Vec<Condition>, Refusal> {
    split_at_and(filter)?.into_iter().map(condition).collect()
}

fn condition(text: &str) -> Result<Condition, Refusal> {
    let unsupported = || {
        Refusal::new(
            StatusCode::BAD_REQUEST,
            "Request_UnsupportedQuery",
            format!("Unsupported or invalid query filter clause: '{text}'."),
        )
    };
    if let Some((collection, inner)) = text.split_once("/any(") {
        let inner = inner.strip_suffix(')').ok_or_else(unsupported)?;
        let (variable, inner) = inner.split_once(':').ok_or_else(unsupported)?;
        let mut inner = conditions(inner)?;
        for condition in &mut inner {
            let property = condition.left.strip_prefix(&format!("{variable}/"));
            condition.left = property.ok_or_else(unsupported)?.to_owned();
        }
        return Ok(Condition { left: collection.to_owned(), right: Literal::Any(inner) });
    }
    let (left, right) = text.split_once(" eq ").ok_or_else(unsupported)?;
    let right = right.trim();
    let right = match right {
        "true" => Literal::Bool(true),
        "false" => Literal::Bool(false),
        quoted if quoted.starts_with('\'') => {
            let inner = quoted[1..].strip_suffix('\'').ok_or_else(unsupported)?;
            if inner.replace("''", "").contains('\'') {
                return Err(unsupported());
            }
            Literal::Text(inner.replace("''", "'"))
        }
        bare if bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') => Literal::Bare(bare.to_owned()),
        _ => return Err(unsupported()),
    };
    Ok(Condition { left: left.trim().to_owned(), right })
}

fn split_at_and(filter: &str) -> Result<Vec<&str>, Refusal> {
    let (mut depth, mut quoted, mut start) = (0_i32, false, 0);
    let mut parts = Vec::new();
    for (place, byte) in filter.bytes().enumerate() {
        match byte {
            b'\'' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth -= 1,
            b' ' if !quoted && depth == 0 && filter[place..].starts_with(" and ") => {
                parts.push(filter[start..place].trim());
                start = place + " and ".len();
            }
            _ => {}
        }
    }
    if quoted || depth != 0 || start > filter.len() {
        return Err(bad_request("Invalid filter clause: unbalanced quotes or parentheses."));
    }
    parts.push(filter[start..].trim());
    Ok(parts)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests {
    use super::*;

    fn text(left: &str, right: &str) -> Condition {
        Condition { left: left.to_owned(), right: Literal::Text(right.to_owned()) }
    }

    #[test]
    fn quotes_in_a_filter_are_doubled_and_may_hold_and() {
        assert_eq!(
            conditions("tolower(userPrincipalName) eq 'o''brien and sons' and b eq 'c'").unwrap(),
            [text("tolower(userPrincipalName)", "o'brien and sons"), text("b", "c")]
        );
        assert!(conditions("a eq 'o'brien'").is_err());
        assert!(conditions("a eq 'b").is_err());
        assert!(conditions("a ne 'b'").is_err());
        assert!(conditions("startswith(a,'b')").is_err());
        assert!(conditions("a eq 'b' or c eq 'd'").is_err());
        assert!(conditions("").is_err());
    }

    #[test]
    fn any_holds_conditions_of_its_own() {
        let found = conditions(
            "accountEnabled eq true and assignedPlans/any(p:p/servicePlanId eq c1ec-1 and p/capabilityStatus eq 'Enabled')",
        )
        .unwrap();
        assert_eq!(found[0], Condition { left: "accountEnabled".into(), right: Literal::Bool(true) });
        assert_eq!(
            found[1],
            Condition {
                left: "assignedPlans".into(),
                right: Literal::Any(vec![
                    Condition { left: "servicePlanId".into(), right: Literal::Bare("c1ec-1".into()) },
                    text("capabilityStatus", "Enabled"),
                ])
            }
        );
    }
}
