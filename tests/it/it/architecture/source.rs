//! The workspace's Rust files as text, with their lines told apart: what ships, what is a comment, what only tests.

use std::{fs, path::Path};

pub(super) struct Source {
    /// Below the root, with `/` between.
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    /// Every Rust file below the root that is neither built nor hidden, by path.
    pub(super) fn all(root: &Path) -> Vec<Self> {
        let mut sources = Vec::new();
        collect(root, "", &mut sources);
        sources.sort_by(|one, other| one.path.cmp(&other.path));
        sources
    }

    /// The lines that are not comments, numbered from 1.
    pub(super) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(at, line)| (at + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// Those of them that are linked into what ships: neither in a file of tests nor in a module of tests.
    pub(super) fn shipped_code(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_shipped = !self.is_test();
        let mut in_tests = false;
        let mut is_marked = false;
        self.code().filter(move |(_, line)| {
            match *line {
                "#[cfg(test)]" => is_marked = true,
                "}" => in_tests = false,
                // Attributes stand between the mark and the module.
                line if line.starts_with("mod ") => in_tests = std::mem::take(&mut is_marked) && line.ends_with('{'),
                line if !line.starts_with("#[") => is_marked = false,
                _ => {}
            }
            is_shipped && !in_tests
        })
    }

    /// Whether the whole file only tests.
    pub(super) fn is_test(&self) -> bool {
        self.path.starts_with("tests/it/")
            || self.is_unit_test()
            || self.path.split('/').skip(2).any(|folder| folder == "tests")
    }

    /// A module of tests in its own file, beside what it tests.
    pub(super) fn is_unit_test(&self) -> bool {
        let Some((_, in_crate)) = self.path.split_once("/src/") else { return false };
        in_crate
            .split('/')
            .any(|part| matches!(part, "tests" | "tests.rs" | "testing.rs") || part.ends_with("_tests.rs"))
    }
}

fn collect(folder: &Path, path: &str, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let below = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        if entry.file_type().unwrap().is_dir() {
            if name != "target" && !name.starts_with('.') {
                collect(&entry.path(), &below, sources);
            }
        } else if name.ends_with(".rs") {
            sources.push(Source { path: below, text: fs::read_to_string(entry.path()).unwrap() });
        }
    }
}
