//! All enrollments in some states, where something is decided that each of them has a part in.

use domain::{Enrollment, enrollment::StateName};
use ports::{EnrollmentFilter, IntegrationStore, PlatformError};

/// Every enrollment of the integration that is in one of these states. The list is a hint; a row that is written is read
/// again before.
pub(crate) async fn every_enrollment_in<S: IntegrationStore>(
    rows: &S,
    states: &[StateName],
) -> Result<Vec<Enrollment>, PlatformError> {
    let mut found = Vec::new();
    for state in states {
        let mut after = None;
        loop {
            let page = rows.enrollments(&EnrollmentFilter::State(*state), after, PAGE).await?;
            found.extend(page.items);
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    Ok(found)
}

const PAGE: usize = 200;
