//! The bootstraps that the emulator runs, found in /proc.

use std::{fs, process::Command};

use crate::world::World;

impl World {
    /// The processes of a function.
    pub(crate) fn bootstraps(&self, function: &str) -> Vec<u32> {
        let wanted = format!("AWS_LAMBDA_FUNCTION_NAME={}", self.stack.function(function));
        let parent = self.emulator.pid().to_string();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // A process may end while it is looked at.
            let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
            let is_child = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)) == Some(&parent);
            let is_dead = stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'));
            let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
            let is_its = environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes());
            if is_child && !is_dead && is_its {
                found.push(pid);
            }
        }
        found
    }

    /// Ends every process of a function at once, as a machine does that fails. Answers how many there were.
    pub(crate) fn kill(&self, function: &str) -> usize {
        let pids = self.bootstraps(function);
        for pid in &pids {
            let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap();
        }
        pids.len()
    }
}
