//! Who is asking, and whether their role is enough. Only hashes of tokens are kept, and a token is found by its
//! hash, so that no comparison tells how much of a guess was right.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::operator::{Operator, Role};
use jiff::{SignedDuration, Timestamp};

/// How long a session token is accepted after signing in.
const SESSION_LIFE: SignedDuration = SignedDuration::from_hours(12);

/// How long a one-time ticket waits for its use.
const TICKET_LIFE: SignedDuration = SignedDuration::from_mins(15);

/// Sessions open at once. Beyond it, the one that ends first is closed.
const SESSIONS: usize = 1_000;

/// The bearer tokens that are accepted: those of the deployment, and those of sessions begun by a one-time ticket.
///
/// Tickets and sessions live in this process. A deployment of more than one process signs people in elsewhere and
/// hands over an [`Operator`].
#[derive(Clone, Default)]
pub struct Access(Arc<Inner>);

#[derive(Default)]
struct Inner {
    tokens: HashMap<Hash, Operator>,
    tickets: Mutex<HashMap<Hash, (Operator, Timestamp)>>,
    sessions: Mutex<HashMap<Hash, Session>>,
}

type Hash = [u8; 32];

/// A long-lived token for programs, known by its SHA-256 only.
#[derive(Clone, Debug)]
pub struct ApiToken {
    /// What the audit calls its user.
    pub name: String,
    pub token_sha256: [u8; 32],
    pub role: Role,
}

/// Not the SHA-256 of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the SHA-256 of a token is 64 hexadecimal digits")]
pub struct NotAHash;

pub(crate) struct Session {
    pub(crate) operator: Operator,
    pub(crate) expires_at: Timestamp,
}

impl Access {
    pub fn new(tokens: Vec<ApiToken>) -> Self {
        let known = |token: ApiToken| {
            let operator = Operator { name: token.name, roles: vec![token.role] };
            (token.token_sha256, operator)
        };
        Self(Arc::new(Inner { tokens: tokens.into_iter().map(known).collect(), ..Inner::default() }))
    }

    /// A ticket that signs in once, for the link `/#ticket=…` that whoever started the process reads there.
    pub fn one_time_ticket(&self, name: &str, role: Role, now: Timestamp) -> String {
        let ticket = random_text();
        let operator = Operator { name: name.to_owned(), roles: vec![role] };
        locked(&self.0.tickets).insert(sha256(ticket.as_bytes()), (operator, now));
        ticket
    }

    /// The token of a new session; `None` when the ticket was used before or never existed.
    pub(crate) fn sign_in(&self, ticket: &str, now: Timestamp) -> Option<(String, Session)> {
        let (operator, made) = locked(&self.0.tickets).remove(&sha256(ticket.as_bytes()))?;
        if now.duration_since(made) > TICKET_LIFE {
            return None;
        }
        let expires_at = now.saturating_add(SESSION_LIFE).unwrap_or(Timestamp::MAX);
        let token = random_text();
        let mut sessions = locked(&self.0.sessions);
        sessions.retain(|_, session| session.expires_at > now);
        if sessions.len() >= SESSIONS {
            let first = sessions.iter().min_by_key(|(_, session)| session.expires_at);
            if let Some(first) = first.map(|(hash, _)| *hash) {
                sessions.remove(&first);
            }
        }
        let session = || Session { operator: operator.clone(), expires_at };
        sessions.insert(sha256(token.as_bytes()), session());
        Some((token, session()))
    }

    pub(crate) fn sign_out(&self, token: &str) {
        locked(&self.0.sessions).remove(&sha256(token.as_bytes()));
    }

    pub(crate) fn operator(&self, token: &str, now: Timestamp) -> Option<Operator> {
        let hash = sha256(token.as_bytes());
        if let Some(operator) = self.0.tokens.get(&hash) {
            return Some(operator.clone());
        }
        locked(&self.0.sessions)
            .get(&hash)
            .filter(|session| session.expires_at > now)
            .map(|session| session.operator.clone())
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("tokens", &self.0.tokens.len()).finish_non_exhaustive()
    }
}

