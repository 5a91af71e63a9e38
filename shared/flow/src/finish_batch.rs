//! A batch is done when every enrollment of it came to its end.

use domain::{Batch, BatchId, batch::BatchStatus, enrollment::StateName};
use ports::{IntegrationStore, PlatformError};

/// Ends a running batch of which nothing is left to do. Asked whenever an enrollment ends: the last one to be written sees
/// that all have ended, and where it could not ask the sweep does.
pub(crate) async fn finish_batch<S: IntegrationStore>(rows: &S, batch: BatchId) -> Result<(), PlatformError> {
    let Some(row) = rows.batch(batch).await? else { return Ok(()) };
    if row.status != BatchStatus::Running {
        return Ok(());
    }
    if !all_have_ended(&rows.counts(Some(batch)).await?) {
        return Ok(());
    }
    // Refused: somebody stopped the batch or moved its due time; the sweep looks again.
    if rows.save_batch(&Batch { status: BatchStatus::Done, due_at: None, ..row }).await? {
        tracing::info!(batch = %batch, event = "batch.done", "batch {batch} is done");
    }
    Ok(())
}

pub(crate) fn all_have_ended(counts: &[(StateName, u64)]) -> bool {
    counts.iter().all(|(state, count)| *count == 0 || state.is_over())
}
