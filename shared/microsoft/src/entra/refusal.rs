//! Entra ID's errors, and what the operator does about each.
//!
//! Microsoft asks to branch on `error` and warns that AADSTS numbers may change (Entra docs, "Microsoft Entra
//! authentication and authorization error codes"). So a number that is not in the table is decided by its `error`.

use std::fmt;

use serde::Deserialize;

use crate::sentence::sentence;

/// Why no token was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntraRefusal {
    /// The OAuth error, such as `invalid_client`.
    pub error: String,
    /// The number in `AADSTS7000215`.
    pub aadsts: Option<u32>,
    /// One line, shortened, without the ids and the time at its end.
    pub description: String,
    pub correlation_id: Option<String>,
    pub trace_id: Option<String>,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Enter a valid client secret.
    CheckSecret,
    /// Mend the app's registration or its id in the settings.
    CheckApp,
    /// Mend the tenant id, or choose the right cloud.
    CheckTenant,
    /// Add API permissions to the registration.
    AddPermissions,
    /// An administrator grants consent.
    Consent,
    /// Begin the sign-in anew; the old one cannot be finished.
    StartAgain,
    /// Somebody signs in interactively.
    SignInAgain,
    /// Sign in with another account, or have this one mended.
    UseAnotherAccount,
    /// A policy of the tenant is in the way.
    AskAdministrator,
    /// Nothing is wrong; ask later, less often.
    Wait,
    /// Read the description.
    Unknown,
}

struct Advice {
    numbers: &'static [u32],
    decision: Decision,
    advice: &'static str,
}

#[rustfmt::skip]
const TABLE: &[Advice] = &[
    Advice { numbers: &[7_000_215], decision: Decision::CheckSecret,
        advice: "The client secret is wrong. Enter the secret's Value; its Secret ID is another thing." },
    Advice { numbers: &[7_000_222], decision: Decision::CheckSecret,
        advice: "The client secret has expired. Create a new one in the app registration and enter its Value." },
    Advice { numbers: &[70_002], decision: Decision::CheckSecret,
        advice: "Client id and client secret do not belong together. Enter both from the same app registration." },
    Advice { numbers: &[7_000_218, 700_025], decision: Decision::CheckApp,
        advice: "The app is registered as a public client. Register its redirect address under the platform Web." },
    Advice { numbers: &[700_027, 50_012], decision: Decision::CheckApp,
        advice: "The app's certificate or assertion was not accepted. Upload the certificate again or use a client secret." },
    Advice { numbers: &[700_016, 700_011], decision: Decision::CheckApp,
        advice: "No such app in this tenant. Compare the client id and the tenant id with the app registration." },
    Advice { numbers: &[7_000_112, 70_001], decision: Decision::CheckApp,
        advice: "The app is disabled in this tenant. Enable it under Enterprise applications." },
    Advice { numbers: &[90_002], decision: Decision::CheckTenant,
        advice: "No such tenant. Check the tenant id, and whether the tenant lives in another cloud." },
    Advice { numbers: &[90_038, 900_382, 900_432], decision: Decision::CheckTenant,
        advice: "The tenant lives in another cloud. Choose its cloud in the settings." },
    Advice { numbers: &[50_059, 50_128], decision: Decision::CheckTenant,
        advice: "No tenant was named. Enter the tenant id." },
    Advice { numbers: &[50_194, 9_001_023], decision: Decision::CheckTenant,
        advice: "The app works in its own tenant only. Enter that tenant's id, not a general name." },
    Advice { numbers: &[50_011, 900_971, 70_004], decision: Decision::CheckApp,
        advice: "The redirect address is not registered. Add it to the app registration, character by character." },
    Advice { numbers: &[65_001], decision: Decision::Consent,
        advice: "Consent is missing. Press \u{201c}Grant admin consent\u{201d} under API permissions of the app." },
    Advice { numbers: &[90_094, 90_095, 90_008], decision: Decision::Consent,
        advice: "An administrator must approve the app's permissions." },
    Advice { numbers: &[65_004], decision: Decision::Consent,
        advice: "Consent was declined. Try again and accept." },
    Advice { numbers: &[650_052, 650_056, 650_057, 65_005, 500_011], decision: Decision::AddPermissions,
        advice: "The app registration lacks the API permission. Add the Microsoft Graph permissions and grant consent." },
    Advice { numbers: &[70_011, 28_002, 700_022, 700_023], decision: Decision::CheckApp,
        advice: "A scope is not valid for this app. Check the cloud and the app's API permissions." },
    Advice { numbers: &[54_005, 70_008, 700_005, 70_000], decision: Decision::StartAgain,
        advice: "The sign-in was used already, took too long, or belongs to another tenant. Press Authorize again." },
    Advice { numbers: &[501_481, 50_147], decision: Decision::StartAgain,
        advice: "The sign-in does not match the one that was begun here. Press Authorize again." },
    Advice { numbers: &[700_082, 50_173, 50_089, 70_043, 50_132, 50_133], decision: Decision::SignInAgain,
        advice: "The stored sign-in has ended. Press Authorize again." },
    Advice { numbers: &[50_076, 50_074, 50_079, 50_072, 50_078, 50_158, 16_000, 700_020], decision: Decision::SignInAgain,
        advice: "The tenant asks for an interactive sign-in, such as multi-factor authentication. Press Authorize again." },
    Advice { numbers: &[50_105], decision: Decision::AskAdministrator,
        advice: "This account is not assigned to the app. Assign it under Enterprise applications, Users and groups." },
    Advice { numbers: &[53_000, 53_001, 53_002, 53_003, 53_004, 50_131, 530_032, 530_035], decision: Decision::AskAdministrator,
        advice: "Conditional access blocks the sign-in. Ask the tenant's administrator." },
    Advice { numbers: &[50_034, 50_020, 51_004, 90_072], decision: Decision::UseAnotherAccount,
        advice: "The account is not in this tenant. Sign in with an account of the tenant." },
    Advice { numbers: &[50_057, 50_053, 50_055, 50_126], decision: Decision::UseAnotherAccount,
        advice: "The account is disabled or locked, or its password is wrong or has expired." },
    Advice { numbers: &[50_196], decision: Decision::Wait,
        advice: "Too many tokens were asked for in a short time. Entra ID answers again after a pause." },
    Advice { numbers: &[90_055, 90_033, 90_024, 50_033, 90_006, 90_012], decision: Decision::Wait,
        advice: "Entra ID is busy. This passes by itself." },
];

