//! The workspace keeps its shape: which room may import which, and what no source file may say.
//!
//! Both checks are functions over values, so that other tests can show each of them catching something.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod graph;
mod rooms;
mod rules;
mod source;

use std::path::{Path, PathBuf};

use self::{
    graph::{Graph, Kind},
    source::Source,
};

#[test]
fn every_arrow_between_rooms_is_drawn_the_right_way() {
    let wrong = rooms::violations(&graph());
    assert!(wrong.is_empty(), "{} arrows are drawn the wrong way:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn no_source_file_says_what_its_room_must_never_say() {
    let sources = Source::all(&root());
    assert!(sources.len() > 100, "only {} files were found", sources.len());
    let broken = rules::violations(&sources);
    assert!(broken.is_empty(), "{} lines break a rule:\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn a_network_client_in_the_domain_is_caught() {
    let wrong = after(|graph| graph.add_need("domain", "reqwest", Kind::Normal));
    assert!(has(&wrong, "domain imports reqwest"), "{wrong:?}");
    assert!(has(&wrong, "domain reaches tokio through domain → reqwest → "), "{wrong:?}");
}

#[test]
fn the_local_platform_under_a_step_is_caught_at_every_distance() {
    let wrong = after(|graph| graph.add_need("flow", "local", Kind::Normal));
    assert!(has(&wrong, "flow imports the room local"), "{wrong:?}");
    assert!(has(&wrong, "web reaches rusqlite through web → flow → local → rusqlite"), "{wrong:?}");
    assert!(has(&wrong, "web reaches sim through web → flow → local → sim"), "{wrong:?}");
}

#[test]
fn a_simulator_that_borrows_from_the_product_is_caught() {
    let wrong = after(|graph| graph.add_need("sim", "pki", Kind::Normal));
    assert!(has(&wrong, "sim imports the room pki"), "{wrong:?}");
    let wrong = after(|graph| graph.add_need("sim", "p12-keystore", Kind::Normal));
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert!(has(&wrong, "sim imports p12-keystore"), "{wrong:?}");
}

#[test]
fn a_product_room_that_tests_itself_with_a_simulator_is_caught() {
    let wrong = after(|graph| graph.add_need("sslcom", "sim", Kind::Dev));
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert!(has(&wrong, "sslcom imports the room sim for its tests"), "{wrong:?}");
}

#[test]
fn a_library_that_only_tests_use_may_be_any() {
    assert_eq!(after(|graph| graph.add_need("domain", "tempfile", Kind::Dev)), Vec::<String>::new());
}

#[test]
fn a_vendors_client_that_knows_another_room_is_caught() {
    for vendor in ["sslcom", "microsoft"] {
        let wrong = after(|graph| graph.add_need(vendor, "domain", Kind::Normal));
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(has(&wrong, &format!("{vendor} imports the room domain")), "{wrong:?}");
    }
}

#[test]
fn a_vendor_under_the_aws_platform_is_caught_through_another_room() {
    let wrong = after(|graph| {
        graph.add_room("shared/aws");
        graph.add_need("aws", "ports", Kind::Normal);
        graph.add_need("ports", "sslcom", Kind::Normal);
    });
    assert!(has(&wrong, "aws reaches sslcom through aws → ports → sslcom"), "{wrong:?}");
}

#[test]
fn a_function_may_import_neither_a_function_nor_the_local_platform() {
    let wrong = after(|graph| {
        graph.add_room("functions/api");
        graph.add_room("functions/reconcile");
        graph.add_need("api", "web", Kind::Normal);
        graph.add_need("api", "reconcile", Kind::Normal);
        graph.add_need("reconcile", "local", Kind::Dev);
    });
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert!(has(&wrong, "api imports the room reconcile"), "{wrong:?}");
    assert!(has(&wrong, "reconcile imports the room local for its tests"), "{wrong:?}");
}

#[test]
fn a_package_without_a_row_is_caught() {
    let wrong = after(|graph| graph.add_room("shared/reports"));
    assert_eq!(wrong, ["shared/reports has no row in the table of rooms"]);
}

#[test]
fn a_package_whose_name_is_not_its_folder_is_caught() {
    let mut graph = graph();
    graph.room("pki").folder = Some("shared/keys".to_owned());
    let wrong = rooms::violations(&graph);
    assert!(has(&wrong, "shared/keys holds a package named pki"), "{wrong:?}");
}

/// What is wrong with today's workspace after one change.
fn after(change: impl FnOnce(&mut Graph)) -> Vec<String> {
    let mut graph = graph();
    change(&mut graph);
    rooms::violations(&graph)
}

fn has(sentences: &[String], beginning: &str) -> bool {
    sentences.iter().any(|sentence| sentence.starts_with(beginning))
}

fn graph() -> Graph {
    static GRAPH: std::sync::LazyLock<Graph> = std::sync::LazyLock::new(|| Graph::of_workspace(&root()));
    GRAPH.clone()
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("the package lies two folders below the root").to_owned()
}