impl ApiToken {
    /// # Errors
    ///
    /// When the hash is not 64 hexadecimal digits.
    pub fn from_hex(name: impl Into<String>, token_sha256: &str, role: Role) -> Result<Self, NotAHash> {
        let digits = token_sha256.trim().as_bytes();
        let mut hash = [0; 32];
        if digits.len() != 2 * hash.len() {
            return Err(NotAHash);
        }
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = str::from_utf8(pair).map_err(|_| NotAHash)?;
            let hexadecimal = pair.bytes().all(|digit| digit.is_ascii_hexdigit());
            *byte = u8::from_str_radix(pair, 16).ok().filter(|_| hexadecimal).ok_or(NotAHash)?;
        }
        Ok(Self { name: name.into(), token_sha256: hash, role })
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    sha256(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 256 random bits that can stand in a URL.
fn random_text() -> String {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes)
        .expect("AWS-LC's generator fails only when the operating system gives no entropy");
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A panic while the lock was held leaves a map that is still whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn a_ticket_waits_a_quarter_of_an_hour() {
        let access = Access::default();
        let late = NOW + TICKET_LIFE + SignedDuration::from_secs(1);
        assert!(access.sign_in(&access.one_time_ticket("ops", Role::Viewer, NOW), late).is_none());
        assert!(access.sign_in(&access.one_time_ticket("ops", Role::Viewer, NOW), NOW + TICKET_LIFE).is_some());
    }

    #[test]
    fn a_ticket_signs_in_once() {
        let access = Access::default();
        let ticket = access.one_time_ticket("ops", Role::Approver, NOW);
        let (token, session) = access.sign_in(&ticket, NOW).unwrap();
        let ops = Operator { name: "ops".into(), roles: vec![Role::Approver] };
        assert_eq!(session.operator, ops);
        assert_eq!(access.operator(&token, NOW), Some(ops));
        assert!(access.sign_in(&ticket, NOW).is_none());
        assert!(access.operator(&ticket, NOW).is_none(), "a ticket is not a token");
    }

    #[test]
    fn a_session_ends_by_time_and_by_signing_out() {
        let access = Access::default();
        let begin = || access.sign_in(&access.one_time_ticket("ops", Role::Viewer, NOW), NOW).unwrap();
        let (token, session) = begin();
        let before = session.expires_at - SignedDuration::from_secs(1);
        assert!(access.operator(&token, before).is_some());
        assert!(access.operator(&token, session.expires_at).is_none());
        let (token, _) = begin();
        access.sign_out(&token);
        assert!(access.operator(&token, NOW).is_none());
    }

    #[test]
    fn a_deployments_token_is_known_by_its_hash_alone() {
        let token = ApiToken::from_hex("ci", &sha256_hex(b"secret"), Role::Operator).unwrap();
        let access = Access::new(vec![token]);
        assert_eq!(access.operator("secret", NOW).map(|by| by.name), Some("ci".into()));
        assert_eq!(access.operator("secret ", NOW), None);
        assert!(!format!("{access:?}").contains("ci"));
    }

    #[test]
    fn a_hash_of_the_wrong_shape_is_refused() {
        for text in ["", "00", &"g".repeat(64), &"+f".repeat(32), &"ä".repeat(32)] {
            assert_eq!(ApiToken::from_hex("ci", text, Role::Viewer).err(), Some(NotAHash), "{text}");
        }
    }

    #[test]
    fn sessions_are_bounded_and_the_oldest_gives_way() {
        let access = Access::default();
        let mut tokens = Vec::new();
        for second in 0..=SESSIONS {
            let now = NOW + SignedDuration::from_secs(i64::try_from(second).unwrap());
            let ticket = access.one_time_ticket("ops", Role::Viewer, now);
            tokens.push(access.sign_in(&ticket, now).unwrap().0);
        }
        assert!(access.operator(&tokens[0], NOW).is_none());
        assert!(access.operator(&tokens[1], NOW).is_some());
    }
}
