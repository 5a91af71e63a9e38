//! Secrets in a deployment file: whatever is wrong around them, no text about it holds one.

use local::config::Config;

use super::{EXAMPLE, environment};

const SECRET: &str = "Zx8Q~hunter2-hunter2";

#[test]
fn a_secret_in_the_wrong_place_is_not_repeated() {
    for (good, bad) in [
        ("client_secret = \"env:ENTRA_CLIENT_SECRET\"", format!("client_secret = [\"{SECRET}\"]")),
        ("client_secret = \"env:ENTRA_CLIENT_SECRET\"", format!("client_secret = {{ value = \"{SECRET}\" }}")),
        ("client_secret = \"env:ENTRA_CLIENT_SECRET\"", format!("client_secret = {SECRET}")),
        ("client_secret = \"env:ENTRA_CLIENT_SECRET\"", format!("client_secret = \"{SECRET}")),
        ("client_secret = \"env:ENTRA_CLIENT_SECRET\"", format!("client_secret = \"{SECRET}\\z\"")),
        ("client_secret = \"env:ENTRA_CLIENT_SECRET\"", format!("secret = \"{SECRET}\"")),
        (
            "client_secret = \"env:ENTRA_CLIENT_SECRET\"",
            format!("client_secret = \"{SECRET}\"\nclient_secret = \"{SECRET}\""),
        ),
        ("sslcom_secret_key = \"env:SSLCOM_SECRET_KEY\"", format!("sslcom_secret_key = [\"{SECRET}\"]")),
        ("sslcom_account_key = \"env:SSLCOM_ACCOUNT_KEY\"", format!("sslcom_account_key = [[\"{SECRET}\"]]")),
        ("intune_public_key = \"env:INTUNE_PUBLIC_KEY\"", format!("intune_public_key = \"{SECRET}\"")),
        ("base_url = \"https://", format!("base_url = \"https://me:{SECRET}@")),
        (
            "base_url = \"https://sws-test.sslpki.com\"",
            format!("base_url = \"https://x.example/?secret_key={SECRET}\""),
        ),
        (
            "\n[timing]\n",
            format!("\n[[api_token]]\nname = \"x\"\nsha256 = \"{SECRET}\"\nrole = \"viewer\"\n[timing]\n"),
        ),
        (
            "\n[timing]\n",
            format!("\n[[api_token]]\nname = \"x\"\nsha256 = [\"{SECRET}\"]\nrole = \"viewer\"\n[timing]\n"),
        ),
        ("\n[timing]\n", format!("\n[[api_token]]\nname = \"x\"\nsha256 = \"\"\nrole = \"{SECRET}\"\n[timing]\n")),
        ("\n[timing]\n", format!("\n[[api_token]]\nname = \"x\"\ntoken = \"{SECRET}\"\nrole = \"viewer\"\n[timing]\n")),
    ] {
        assert!(EXAMPLE.contains(good), "{good}");
        let problems = Config::read(&EXAMPLE.replacen(good, &bad, 1), environment).unwrap_err();
        let told = format!("{problems}\n{problems:?}");
        assert!(!told.contains("hunter2"), "{bad}: {told}");
    }
}

#[test]
fn a_short_token_is_not_repeated() {
    let problems = Config::read(EXAMPLE, |_| Some("hunter2".to_owned())).unwrap_err();
    assert!(!format!("{problems}\n{problems:?}").contains("hunter2"), "{problems}");
}

#[test]
fn a_configuration_is_printed_without_its_secrets() {
    let config = Config::read(EXAMPLE, environment).unwrap();
    let printed = format!("{config:?}");
    assert!(printed.contains("Contoso"), "{printed}");
    for secret in ["a-client-secret", "an-account-key", "a-secret-key"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
