//! Who depends on whom, as `cargo metadata` tells it: a value that a test can also change.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::Path,
    process::Command,
};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// By package id; one name may stand for several versions.
#[derive(Clone)]
pub(super) struct Graph(BTreeMap<String, Package>);

#[derive(Clone)]
pub(super) struct Package {
    pub(super) name: String,
    /// Below the root, with `/` between; `None` for what is not of this workspace.
    pub(super) folder: Option<String>,
    needs: BTreeSet<(String, Kind)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Linked into what ships, or run while it is built.
    Normal,
    Dev,
}

impl Graph {
    pub(super) fn of_workspace(root: &Path) -> Self {
        // Only what this machine builds with, so that nothing has to be downloaded for other systems.
        let options = ["--locked".to_owned(), format!("--filter-platform={}", host())];
        let metadata =
            MetadataCommand::new().manifest_path(root.join("Cargo.toml")).other_options(options).exec().unwrap();
        Self(metadata.packages.iter().map(|package| package_of(&metadata, package)).collect())
    }

    /// The packages of this workspace.
    pub(super) fn rooms(&self) -> impl Iterator<Item = &Package> {
        self.0.values().filter(|package| package.folder.is_some())
    }

    /// What a package names in its manifest.
    pub(super) fn needs(&self, package: &Package) -> impl Iterator<Item = (&Package, Kind)> {
        package.needs.iter().map(|(id, kind)| (&self.0[id], *kind))
    }

    /// Everything that is linked with a package, each with the shortest way to it, the package itself first.
    pub(super) fn reached<'a>(&'a self, from: &'a Package) -> BTreeMap<&'a str, Vec<&'a str>> {
        let mut ways = BTreeMap::from([(from.name.as_str(), vec![from.name.as_str()])]);
        let mut ahead = VecDeque::from([from]);
        while let Some(package) = ahead.pop_front() {
            for (needed, kind) in self.needs(package) {
                if kind == Kind::Normal && !ways.contains_key(needed.name.as_str()) {
                    let mut way = ways[package.name.as_str()].clone();
                    way.push(&needed.name);
                    ways.insert(&needed.name, way);
                    ahead.push_back(needed);
                }
            }
        }
        ways
    }

    pub(super) fn room(&mut self, name: &str) -> &mut Package {
        self.0.values_mut().find(|package| package.folder.is_some() && package.name == name).unwrap()
    }

    /// The room as it is, if there is one.
    pub(super) fn add_room(&mut self, folder: &str) {
        if self.rooms().any(|room| room.folder.as_deref() == Some(folder)) {
            return;
        }
        let name = folder.rsplit('/').next().unwrap().to_owned();
        let package = Package { name, folder: Some(folder.to_owned()), needs: BTreeSet::new() };
        self.0.insert(folder.to_owned(), package);
    }

    pub(super) fn add_need(&mut self, room: &str, needed: &str, kind: Kind) {
        let id = self.0.iter().find(|(_, package)| package.name == needed).map(|(id, _)| id.clone()).unwrap();
        self.room(room).needs.insert((id, kind));
    }
}

fn package_of(metadata: &Metadata, package: &cargo_metadata::Package) -> (String, Package) {
    let resolve = metadata.resolve.as_ref().unwrap();
    let is_room = metadata.workspace_members.contains(&package.id);
    let folder = package.manifest_path.parent().and_then(|folder| folder.strip_prefix(&metadata.workspace_root).ok());
    let node = resolve.nodes.iter().find(|node| node.id == package.id);
    let needs = node.into_iter().flat_map(|node| &node.deps).flat_map(|needed| {
        let kinds = needed.dep_kinds.iter().map(|kind| match kind.kind {
            DependencyKind::Development => Kind::Dev,
            _ => Kind::Normal,
        });
        kinds.map(|kind| (needed.pkg.repr.clone(), kind))
    });
    let package_of_graph = Package {
        name: package.name.to_string(),
        folder: folder.filter(|_| is_room).map(|folder| folder.as_str().replace('\\', "/")),
        needs: needs.collect(),
    };
    (package.id.repr.clone(), package_of_graph)
}

/// The target triple of this machine, as rustc names it.
fn host() -> String {
    let said = Command::new("rustc").arg("-vV").output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    said.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}