/// What the operator should do about an AADSTS number; `None` for a number that is not known here.
pub fn advice(aadsts: u32) -> Option<&'static str> {
    row(aadsts).map(|row| row.advice)
}

fn row(aadsts: u32) -> Option<&'static Advice> {
    TABLE.iter().find(|row| row.numbers.contains(&aadsts))
}

impl EntraRefusal {
    /// From the two parameters of a redirect.
    pub(crate) fn new(error: &str, description: &str) -> Self {
        Self {
            error: sentence(error),
            aadsts: number(description),
            description: without_ids(description),
            correlation_id: None,
            trace_id: None,
        }
    }

    /// From the body of a refused request. `None` when it is not an OAuth error.
    pub(crate) fn parse(body: &[u8], secrets: &[&str]) -> Option<Self> {
        let body: Body = serde_json::from_slice(body).ok()?;
        let secrets: Vec<&str> = secrets.iter().copied().filter(|secret| !secret.is_empty()).collect();
        // In any field: who repeats a secret need not do so where it is expected.
        let clean = |text: String| secrets.iter().fold(text, |text, secret| text.replace(secret, "[redacted]"));
        let description = body.error_description.map(clean).unwrap_or_default();
        Some(Self {
            aadsts: body.error_codes.unwrap_or_default().first().copied().or_else(|| number(&description)),
            correlation_id: body.correlation_id.map(|id| sentence(&clean(id))),
            trace_id: body.trace_id.map(|id| sentence(&clean(id))),
            ..Self::new(&clean(body.error), &description)
        })
    }

    pub fn advice(&self) -> Option<&'static str> {
        advice(self.aadsts?)
    }

    pub fn decision(&self) -> Decision {
        if let Some(row) = self.aadsts.and_then(row) {
            return row.decision;
        }
        match self.error.as_str() {
            "invalid_client" => Decision::CheckSecret,
            "invalid_resource" | "invalid_scope" | "unauthorized_client" | "unsupported_response_type" => {
                Decision::CheckApp
            }
            "invalid_tenant" => Decision::CheckTenant,
            "access_denied" | "consent_required" => Decision::Consent,
            "interaction_required" | "invalid_grant" | "login_required" => Decision::SignInAgain,
            "server_error" | "temporarily_unavailable" => Decision::Wait,
            _ => Decision::Unknown,
        }
    }
}

impl fmt::Display for EntraRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)?;
        if self.description.is_empty() { Ok(()) } else { write!(f, ": {}", self.description) }
    }
}

#[derive(Deserialize)]
struct Body {
    error: String,
    error_description: Option<String>,
    error_codes: Option<Vec<u32>>,
    correlation_id: Option<String>,
    trace_id: Option<String>,
}

