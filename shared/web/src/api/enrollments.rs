//! Enrollments to look at: lists, one with its timeline, and how many are in each state.

use axum::{Json, extract::State, http::HeaderMap, response::Response};
use domain::{BatchId, EnrollmentId, IntegrationId, PersonId, enrollment::StateName};
use flow::FieldProblem;
use ports::{EnrollmentFilter, IntegrationStore, Platform};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;

use super::scope;
use crate::{
    App,
    document::Problems,
    input::{Asked, Ids, Part, page_size, value},
    problem::Problem,
    routes::handlers,
    shape::{Counts, Enrollment, List, TimelineEntry},
    tagged,
};

pub(super) fn routes<P: Platform>() -> OpenApiRouter<App<P>> {
    OpenApiRouter::default()
        .routes(handlers!(P: list))
        .routes(handlers!(P: read))
        .routes(handlers!(P: timeline))
        .routes(handlers!(P: counts))
}

#[derive(Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only those in this state.
    #[param(value_type = Option<crate::shape::StateName>)]
    state: Option<String>,
    /// Only those of this batch.
    #[param(value_type = Option<uuid::Uuid>)]
    batch: Option<String>,
    /// Only those of this person; not together with state or batch.
    #[param(value_type = Option<uuid::Uuid>)]
    person: Option<String>,
    /// `next` of the part before.
    after: Option<String>,
    /// 1 to 200; 50 when left out.
    limit: Option<String>,
}

impl Filter {
    fn read(&self) -> Result<EnrollmentFilter, Problem> {
        let state = value::<StateName>("state", self.state.as_deref(), "use a state of GET …/counts")?;
        let batch = value::<BatchId>("batch", self.batch.as_deref(), "use the id of a batch")?;
        let person = value::<PersonId>("person", self.person.as_deref(), "use the id of a person")?;
        Ok(match (state, batch, person) {
            (None, None, None) => EnrollmentFilter::Everything,
            (Some(state), None, None) => EnrollmentFilter::State(state),
            (None, Some(batch), None) => EnrollmentFilter::Batch(batch),
            (Some(state), Some(batch), None) => EnrollmentFilter::BatchState(batch, state),
            (None, None, Some(person)) => EnrollmentFilter::Person(person),
            (_, _, Some(_)) => {
                let problem = "one person's enrollments are listed as a whole";
                let fix = "leave state and batch out";
                return Err(Problem::invalid(vec![FieldProblem::new("person", problem, fix)]));
            }
        })
    }
}

/// Enrollments
///
/// Everything together comes newest first. Send the ETag back as `If-None-Match` to poll.
#[utoipa::path(
    get, path = "/api/integrations/{id}/enrollments", tag = "enrollments", operation_id = "enrollments",
    security(("bearer" = ["viewer"])), params(("id" = Uuid, Path), Filter),
    responses(
        (status = OK, body = List<Enrollment>, headers(("ETag" = String))),
        (status = NOT_MODIFIED, description = "As the caller has it"),
        Problems,
    ),
)]
async fn list<P: Platform>(
    State(app): State<App<P>>,
    Ids(id): Ids<IntegrationId>,
    Asked(asked): Asked<Filter>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let limit = page_size(asked.limit.as_deref())?;
    let filter = asked.read()?;
    let page = scope(&app, id).await?.enrollments(&filter, asked.after, limit).await?;
    Ok(tagged::json(&headers, &List::of(page, Enrollment::from)))
}

/// One enrollment
#[utoipa::path(
    get, path = "/api/integrations/{id}/enrollments/{enrollment}", tag = "enrollments", operation_id = "enrollment",
    security(("bearer" = ["viewer"])), params(("id" = Uuid, Path), ("enrollment" = Uuid, Path)),
    responses((status = OK, body = Enrollment), Problems),
)]
async fn read<P: Platform>(
    State(app): State<App<P>>,
    Ids((id, enrollment)): Ids<(IntegrationId, EnrollmentId)>,
) -> Result<Json<Enrollment>, Problem> {
    let found = scope(&app, id).await?.enrollment(enrollment).await?;
    Ok(Json(found.ok_or_else(|| Problem::not_found("enrollment"))?.into()))
}

/// What happened to an enrollment, oldest first
#[utoipa::path(
    get, path = "/api/integrations/{id}/enrollments/{enrollment}/timeline", tag = "enrollments",
    security(("bearer" = ["viewer"])), params(("id" = Uuid, Path), ("enrollment" = Uuid, Path), Part),
    responses((status = OK, body = List<TimelineEntry>), Problems),
)]
async fn timeline<P: Platform>(
    State(app): State<App<P>>,
    Ids((id, enrollment)): Ids<(IntegrationId, EnrollmentId)>,
    Asked(asked): Asked<Part>,
) -> Result<Json<List<TimelineEntry>>, Problem> {
    let limit = asked.limit()?;
    let rows = scope(&app, id).await?;
    rows.enrollment(enrollment).await?.ok_or_else(|| Problem::not_found("enrollment"))?;
    let page = rows.timeline(enrollment, asked.after, limit).await?;
    Ok(Json(List::of(page, TimelineEntry::from)))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Counted {
    /// Only the enrollments of this batch.
    #[param(value_type = Option<uuid::Uuid>)]
    batch: Option<String>,
}

/// How many enrollments are in each state
///
/// Send the ETag back as `If-None-Match` to poll.
#[utoipa::path(
    get, path = "/api/integrations/{id}/counts", tag = "enrollments",
    security(("bearer" = ["viewer"])), params(("id" = Uuid, Path), Counted),
    responses(
        (status = OK, body = Counts, headers(("ETag" = String))),
        (status = NOT_MODIFIED, description = "As the caller has it"),
        Problems,
    ),
)]
async fn counts<P: Platform>(
    State(app): State<App<P>>,
    Ids(id): Ids<IntegrationId>,
    Asked(asked): Asked<Counted>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let batch = value::<BatchId>("batch", asked.batch.as_deref(), "use the id of a batch")?;
    let rows = scope(&app, id).await?;
    if let Some(batch) = batch {
        rows.batch(batch).await?.ok_or_else(|| Problem::not_found("batch"))?;
    }
    Ok(tagged::json(&headers, &Counts::of(rows.counts(batch).await?)))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn filter(state: Option<&str>, batch: Option<&str>, person: Option<&str>) -> Result<EnrollmentFilter, String> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let filter = Filter { state: owned(state), batch: owned(batch), person: owned(person), ..Filter::default() };
        filter.read().map_err(|problem| problem.errors[0].field.clone())
    }

    #[test]
    fn filters_are_read_or_refused_by_name() {
        let id = Uuid::nil().to_string();
        let batch = BatchId(Uuid::nil());
        assert_eq!(filter(None, None, None), Ok(EnrollmentFilter::Everything));
        assert_eq!(filter(Some("held"), None, None), Ok(EnrollmentFilter::State(StateName::Held)));
        let both = EnrollmentFilter::BatchState(batch, StateName::Held);
        assert_eq!(filter(Some("held"), Some(&id), None), Ok(both));
        assert_eq!(filter(None, None, Some(&id)), Ok(EnrollmentFilter::Person(PersonId(Uuid::nil()))));
        assert_eq!(filter(Some("Held"), None, None), Err("state".into()));
        assert_eq!(filter(None, Some("7"), None), Err("batch".into()));
        assert_eq!(filter(Some("held"), None, Some(&id)), Err("person".into()));
    }
}
