//! A world with a client and a record that could be imported into it, for tests.

use aws_lc_rs::rsa::{OAEP_SHA512_MGF1SHA512, OaepAlgorithm, OaepPublicEncryptingKey, PublicEncryptingKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Microsoft, Options, Organisation, client::Client};
use crate::{
    device::{
        openssl::{COMPATIBLE, Issued},
        thumbprint,
    },
    directory::Person,
    graph::behaviour::Behaviour,
};

pub(crate) const RECORDS: &str = "/beta/deviceManagement/userPfxCertificates";
pub(crate) const PASSWORD: &str = "a password of 128 bits";

pub(crate) struct World {
    pub(crate) microsoft: Microsoft,
    pub(crate) organisation: Organisation,
    pub(crate) client: Client,
}

impl World {
    pub(crate) async fn with_people(people: usize) -> Self {
        Self::start(Options::new(1, people)).await
    }

    pub(crate) async fn start(options: Options) -> Self {
        let organisation = options.organisations[0].clone();
        let microsoft = Microsoft::start(options).await.unwrap();
        let client = Client::connect(&microsoft, &organisation).await;
        Self { microsoft, organisation, client }
    }

    pub(crate) fn person(&self, place: usize) -> Person {
        self.microsoft.directory().people()[place].clone()
    }

    pub(crate) fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        let mut behaviour = self.microsoft.behaviour();
        change(&mut behaviour);
        self.microsoft.set_behaviour(behaviour);
    }

    /// A record for a person that a device will install.
    pub(crate) fn record(&self, person: &Person) -> Value {
        let issued = Issued::p256(person.primary_address().unwrap());
        self.record_of(person, &issued, &issued.pfx(COMPATIBLE, PASSWORD))
    }

    pub(crate) fn record_of(&self, person: &Person, issued: &Issued, pfx: &[u8]) -> Value {
        let connector = self.microsoft.connector();
        json!({
            "thumbprint": thumbprint(&issued.leaf()),
            "intendedPurpose": "smimeEncryption",
            "userPrincipalName": person.user_principal_name,
            "startDateTime": issued.not_before(),
            "expirationDateTime": issued.not_after(),
            "providerName": connector.provider_name(),
            "keyName": connector.key_name(),
            "paddingScheme": "oaepSha512",
            "encryptedPfxBlob": STANDARD.encode(pfx),
            "encryptedPfxPassword": self.sealed(PASSWORD, &OAEP_SHA512_MGF1SHA512),
        })
    }

    /// A password sealed to the connector's newest key.
    pub(crate) fn sealed(&self, password: &str, padding: &'static OaepAlgorithm) -> String {
        let info = self.microsoft.connector().public_key_info();
        let key = PublicEncryptingKey::from_der(&info).unwrap();
        let key = OaepPublicEncryptingKey::new(key).unwrap();
        let mut sealed = vec![0; key.ciphertext_size()];
        STANDARD.encode(key.encrypt(padding, password.as_bytes(), &mut sealed, None).unwrap())
    }
}

/// The id that Graph will give to a record of this person.
pub(crate) fn record_id(person: &Person, record: &Value) -> String {
    format!("{}-{}", person.id.simple(), record["thumbprint"].as_str().unwrap())
}
