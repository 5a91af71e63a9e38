//! `/deviceManagement/userPfxCertificates`, which exists in beta only.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::IntoResponse as _,
};
use jiff::Timestamp;

use super::{
    Answer, Caller, READ_CONFIGURATION, Refusal, WRITE_CONFIGURATION, ok,
    query::{Condition, Literal, Query, conditions, project},
    record::{PROPERTIES, Record, Written, model},
};
use crate::microsoft::World;

const PATH: &str = "/beta/deviceManagement/userPfxCertificates";

pub(super) async fn create(
    State(world): State<Arc<World>>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    caller.require(WRITE_CONFIGURATION)?;
    Query::parse(&uri, &[])?;
    check_json(&headers)?;
    let written = Written::parse(&body)?;
    let behaviour = world.behaviour();
    let record = new_record(&caller, written, behaviour.licences_unseen)?;
    let id = record.id.clone();
    match caller.tenant.records.create(record, behaviour.get_lags_behind_post) {
        Ok(record) => Ok((StatusCode::CREATED, Json(record.shown())).into_response()),
        Err(_) => {
            let status = StatusCode::from_u16(behaviour.duplicate_status);
            let status = status.unwrap_or(StatusCode::BAD_REQUEST);
            Err(Refusal::opaque(status, &caller, format!("the record {id} exists")))
        }
    }
}

pub(super) async fn update(
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    caller.require(WRITE_CONFIGURATION)?;
    Query::parse(&uri, &[])?;
    check_json(&headers)?;
    let written = Written::parse(&body)?;
    let updated = caller.tenant.records.update(&id, |record| change(record, written));
    ok(updated.ok_or_else(|| missing(&id))??.shown())
}

