//! The table of rooms: what each may import, and what it must not even reach through others.

use super::graph::{Graph, Kind, Package};

/// One row. A pattern ends with `*` where it stands for every name that begins so.
struct Room {
    folder: &'static str,
    /// The rooms that its manifest may name, for its tests too.
    rooms: &'static [&'static str],
    libraries: Libraries,
    /// What must not be linked with it, through however many others.
    never_reaches: &'static [&'static [&'static str]],
}

/// The libraries that a manifest may name. Those of tests are free.
enum Libraries {
    Only(&'static [&'static str]),
    AllBut(&'static [&'static [&'static str]]),
}

use Libraries::{AllBut, Only};

/// What sends, waits or listens.
const NETWORK: &[&str] = &["axum", "hyper", "mio", "reqwest", "socket2", "tokio", "tower"];
const DATABASE: &[&str] = &["libsqlite3-sys", "rusqlite"];
const CRYPTOGRAPHY: &[&str] = &["aws-lc-rs", "p12-keystore", "ring", "rsa", "rustls", "x509-cert", "x509-parser"];
const AMAZON: &[&str] = &["aws-config", "aws-sdk-*", "aws_lambda_events", "lambda_http", "lambda_runtime"];
/// What production must not be able to run.
const STAND_INS: &[&str] = &["local", "sim"];
/// A simulator that read and wrote with these would share the product's misunderstandings.
const WHAT_IS_JUDGED: &[&str] =
    &["der", "jsonwebtoken", "oauth2", "p12-keystore", "rsa", "sha2", "x509-cert", "x509-parser"];

/// What the local platform runs in one process, and the simulators that it runs against.
const ONE_PROCESS: &[&str] = &["domain", "flow", "microsoft", "pki", "ports", "sim", "sslcom", "web"];

const ROOMS: &[Room] = &[
    Room {
        folder: "shared/domain",
        rooms: &[],
        libraries: Only(&["idna", "jiff", "serde", "thiserror", "unicode-normalization", "uuid"]),
        never_reaches: &[NETWORK, DATABASE, CRYPTOGRAPHY, AMAZON, STAND_INS],
    },
    Room {
        folder: "shared/ports",
        rooms: &["domain"],
        libraries: Only(&["base64", "jiff", "secrecy", "serde", "serde_json", "thiserror", "uuid", "zeroize"]),
        never_reaches: &[NETWORK, DATABASE, CRYPTOGRAPHY, AMAZON, STAND_INS],
    },
    Room {
        folder: "shared/pki",
        rooms: &["domain"],
        libraries: AllBut(&[NETWORK, DATABASE, AMAZON, &["log", "tracing"]]),
        never_reaches: &[NETWORK, DATABASE, AMAZON, STAND_INS],
    },
    Room {
        folder: "shared/sslcom",
        rooms: &[],
        libraries: AllBut(&[&["axum", "rsa", "tracing"], DATABASE, AMAZON]),
        never_reaches: &[&["axum", "p12-keystore"], DATABASE, AMAZON, STAND_INS],
    },
    Room {
        folder: "shared/microsoft",
        rooms: &[],
        libraries: AllBut(&[&["axum", "rsa", "tracing"], DATABASE, AMAZON]),
        never_reaches: &[&["axum", "p12-keystore"], DATABASE, AMAZON, STAND_INS],
    },
    Room {
        folder: "shared/flow",
        rooms: &["domain", "microsoft", "pki", "ports", "sslcom"],
        libraries: AllBut(&[&["axum", "reqwest"], CRYPTOGRAPHY, DATABASE, AMAZON]),
        never_reaches: &[&["axum"], DATABASE, AMAZON, STAND_INS],
    },
    Room {
        folder: "shared/web",
        rooms: &["domain", "flow", "ports"],
        libraries: AllBut(&[&["p12-keystore", "reqwest", "rsa", "x509-cert", "x509-parser"], DATABASE, AMAZON]),
        never_reaches: &[DATABASE, AMAZON, STAND_INS],
    },
    Room {
        folder: "shared/aws",
        rooms: &["domain", "ports"],
        libraries: AllBut(&[&["p12-keystore", "reqwest", "rsa"], DATABASE]),
        never_reaches: &[&["flow", "microsoft", "pki", "sslcom", "web"], DATABASE, STAND_INS],
    },
    function_over_http("functions/api"),
    function_over_http("functions/oauth-callback"),
    function_over_http("functions/order-webhook"),
    function_of_jobs("functions/batch-enrollment"),
    function_of_jobs("functions/order-check"),
    function_of_jobs("functions/order-placement"),
    function_of_jobs("functions/pfx-import"),
    function_of_jobs("functions/reconcile"),
    function_of_jobs("functions/user-import"),
    Room {
        folder: "infra/local",
        rooms: ONE_PROCESS,
        libraries: AllBut(&[AMAZON]),
        never_reaches: &[AMAZON, &["aws"]],
    },
    Room {
        folder: "tests/emulator",
        rooms: &["aws", "contract", "domain", "ports", "sim"],
        // Started by infra/emulator/run alone.
        libraries: AllBut(&[]),
        never_reaches: &[],
    },
    Room {
        folder: "tests/contract",
        rooms: &["domain", "ports"],
        libraries: AllBut(&[NETWORK_BUT_ITS_RUNTIME, DATABASE, AMAZON, CRYPTOGRAPHY]),
        never_reaches: &[DATABASE, AMAZON, STAND_INS],
    },
    Room {
        folder: "tests/scale",
        rooms: &["domain", "local", "pki", "ports", "sim"],
        // A program of its own, started by whoever wants to measure.
        libraries: AllBut(&[AMAZON]),
        never_reaches: &[AMAZON, &["aws"]],
    },
    Room {
        folder: "tests/sim",
        rooms: &[],
        libraries: AllBut(&[WHAT_IS_JUDGED, DATABASE, AMAZON]),
        never_reaches: &[DATABASE, AMAZON],
    },
    Room {
        folder: "tests/schedules",
        rooms: &["domain", "flow", "local", "microsoft", "ports", "sim", "sslcom"],
        libraries: AllBut(&[DATABASE, AMAZON]),
        never_reaches: &[AMAZON, &["aws"]],
    },
    Room {
        folder: "tests/it",
        rooms: &["contract", "domain", "flow", "local", "microsoft", "pki", "ports", "sim", "sslcom", "web"],
        // What a test stands on is named in `[dev-dependencies]`; the AWS SDK is none of it, so that `cargo test` stays quick.
        libraries: AllBut(&[]),
        never_reaches: &[],
    },
];

const fn function_over_http(folder: &'static str) -> Room {
    Room {
        folder,
        rooms: &["aws", "flow", "web"],
        libraries: AllBut(&[NETWORK_BUT_ITS_RUNTIME, DATABASE]),
        never_reaches: &[DATABASE, STAND_INS],
    }
}

const fn function_of_jobs(folder: &'static str) -> Room {
    Room {
        folder,
        rooms: &["aws", "domain", "flow"],
        libraries: AllBut(&[NETWORK_BUT_ITS_RUNTIME, DATABASE]),
        never_reaches: &[&["axum", "web"], DATABASE, STAND_INS],
    }
}

/// A `main` needs tokio and nothing else of it.
const NETWORK_BUT_ITS_RUNTIME: &[&str] = &["axum", "hyper", "reqwest"];

/// A sentence for each arrow that the table does not have.
pub(super) fn violations(graph: &Graph) -> Vec<String> {
    graph.rooms().flat_map(|package| violations_of(graph, package)).collect()
}

fn violations_of(graph: &Graph, package: &Package) -> Vec<String> {
    let folder = package.folder.as_deref().unwrap();
    let name = &package.name;
    let mut wrong = Vec::new();
    if folder.rsplit('/').next() != Some(name) {
        wrong.push(format!("{folder} holds a package named {name}"));
    }
    let Some(room) = ROOMS.iter().find(|room| room.folder == folder) else {
        wrong.push(format!("{folder} has no row in the table of rooms"));
        return wrong;
    };
    for (needed, kind) in graph.needs(package) {
        let needed_name = needed.name.as_str();
        let why = match kind {
            Kind::Normal => "",
            Kind::Dev => " for its tests",
        };
        if needed.folder.is_some() {
            if !room.rooms.contains(&needed_name) {
                let allowed = listed(room.rooms);
                wrong.push(format!("{name} imports the room {needed_name}{why}, and may import {allowed}"));
            }
        } else if kind == Kind::Normal {
            wrong.extend(room.libraries.refusal(name, needed_name));
        }
    }
    let reached = graph.reached(package);
    let forbidden = reached.iter().filter(|(reached, _)| is_named(room.never_reaches, reached));
    wrong.extend(forbidden.map(|(reached, way)| format!("{name} reaches {reached} through {}", way.join(" → "))));
    wrong
}

impl Libraries {
    fn refusal(&self, room: &str, library: &str) -> Option<String> {
        match self {
            Only(allowed) if allowed.contains(&library) => None,
            Only(allowed) => Some(format!("{room} imports {library}, and may import {}", listed(allowed))),
            AllBut(forbidden) if is_named(forbidden, library) => Some(format!("{room} imports {library}")),
            AllBut(_) => None,
        }
    }
}

fn is_named(lists: &[&[&str]], name: &str) -> bool {
    lists.iter().copied().flatten().any(|pattern| match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == *pattern,
    })
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
