//! The control groups of the cluster, the only part that does not end with the namespaces.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result};

const ROOT: &str = "/sys/fs/cgroup";

/// The name of the cluster's own group, which is that of its folder.
pub(super) fn name(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Beside version 1, version 2 has no controllers.
const WITHOUT_CONTROLLERS: &str = "unified";

/// Version 1 has a hierarchy for each controller, version 2 a single one.
fn hierarchies() -> Vec<PathBuf> {
    let root = Path::new(ROOT);
    if root.join("cgroup.controllers").is_file() {
        return vec![root.to_owned()];
    }
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| path.is_dir()).collect()
}

pub(super) fn make(folder: &Path) -> Result<()> {
    for hierarchy in hierarchies() {
        if hierarchy.ends_with(WITHOUT_CONTROLLERS) {
            continue;
        }
        let own = hierarchy.join(name(folder));
        fs::create_dir_all(&own).with_context(|| own.display().to_string())?;
        // In version 1, a group begins without CPUs and memory.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let from = hierarchy.join(file);
            if from.is_file() && own.join(file).is_file() {
                fs::write(own.join(file), fs::read(&from)?)?;
            }
        }
        if own.join("cgroup.controllers").is_file() {
            let wanted = "+cpu +cpuset +memory +pids";
            let path = own.join("cgroup.subtree_control");
            fs::write(&path, wanted).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

/// Removes them once their processes have ended.
pub(super) fn remove(folder: &Path) {
    for _ in 0..50 {
        for hierarchy in hierarchies() {
            prune(&hierarchy.join(name(folder)));
        }
        if !are_left(folder) {
            return;
        }
        sleep(Duration::from_millis(100));
    }
}

pub(super) fn are_left(folder: &Path) -> bool {
    hierarchies()
        .iter()
        .any(|hierarchy| hierarchy.join(name(folder)).exists())
}

/// Starts at the leaves: a group that contains others cannot be removed.
fn prune(group: &Path) {
    let entries = fs::read_dir(group).into_iter().flatten().flatten();
    for child in entries.map(|entry| entry.path()).filter(|path| path.is_dir()) {
        prune(&child);
    }
    let _ = fs::remove_dir(group);
}