fn number(description: &str) -> Option<u32> {
    let (_, rest) = description.split_once("AADSTS")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Entra ID ends a description with "Trace ID: … Correlation ID: … Timestamp: …".
fn without_ids(description: &str) -> String {
    sentence(description.split("Trace ID:").next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use std::collections::HashSet;

    use super::*;

    /// Every number that the project knows the meaning of.
    const KNOWN: &[u32] = &[
        7000215, 7000222, 70002, 7000218, 700025, 700027, 50012, 700016, 700011, 7000112, 70001, 90002, 90038, 900382,
        900432, 50059, 50128, 50194, 9001023, 50011, 900971, 70004, 65001, 90094, 90095, 90008, 65004, 650052, 650056,
        650057, 65005, 500011, 70011, 28002, 700022, 700023, 54005, 70008, 700005, 70000, 501481, 50147, 700082, 50173,
        50089, 70043, 50132, 50133, 50076, 50074, 50079, 50072, 50078, 50158, 16000, 700020, 50105, 53000, 53001,
        53002, 53003, 53004, 50131, 530032, 530035, 50034, 50020, 51004, 90072, 50057, 50053, 50055, 50126, 50196,
        90055, 90033, 90024, 50033, 90006, 90012,
    ];

    #[test]
    fn every_known_number_has_one_advice_and_no_other_number_has_any() {
        let listed: Vec<u32> = TABLE.iter().flat_map(|row| row.numbers).copied().collect();
        assert_eq!(listed.len(), listed.iter().collect::<HashSet<_>>().len(), "a number is in two rows");
        assert_eq!(listed.iter().collect::<HashSet<_>>(), KNOWN.iter().collect());
        assert_eq!(advice(1), None);
    }

    #[test]
    fn an_advice_is_a_sentence_that_says_no_more_than_one_thing_twice() {
        let advices: HashSet<_> = TABLE.iter().map(|row| row.advice).collect();
        assert_eq!(advices.len(), TABLE.len());
        assert!(advices.iter().all(|advice| advice.ends_with('.') && advice.len() < 130));
    }

    #[test]
    fn the_body_of_a_wrong_secret_is_understood() {
        let body = br#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided. Trace ID: 1 Correlation ID: 2 Timestamp: 2026-06-02 10:00:00Z",
            "error_codes":[7000215],"timestamp":"2026-06-02 10:00:00Z","trace_id":"1","correlation_id":"2","error_uri":"https://login.microsoftonline.com/error?code=7000215"}"#;
        let refusal = EntraRefusal::parse(body, &[]).unwrap();
        assert_eq!(refusal.to_string(), "invalid_client: AADSTS7000215: Invalid client secret provided.");
        assert_eq!((refusal.aadsts, refusal.decision()), (Some(7_000_215), Decision::CheckSecret));
        assert_eq!((refusal.trace_id.as_deref(), refusal.correlation_id.as_deref()), (Some("1"), Some("2")));
        assert!(refusal.advice().unwrap().contains("Value"));
    }

    #[test]
    fn the_number_is_found_in_the_text_when_it_stands_nowhere_else() {
        assert_eq!(EntraRefusal::new("invalid_grant", "AADSTS54005: used").aadsts, Some(54005));
        assert_eq!(EntraRefusal::new("invalid_grant", "AADSTS").aadsts, None);
        assert_eq!(EntraRefusal::new("invalid_grant", "AADSTS99999999999").aadsts, None);
    }

    #[test]
    fn an_unknown_number_is_decided_by_its_error() {
        let decision = |error| EntraRefusal::new(error, "AADSTS1: new").decision();
        assert_eq!(decision("temporarily_unavailable"), Decision::Wait);
        assert_eq!(decision("interaction_required"), Decision::SignInAgain);
        assert_eq!(decision("something_new"), Decision::Unknown);
    }

    #[test]
    fn a_secret_that_comes_back_is_not_passed_on() {
        let body = br#"{"error":"invalid_client","error_description":"AADSTS7000215: hunter2~x is wrong"}"#;
        let everywhere = br#"{"error":"hunter2~x","correlation_id":"hunter2~x","trace_id":"of hunter2~x"}"#;
        let refusal = EntraRefusal::parse(everywhere, &["", "hunter2~x"]).unwrap();
        assert!(!format!("{refusal:?}").contains("hunter2"), "{refusal:?}");
        let refusal = EntraRefusal::parse(body, &["", "hunter2~x"]).unwrap();
        assert_eq!(refusal.description, "AADSTS7000215: [redacted] is wrong");
    }

    #[test]
    fn a_page_of_html_is_no_refusal() {
        assert_eq!(EntraRefusal::parse(b"<html>Bad Gateway</html>", &[]), None);
    }
}
