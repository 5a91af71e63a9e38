//! SSL.com says that an order is ready. A hint and nothing more: it makes the order due now, and the truth is fetched.

use std::collections::BTreeMap;

use domain::{
    jobs::{CheckOrder, Job},
    step::{self, Step},
    transition::Event,
};
use jiff::{SignedDuration, Timestamp};
use ports::{IntegrationStore, Platform, PlatformError, Queue, Store};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{
    Flow,
    commit::{Written, event, once},
};

/// A callback makes an order due at most this often.
const AT_MOST_EVERY: SignedDuration = SignedDuration::from_secs(60);

/// Makes the order due, if token and Basic credentials are those of an order that waits. What was wrong is not said
/// to the caller; whoever guesses learns nothing.
pub async fn order_ready<P: Platform>(
    flow: &Flow<P>,
    token: &str,
    basic: Option<(&str, &str)>,
) -> Result<(), PlatformError> {
    let Some((user, password)) = basic else { return Ok(()) };
    let hash = hash(&SecretString::from(token), user, &SecretString::from(password));
    let Some(owner) = flow.platform.store().hook_owner(&hash).await? else { return Ok(()) };
    let rows = flow.rows(owner.integration);
    // SSL.com calls once. A step that writes the row at this very moment must not swallow it.
    for _ in 0..TRIES {
        let Some(row) = rows.enrollment(owner.enrollment).await? else { return Ok(()) };
        let now = flow.now();
        let waits = matches!(step::plan(&row, now), Step::SubmitRequest | Step::Check);
        let lately = |at: Timestamp| now.duration_since(at) < AT_MOST_EVERY;
        if !waits || row.called_back_at.is_some_and(lately) {
            return Ok(());
        }
        // The write is the right to look: of a flood of callbacks one looks.
        if let Written::Yes(_) = once(&rows, &row, event("order_callback", now, Event::CalledBack), |_| {}).await? {
            let check = CheckOrder::One { integration: owner.integration, enrollment: owner.enrollment };
            return flow.platform.queue().send(vec![Job::CheckOrder(check)], std::time::Duration::ZERO).await;
        }
    }
    Ok(())
}

/// One step writes a row a few times while it is called back.
const TRIES: usize = 8;

/// What SSL.com has to show when it calls back about one order: a token in the path and Basic credentials.
pub(crate) struct Hook {
    token: SecretString,
    password: SecretString,
}

impl Hook {
    pub(crate) fn random() -> Self {
        Self { token: pki::random_token(), password: pki::random_token() }
    }

    /// What the row is found by.
    pub(crate) fn hash(&self) -> String {
        hash(&self.token, USER, &self.password)
    }

    /// What SSL.com is told. `None`: below this address there can be no path.
    pub(crate) fn callback(self, base: &Url) -> Option<sslcom::Callback> {
        let url = base.join(&format!("hooks/sslcom/{}", self.token.expose_secret())).ok()?;
        Some(sslcom::Callback { url, username: USER.to_owned(), password: self.password, parameters: BTreeMap::new() })
    }
}

/// The user name of the callback's Basic credentials.
const USER: &str = "intune-smime";

/// Token and credentials are stored as one SHA-256, so that the row is found only when all of them are right.
fn hash(token: &SecretString, user: &str, password: &SecretString) -> String {
    let all = SecretString::from(format!("{}\n{user}\n{}", token.expose_secret(), password.expose_secret()));
    pki::sha256_hex(all.expose_secret().as_bytes())
}
