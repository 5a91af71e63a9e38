//! What a world is made of.

use std::path::PathBuf;

use uuid::Uuid;

use crate::{directory::id_from, faults::Faults, graph::behaviour::Behaviour};

/// What a world is made of.
#[derive(Clone)]
pub struct Options {
    pub seed: u64,
    /// Where the journal lies; without a folder the world forgets.
    pub folder: Option<PathBuf>,
    /// Any free port unless one is given.
    pub entra_port: Option<u16>,
    pub graph_port: Option<u16>,
    pub organisations: Vec<Organisation>,
    pub behaviour: Behaviour,
    pub faults: Faults,
}

impl Options {
    /// One organisation with so many people, on any free ports, without a journal.
    pub fn new(seed: u64, people: usize) -> Self {
        Self {
            seed,
            folder: None,
            entra_port: None,
            graph_port: None,
            organisations: vec![Organisation::from_seed(seed, people)],
            behaviour: Behaviour::default(),
            faults: Faults::default(),
        }
    }
}

/// One tenant with the application that an importer uses in it.
#[derive(Clone)]
pub struct Organisation {
    pub tenant_id: Uuid,
    pub client_id: String,
    pub client_secret: String,
    pub redirect_uris: Vec<String>,
    pub domains: Vec<String>,
    /// How many people the seed makes.
    pub people: usize,
    /// The size of the connector's key: 2048, 3072 or 4096.
    pub connector_key_bits: u32,
}

impl Organisation {
    /// The same ids and secret for the same seed.
    pub fn from_seed(seed: u64, people: usize) -> Self {
        let id = |purpose: &str| id_from(&format!("{purpose} of world {seed}"));
        Self {
            tenant_id: id("tenant"),
            client_id: id("client").to_string(),
            client_secret: format!("Sim8Q~{}", id("secret").simple()),
            redirect_uris: Vec::new(),
            domains: vec!["contoso.example".to_owned()],
            people,
            connector_key_bits: 2048,
        }
    }
}
