//! The routes of SSL.com's web services: the collection is `/certificates`, an item is
//! `/certificate/{ref}`.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde_json::{Value, json};

use super::{
    books::Books,
    catalogue::{Account, account_id},
    fields::{Fields, Refusal},
    listing,
    order::OrderState,
    pace, purchase,
    submission::Submission,
    world::World,
};
use crate::server::page;

pub(super) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/certificates", post(create).get(list))
        .route("/certificates/validations/email", post(approvers))
        .route("/certificate/{reference}", get(retrieve).put(update).delete(revoke))
        .route("/certificate/{reference}/retry_domain_validation", post(retry_validation))
        .route("/certificate/{reference}/validations/methods", get(validation_methods))
        .fallback(async || page(StatusCode::NOT_FOUND))
        .method_not_allowed_fallback(async || page(StatusCode::NOT_FOUND))
        .layer(middleware::from_fn_with_state(Arc::clone(&world), pace::at_its_pace))
        .with_state(world)
}

/// The names under which calls are counted and made to fail.
pub(super) fn call_name(method: &Method, path: &str) -> &'static str {
    if path.ends_with("/retry_domain_validation") {
        return "sslcom.retry_validation";
    }
    match (method.as_str(), path) {
        ("POST", "/certificates") => "sslcom.create",
        ("GET", "/certificates") => "sslcom.list",
        (_, path) if path.contains("/validations/") => "sslcom.validations",
        ("GET", _) => "sslcom.retrieve",
        ("PUT", _) => "sslcom.update",
        ("DELETE", _) => "sslcom.revoke",
        _ => "sslcom.other",
    }
}

type Parameters = Query<Vec<(String, String)>>;

async fn create(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    answer(&world, from_body(&world, &headers, &body).and_then(|fields| purchase::create(&world, fields)))
}

async fn list(State(world): State<Arc<World>>, Query(query): Parameters) -> Response {
    answer(&world, Fields::from_query(query).and_then(|fields| listing::list(&world, fields)))
}

async fn retrieve(
    State(world): State<Arc<World>>,
    Path(reference): Path<String>,
    Query(query): Parameters,
) -> Response {
    let found = Fields::from_query(query).and_then(|mut fields| {
        let account = world.authenticate(&mut fields)?;
        for (name, only) in [("response_type", "individually"), ("response_encoding", "base64")] {
            if fields.text(name)?.is_some_and(|value| value != only) {
                return Err(fields.refuse(name, "is not understood here"));
            }
        }
        fields.finish()?;
        let books = world.books();
        let number = find(&books, account, &reference)?;
        let behaviour = world.behaviour().clone();
        Ok(books.orders[number].to_json(&behaviour, &world.ca))
    });
    answer(&world, found)
}

async fn update(
    State(world): State<Arc<World>>,
    Path(reference): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let updated = from_body(&world, &headers, &body).and_then(|fields| put(&world, &reference, fields));
    answer(&world, updated)
}

async fn revoke(
    State(world): State<Arc<World>>,
    Path(reference): Path<String>,
    Query(query): Parameters,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    // A body on DELETE is dropped by some proxies, so the credentials may come in the query.
    let fields = if body.is_empty() { Fields::from_query(query) } else { from_body(&world, &headers, &body) };
    answer(&world, fields.and_then(|fields| delete(&world, &reference, fields)))
}

async fn retry_validation(
    State(world): State<Arc<World>>,
    Path(reference): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let sent = from_body(&world, &headers, &body).and_then(|mut fields| {
        let account = world.authenticate(&mut fields)?;
        fields.finish()?;
        let sent = world.change(|books| {
            let number = find(books, account, &reference)?;
            let order = &mut books.orders[number];
            let validation = match &mut order.validation {
                Some(validation) if order.state == OrderState::Validating && !validation.clicked => validation,
                _ => return Err(Refusal::field("base", "there is nothing to validate again")),
            };
            validation.last_mail = world.now();
            validation.mails += 1;
            let mut then = world.save(books, number);
            then.extend(world.mail_sent(books, number));
            let behaviour = world.behaviour().clone();
            Ok((books.orders[number].to_json(&behaviour, &world.ca), then))
        });
        let (answer, then) = sent.ok_or_else(Refusal::trip)??;
        world.let_happen(then);
        Ok(answer)
    });
    answer(&world, sent)
}

async fn validation_methods(
    State(world): State<Arc<World>>,
    Path(reference): Path<String>,
    Query(query): Parameters,
) -> Response {
    let methods = Fields::from_query(query).and_then(|mut fields| {
        let account = world.authenticate(&mut fields)?;
        fields.finish()?;
        let books = world.books();
        let number = find(&books, account, &reference)?;
        let request = books.orders[number].request.as_ref().ok_or_else(|| Refusal::field("csr", "can't be blank"))?;
        Ok(json!({ request.validation_item(): { "email": [request.mailbox] } }))
    });
    answer(&world, methods)
}

/// Who may approve a mailbox: the mailbox itself, and nobody else.
async fn approvers(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    let found = from_body(&world, &headers, &body).and_then(|mut fields| {
        world.authenticate(&mut fields)?;
        let items = fields.texts("domains")?.unwrap_or_default();
        fields.finish()?;
        let approvers = items.into_iter().map(|item| {
            let mailbox = item.strip_prefix("email:").unwrap_or(&item).to_owned();
            (item, json!([mailbox]))
        });
        Ok(Value::Object(approvers.collect()))
    });
    answer(&world, found)
}

