//! The names of a simulated organisation's people, chosen by the world's seed.

use aws_lc_rs::digest::{SHA256, digest};
use uuid::Uuid;

/// One person's name and what their mail address is made of.
pub(super) struct Name {
    pub(super) given: &'static str,
    pub(super) surname: &'static str,
    /// `given.surname` as a mail administrator would transliterate it.
    pub(super) local_part: String,
}

pub(super) fn name(draw: &Draw) -> Name {
    let (given, given_ascii) = GIVEN[draw.number(0, GIVEN.len())];
    let (surname, surname_ascii) = SURNAMES[draw.number(1, SURNAMES.len())];
    Name { given, surname, local_part: format!("{given_ascii}.{surname_ascii}") }
}

/// The same id for the same text.
pub(crate) fn id_from(text: &str) -> Uuid {
    let digest = digest(&SHA256, text.as_bytes());
    let bytes: [u8; 16] = std::array::from_fn(|place| digest.as_ref()[place]);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// What the seed says about one person.
pub(super) struct Draw([u8; 32]);

impl Draw {
    pub(super) fn new(seed: u64, tenant: Uuid, number: u64) -> Self {
        let text = format!("person {number} of {tenant} in world {seed}");
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
        Self(bytes)
    }

    pub(super) fn id(&self) -> Uuid {
        let bytes: [u8; 16] = std::array::from_fn(|place| self.0[16 + place]);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// The `choice`th number below `limit`.
    pub(super) fn number(&self, choice: usize, limit: usize) -> usize {
        let bytes: [u8; 4] = std::array::from_fn(|place| self.0[choice * 4 + place]);
        u32::from_be_bytes(bytes) as usize % limit
    }
}

const GIVEN: &[(&str, &str)] = &[
    ("Åsa", "asa"),
    ("Anna-Lena", "anna-lena"),
    ("Björn", "bjoern"),
    ("Chloé", "chloe"),
    ("Dirk", "dirk"),
    ("Eszter", "eszter"),
    ("François", "francois"),
    ("Giulia", "giulia"),
    ("Heike", "heike"),
    ("Ingrid", "ingrid"),
    ("Jean-Luc", "jean-luc"),
    ("Jürgen", "juergen"),
    ("Kāris", "karis"),
    ("Lars", "lars"),
    ("Łucja", "lucja"),
    ("Maria José", "maria.jose"),
    ("Niamh", "niamh"),
    ("Örjan", "oerjan"),
    ("Pål", "paal"),
    ("Pedro", "pedro"),
    ("Renée", "renee"),
    ("Siobhán", "siobhan"),
    ("Søren", "soeren"),
    ("Tomáš", "tomas"),
    ("Ülkü", "uelkue"),
    ("Věra", "vera"),
    ("Willem", "willem"),
    ("Yvonne", "yvonne"),
    ("Zoë", "zoe"),
];

const SURNAMES: &[(&str, &str)] = &[
    ("Åkesson", "akesson"),
    ("Bäcker", "baecker"),
    ("Černý", "cerny"),
    ("D'Angelo", "d'angelo"),
    ("de la Cruz", "delacruz"),
    ("Fröhlich", "froehlich"),
    ("García-López", "garcia-lopez"),
    ("Großmann", "grossmann"),
    ("Hansen", "hansen"),
    ("Ibáñez", "ibanez"),
    ("Jóhannsdóttir", "johannsdottir"),
    ("Kowalski", "kowalski"),
    ("Lindström", "lindstroem"),
    ("Meyer-Schäfer", "meyer-schaefer"),
    ("Müller", "mueller"),
    ("Nagy", "nagy"),
    ("O'Brien", "o'brien"),
    ("Øvergaard", "oevergaard"),
    ("Papadopoulos", "papadopoulos"),
    ("Quist", "quist"),
    ("Rossi", "rossi"),
    ("Sjögren", "sjoegren"),
    ("Straße", "strasse"),
    ("Țepeș", "tepes"),
    ("van den Berg", "vandenberg"),
    ("Weiß", "weiss"),
    ("Żuraw", "zuraw"),
];