pub(super) async fn delete(
    State(world): State<Arc<World>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    uri: Uri,
) -> Answer {
    caller.require(WRITE_CONFIGURATION)?;
    Query::parse(&uri, &[])?;
    if !caller.tenant.records.delete(&id, world.behaviour().delete_still_lists) {
        return Err(missing(&id));
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn one(Extension(caller): Extension<Caller>, Path(id): Path<String>, uri: Uri) -> Answer {
    caller.require(READ_CONFIGURATION)?;
    let select = Query::parse(&uri, &["$select"])?.select(PROPERTIES, PROPERTIES)?;
    let record = caller.tenant.records.read(&id).ok_or_else(|| missing(&id))?;
    ok(project(&record.shown(), &select))
}

pub(super) async fn list(State(world): State<Arc<World>>, Extension(caller): Extension<Caller>, uri: Uri) -> Answer {
    caller.require(READ_CONFIGURATION)?;
    let query = Query::parse(&uri, &["$select", "$top", "$filter"])?;
    let select = query.select(PROPERTIES, PROPERTIES)?;
    let filter = query.option("$filter").map(conditions).transpose()?.unwrap_or_default();
    let filter = filter.into_iter().map(Wanted::parse).collect::<Result<Vec<_>, _>>()?;
    let url = format!("{}{PATH}", world.graph_url());
    let page = query.page(&url, &world.behaviour(), |after, size| {
        let (records, more) =
            caller.tenant.records.page_after(after, size, |record| filter.iter().all(|wanted| wanted.matches(record)));
        let items = records.iter().map(|record| (record.id.clone(), project(&record.shown(), &select))).collect();
        (items, more)
    })?;
    ok(page)
}

fn check_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let found = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if found.is_some_and(|found| found.split(';').next() == Some("application/json")) {
        return Ok(());
    }
    Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", "The body must be application/json."))
}

fn new_record(caller: &Caller, written: Written, licences_unseen: bool) -> Result<Record, Refusal> {
    let missing = |name: &str| model(format!("{name} is missing"));
    let pfx = written.pfx()?.ok_or_else(|| missing("encryptedPfxBlob"))?;
    let thumbprint = written.thumbprint.ok_or_else(|| missing("thumbprint"))?;
    let upn = written.user_principal_name.ok_or_else(|| missing("userPrincipalName"))?;
    let opaque = |cause: String| Refusal::opaque(StatusCode::BAD_REQUEST, caller, cause);
    let person =
        caller.tenant.directory().person_named(&upn).ok_or_else(|| opaque(format!("nobody is called {upn}")))?;
    if licences_unseen || !person.has_intune() {
        return Err(opaque(format!("{upn} has no Intune licence")));
    }
    let now = Timestamp::now();
    Ok(Record {
        id: Record::id_of(person.id, &thumbprint),
        user_id: person.id,
        thumbprint,
        intended_purpose: written.intended_purpose.ok_or_else(|| missing("intendedPurpose"))?,
        user_principal_name: upn,
        start_date_time: written.start_date_time.ok_or_else(|| missing("startDateTime"))?,
        expiration_date_time: written.expiration_date_time.ok_or_else(|| missing("expirationDateTime"))?,
        provider_name: written.provider_name.ok_or_else(|| missing("providerName"))?,
        key_name: written.key_name.ok_or_else(|| missing("keyName"))?,
        padding_scheme: written.padding_scheme.ok_or_else(|| missing("paddingScheme"))?,
        pfx,
        encrypted_pfx_password: written.encrypted_pfx_password.ok_or_else(|| missing("encryptedPfxPassword"))?,
        created_date_time: written.created_date_time.unwrap_or(now),
        last_modified_date_time: written.last_modified_date_time.unwrap_or(now),
        revision: 0,
    })
}

/// Takes over what is there. The person and the thumbprint are the record's key and stay.
fn change(record: &mut Record, written: Written) -> Result<(), Refusal> {
    let pfx = written.pfx()?;
    if written.thumbprint.is_some_and(|found| found != record.thumbprint) {
        return Err(model("thumbprint is a part of the record's id"));
    }
    let upn = written.user_principal_name;
    if upn.is_some_and(|found| !found.eq_ignore_ascii_case(&record.user_principal_name)) {
        return Err(model("userPrincipalName is a part of the record's id"));
    }
    fn take<T>(field: &mut T, written: Option<T>) {
        if let Some(written) = written {
            *field = written;
        }
    }
    take(&mut record.intended_purpose, written.intended_purpose);
    take(&mut record.start_date_time, written.start_date_time);
    take(&mut record.expiration_date_time, written.expiration_date_time);
    take(&mut record.provider_name, written.provider_name);
    take(&mut record.key_name, written.key_name);
    take(&mut record.padding_scheme, written.padding_scheme);
    take(&mut record.pfx, pfx);
    take(&mut record.encrypted_pfx_password, written.encrypted_pfx_password);
    take(&mut record.created_date_time, written.created_date_time);
    record.last_modified_date_time = written.last_modified_date_time.unwrap_or_else(Timestamp::now);
    Ok(())
}

/// A condition that Microsoft's tools use on this list.
enum Wanted {
    UserPrincipalName { folded: bool, value: String },
    Thumbprint { folded: bool, value: String },
}

impl Wanted {
    fn parse(condition: Condition) -> Result<Self, Refusal> {
        match (condition.left.as_str(), condition.right) {
            ("tolower(userPrincipalName)", Literal::Text(value)) => Ok(Self::UserPrincipalName { folded: true, value }),
            ("userPrincipalName", Literal::Text(value)) => Ok(Self::UserPrincipalName { folded: false, value }),
            ("tolower(thumbprint)", Literal::Text(value)) => Ok(Self::Thumbprint { folded: true, value }),
            ("thumbprint", Literal::Text(value)) => Ok(Self::Thumbprint { folded: false, value }),
            _ => Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "BadRequest",
                format!("Invalid filter clause on '{}'.", condition.left),
            )),
        }
    }

    fn matches(&self, record: &Record) -> bool {
        let (folded, value, found) = match self {
            Self::UserPrincipalName { folded, value } => (folded, value, &record.user_principal_name),
            Self::Thumbprint { folded, value } => (folded, value, &record.thumbprint),
        };
        // `tolower` folds the record's side only: a filter with a capital letter finds nobody.
        if *folded { found.to_lowercase() == *value } else { found == value }
    }
}

fn missing(id: &str) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "ResourceNotFound", format!("No record has the id '{id}'."))
}
