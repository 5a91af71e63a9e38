//! Whoever wants to know how long SSL.com takes and what it answers.

use std::{fmt, sync::Arc};

/// Called before each request. What it returns is called when the answer's head has come, with its status; with `None`
/// when no answer came.
pub type Watch = Arc<dyn Fn() -> Box<dyn FnOnce(Option<u16>) + Send> + Send + Sync>;

#[derive(Clone, Default)]
pub(crate) struct Watched(pub(crate) Option<Watch>);

impl Watched {
    pub(crate) async fn over<E>(
        &self,
        request: impl Future<Output = Result<reqwest::Response, E>>,
    ) -> Result<reqwest::Response, E> {
        let told = self.0.as_ref().map(|watch| watch());
        let answered = request.await;
        if let Some(tell) = told {
            tell(answered.as_ref().ok().map(|response| response.status().as_u16()));
        }
        answered
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watched").field(&self.0.is_some()).finish()
    }
}
