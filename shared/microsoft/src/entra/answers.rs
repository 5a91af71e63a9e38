//! What the browser brings back in the query of the redirect address.
//!
//! Anybody can call that address with anything: nothing here proves who somebody is.

use secrecy::SecretString;
use uuid::Uuid;

use super::EntraRefusal;
use crate::Error;

/// The end of a sign-in, before the code is redeemed.
#[derive(Debug)]
pub enum AuthorizationAnswer {
    Code { code: SecretString, state: SecretString },
    Refused { state: Option<SecretString>, refusal: Box<EntraRefusal> },
}

/// The end of admin consent.
#[derive(Debug)]
pub enum ConsentAnswer {
    /// The tenant is a hint for the operator; it must not be used to tell who is who (Entra docs, "Admin consent on the
    /// Microsoft identity platform").
    Granted {
        tenant_id: Option<Uuid>,
        state: Option<SecretString>,
    },
    Refused {
        state: Option<SecretString>,
        refusal: Box<EntraRefusal>,
    },
}

impl AuthorizationAnswer {
    /// # Errors
    /// [`Error::Unreadable`] when there is neither an error nor a code with a state, or a parameter is repeated.
    pub fn parse<K: AsRef<str>, V: AsRef<str>>(query: impl IntoIterator<Item = (K, V)>) -> Result<Self, Error> {
        let answer = Answer::read("the sign-in", query)?;
        if let Some(refusal) = answer.refusal() {
            return Ok(Self::Refused { state: answer.state(), refusal });
        }
        match (answer.code.as_deref(), answer.state()) {
            (Some(code), Some(state)) => Ok(Self::Code { code: code.into(), state }),
            _ => Err(answer.unreadable("there is no code with a state, and no error")),
        }
    }
}

impl ConsentAnswer {
    /// # Errors
    /// [`Error::Unreadable`] when there is neither an error nor `admin_consent=True`, or a parameter is repeated.
    pub fn parse<K: AsRef<str>, V: AsRef<str>>(query: impl IntoIterator<Item = (K, V)>) -> Result<Self, Error> {
        let answer = Answer::read("admin consent", query)?;
        // A refusal says admin_consent=True as well, so the error is looked at first (Entra docs, same page).
        if let Some(refusal) = answer.refusal() {
            return Ok(Self::Refused { state: answer.state(), refusal });
        }
        if !answer.admin_consent.as_deref().is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            return Err(answer.unreadable("it neither grants nor refuses"));
        }
        let tenant_id = answer.tenant.as_deref().and_then(|tenant| tenant.parse().ok());
        Ok(Self::Granted { tenant_id, state: answer.state() })
    }
}

#[derive(Default)]
struct Answer {
    request: &'static str,
    admin_consent: Option<String>,
    code: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
    state: Option<String>,
    tenant: Option<String>,
}

impl Answer {
    fn read<K: AsRef<str>, V: AsRef<str>>(
        request: &'static str,
        query: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, Error> {
        let mut answer = Self { request, ..Self::default() };
        for (name, value) in query {
            let field = match name.as_ref() {
                "admin_consent" => &mut answer.admin_consent,
                "code" => &mut answer.code,
                "error" => &mut answer.error,
                "error_description" => &mut answer.error_description,
                "state" => &mut answer.state,
                "tenant" => &mut answer.tenant,
                _ => continue,
            };
            if field.replace(value.as_ref().to_owned()).is_some() {
                // RFC 6749, 3.1: parameters must not be included more than once.
                return Err(answer.unreadable("a parameter is repeated"));
            }
        }
        Ok(answer)
    }

    fn refusal(&self) -> Option<Box<EntraRefusal>> {
        let description = self.error_description.as_deref().unwrap_or_default();
        Some(Box::new(EntraRefusal::new(self.error.as_deref()?, description)))
    }

    fn state(&self) -> Option<SecretString> {
        self.state.as_deref().map(SecretString::from)
    }

    fn unreadable(&self, reason: &'static str) -> Error {
        Error::Unreadable { request: self.request, reason }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_code_comes_with_its_state() {
        let answer =
            AuthorizationAnswer::parse([("code", "c0de"), ("state", "st4te"), ("session_state", "x")]).unwrap();
        let AuthorizationAnswer::Code { code, state } = answer else { panic!("{answer:?}") };
        assert_eq!((code.expose_secret(), state.expose_secret()), ("c0de", "st4te"));
    }

    #[test]
    fn a_code_without_a_state_or_with_two_is_unreadable() {
        assert!(AuthorizationAnswer::parse([("code", "c0de")]).is_err());
        assert!(AuthorizationAnswer::parse([("code", "c0de"), ("state", "a"), ("state", "b")]).is_err());
    }

    #[test]
    fn an_error_beats_a_code() {
        let answer =
            AuthorizationAnswer::parse([("code", "c0de"), ("state", "s"), ("error", "access_denied")]).unwrap();
        assert!(matches!(answer, AuthorizationAnswer::Refused { refusal, .. } if refusal.error == "access_denied"));
    }

    #[test]
    fn a_refused_consent_is_a_refusal_although_it_says_admin_consent_true() {
        let answer = ConsentAnswer::parse([
            ("admin_consent", "True"),
            ("error", "consent_required"),
            ("error_description", "AADSTS65004: The resource owner or authorization server denied the request."),
            ("state", "s"),
        ])
        .unwrap();
        let ConsentAnswer::Refused { refusal, .. } = answer else { panic!("{answer:?}") };
        assert_eq!(refusal.aadsts, Some(65004));
    }

    #[test]
    fn a_granted_consent_names_the_tenant() {
        let tenant = Uuid::from_u128(7);
        let answer =
            ConsentAnswer::parse([("admin_consent", "True"), ("tenant", &tenant.to_string()), ("state", "s")]).unwrap();
        assert!(matches!(answer, ConsentAnswer::Granted { tenant_id: Some(id), state: Some(_) } if id == tenant));
    }

    #[test]
    fn an_answer_that_neither_grants_nor_refuses_is_unreadable() {
        assert!(ConsentAnswer::parse([("admin_consent", "False")]).is_err());
        assert!(ConsentAnswer::parse(Vec::<(String, String)>::new()).is_err());
    }

    #[test]
    fn neither_code_nor_state_is_in_debug() {
        let answer = AuthorizationAnswer::parse([("code", "c0de"), ("state", "st4te")]).unwrap();
        let text = format!("{answer:?}");
        assert!(!text.contains("c0de") && !text.contains("st4te"), "{text}");
    }
}