fn put(world: &World, reference: &str, mut fields: Fields) -> Result<Value, Refusal> {
    let account = world.authenticate(&mut fields)?;
    if find(&world.books(), account, reference).is_err() {
        world.count_defect(|defects| &mut defects.updates_of_unknown_references);
        return Err(Refusal::unknown_reference());
    }
    let receiver = purchase::receiver(world, &mut fields)?;
    let submission = Submission::read(world, &mut fields)?;
    fields.finish()?;
    if submission.is_empty() && receiver.is_none() {
        return Err(Refusal::field("base", "nothing to update"));
    }
    let updated = world.change(|books| {
        let number = find(books, account, reference)?;
        let state = books.orders[number].state.clone();
        if submission.has_request() {
            // Counted before anything is refused: the attempt is the defect.
            if state == OrderState::Issued {
                world.add_defect(books, |defects| &mut defects.rekeys);
            } else if books.orders[number].request.is_some() {
                world.add_defect(books, |defects| &mut defects.replaced_requests);
            }
        } else if !state.is_open() {
            return Err(Refusal::field("base", "the order is closed"));
        }
        if matches!(state, OrderState::Rejected(_) | OrderState::Revoked) {
            return Err(Refusal::field("base", "the order is closed"));
        }
        let product = world
            .product(books.orders[number].product)
            .ok_or_else(|| Refusal::field("product", "is not sold any more"))?;
        submission.must_fit(&books.orders[number], books, product)?;

        let mailed = submission.asks_for_validation();
        if submission.has_request() {
            books.clicked(number);
        }
        let order = &mut books.orders[number];
        if submission.has_request() && state == OrderState::Issued {
            order.superseded.extend(order.certificate.take().map(|issued| issued.serial));
            order.state = OrderState::Validating;
        }
        if receiver.is_some() {
            order.receiver = receiver;
        }
        for digest in submission.apply(order, world.now()) {
            books.mark_used(number, digest);
        }
        let mut then = world.save(books, number);
        if mailed {
            then.extend(world.mail_sent(books, number));
        }
        let behaviour = world.behaviour().clone();
        Ok((books.orders[number].to_json(&behaviour, &world.ca), then))
    });
    let (answer, then) = updated.ok_or_else(Refusal::trip)??;
    world.let_happen(then);
    Ok(answer)
}

fn delete(world: &World, reference: &str, mut fields: Fields) -> Result<Value, Refusal> {
    let account = world.authenticate(&mut fields)?;
    fields.text("reason")?;
    let serials = fields.texts("serials")?;
    fields.finish()?;
    let revoked = world.change(|books| {
        let number = find(books, account, reference)?;
        let order = &mut books.orders[number];
        let mut own: Vec<&String> = order.superseded.iter().collect();
        own.extend(order.certificate.as_ref().map(|issued| &issued.serial));
        if own.is_empty() {
            return Err(Refusal::field("base", "there is no certificate to revoke"));
        }
        let chosen: Vec<String> = match serials {
            // Absent presumably means all of them.
            None => own.into_iter().cloned().collect(),
            Some(serials) => serials
                .iter()
                .map(|asked| {
                    let found = own.iter().find(|serial| is_same_serial(serial, asked));
                    found.map(|serial| (*serial).clone())
                })
                .collect::<Option<_>>()
                .ok_or_else(|| Refusal::field("serials", "are not of this order"))?,
        };
        order.revoked.extend(chosen);
        if order.certificate.as_ref().is_some_and(|issued| order.revoked.contains(&issued.serial)) {
            order.state = OrderState::Revoked;
        }
        world.save(books, number);
        let behaviour = world.behaviour().clone();
        Ok(books.orders[number].to_json(&behaviour, &world.ca))
    });
    revoked.ok_or_else(Refusal::trip)?
}

/// Serials are asked for in hexadecimal, with or without colons, or in decimal.
fn is_same_serial(serial: &str, asked: &str) -> bool {
    let value = u128::from_str_radix(serial, 16).ok();
    let hexadecimal = u128::from_str_radix(&asked.replace(':', ""), 16).ok();
    value.is_some() && (value == hexadecimal || value == asked.parse().ok())
}

impl World {
    /// Takes the credentials out of the members and finds their account.
    pub(super) fn authenticate(&self, fields: &mut Fields) -> Result<&Account, Refusal> {
        let account_key = fields.text("account_key")?.unwrap_or_default();
        let secret_key = fields.text("secret_key")?.unwrap_or_default();
        self.accounts.get(&account_id(&account_key)).filter(|account| account.secret_key == secret_key).ok_or_else(
            || {
                let message = "the account key or the secret key is wrong";
                Refusal::of(StatusCode::UNAUTHORIZED, "credentials", message)
            },
        )
    }
}

fn find(books: &Books, account: &Account, reference: &str) -> Result<usize, Refusal> {
    books.find(&account.id(), reference).ok_or_else(Refusal::unknown_reference)
}

fn from_body(world: &World, headers: &HeaderMap, body: &[u8]) -> Result<Fields, Refusal> {
    let declared = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = declared.and_then(|value| value.split(';').next()).map(str::trim);
    if media_type != Some("application/json") {
        world.count_defect(|defects| &mut defects.wrong_content_types);
        return Err(Refusal::field("base", "the body is not declared as application/json"));
    }
    Fields::from_json(body)
}

fn answer(world: &World, result: Result<Value, Refusal>) -> Response {
    match result {
        Ok(value) => Json(value).into_response(),
        Err(refusal) => refusal.into_response(world.behaviour().errors_with_200),
    }
}
