//! One id from the HTTP request or the sweep that began something, through the queues, to the last step it caused.

use std::future::Future;

use tracing::Instrument;

tokio::task_local! {
    static CURRENT: String;
}

/// Longer ones are not ours.
const LONGEST: usize = 100;

/// The id under which the current task works.
pub(crate) fn current() -> Option<String> {
    CURRENT.try_with(Clone::clone).ok()
}

/// Works under this id, which every line of the log then has. A text that is no id of ours is replaced by `otherwise`.
pub(crate) async fn under<T>(id: Option<&str>, otherwise: &str, work: impl Future<Output = T>) -> T {
    let id = known(id).unwrap_or(otherwise).to_owned();
    let span = tracing::info_span!("caused", correlation = id);
    CURRENT.scope(id, work).instrument(span).await
}

/// The id, if it is one: it goes into logs and messages as it is.
pub(crate) fn known(id: Option<&str>) -> Option<&str> {
    let is_id = |id: &&str| {
        let plain = |letter: u8| letter.is_ascii_alphanumeric() || b"-_=.:;".contains(&letter);
        !id.is_empty() && id.len() <= LONGEST && id.bytes().all(plain)
    };
    id.filter(is_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_knows_the_id_it_is_done_under_and_nothing_else_does() {
        assert_eq!(current(), None);
        let seen = under(Some("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700"), "request", async { current() }).await;
        assert_eq!(seen.as_deref(), Some("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700"));
        assert_eq!(current(), None);
    }

    #[test]
    fn what_could_forge_a_line_of_the_log_is_no_id() {
        for text in ["", "a b", "a\nb", "{\"x\":1}", &"a".repeat(101), "é"] {
            assert_eq!(known(Some(text)), None, "{text:?}");
        }
        assert_eq!(known(None), None);
    }
}
