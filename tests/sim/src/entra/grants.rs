//! Authorization codes and refresh tokens. They live in memory: nobody signs in across a restart.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::rand;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use uuid::Uuid;

use super::scope::Scopes;

#[derive(Default)]
pub(crate) struct Grants {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    codes: HashMap<String, Code>,
    refresh_tokens: HashMap<String, Session>,
}

/// What a code was given for.
#[derive(Clone)]
pub(super) struct Code {
    pub(super) tenant: Uuid,
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
    pub(super) scopes: Scopes,
    pub(super) nonce: Option<String>,
    pub(super) oid: Uuid,
    pub(super) upn: String,
    pub(super) issued: Timestamp,
    pub(super) used: bool,
}

/// What a refresh token stands for.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) tenant: Uuid,
    pub(super) client_id: String,
    pub(super) scopes: Scopes,
    pub(super) oid: Uuid,
    pub(super) upn: String,
    pub(super) revoked: bool,
}

impl Grants {
    pub(super) fn new_code(&self, code: Code) -> String {
        let text = random_text("1.A");
        self.lock().codes.insert(text.clone(), code);
        text
    }

    /// The code as it was before this use. It counts as used whatever becomes of the request.
    pub(super) fn use_code(&self, text: &str) -> Option<Code> {
        let mut state = self.lock();
        let code = state.codes.get_mut(text)?;
        let before = code.clone();
        code.used = true;
        Some(before)
    }

    pub(super) fn new_refresh_token(&self, session: Session) -> String {
        let text = random_text("1.AR");
        self.lock().refresh_tokens.insert(text.clone(), session);
        text
    }

    /// The old token stays good: Entra leaves it to the client to discard it.
    pub(super) fn session(&self, refresh_token: &str) -> Option<Session> {
        self.lock().refresh_tokens.get(refresh_token).cloned()
    }

    /// Every refresh token of the tenant is dead, as after "revoke sessions".
    pub(crate) fn revoke(&self, tenant: Uuid) {
        for session in self.lock().refresh_tokens.values_mut() {
            session.revoked |= session.tenant == tenant;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn random_text(prefix: &str) -> String {
    let mut bytes = [0; 48];
    rand::fill(&mut bytes).expect("the operating system gives random bytes");
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))
}
