//! Packages from npm that tests and measurements use; none becomes part of the product.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::process::{self, on_path};
use crate::workspace::Workspace;

/// A package without dependencies.
pub struct Package {
    /// Its name on npm.
    pub name: &'static str,
    /// The version that is installed.
    pub version: &'static str,
    /// Digest of its archive, as npm writes it.
    pub integrity: Option<&'static str>,
}

/// Accessibility rules (MPL-2.0): docs/adr/0012-axe-core.md.
const AXE: Package = Package {
    name: "axe-core",
    version: "4.14.1",
    integrity: Some(
        "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
    ),
};

/// The file of axe-core that browser tests run in the page; `CONFIDE_AXE` names another.
///
/// # Errors
/// When it is missing and npm cannot fetch it; the message says what to do.
pub fn axe(workspace: &Workspace) -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("CONFIDE_AXE") {
        return Ok(PathBuf::from(path));
    }
    let folder = install(workspace, &AXE).context(
        "the browser tests check accessibility with axe-core. Install npm (Debian: `apt-get install npm`), or name a \
         copy of axe.min.js in the variable CONFIDE_AXE.",
    )?;
    Ok(folder.join("axe.min.js"))
}

/// Installs a package below the target folder and answers its folder. No script of it runs.
///
/// # Errors
/// When npm is missing, cannot fetch the package, or the archive is another one.
pub fn install(workspace: &Workspace, package: &Package) -> Result<PathBuf> {
    let Package {
        name,
        version,
        integrity,
    } = package;
    let folder = workspace.target.join("npm").join(name);
    let modules = folder.join("node_modules").join(name);
    let wanted = format!("\"version\": \"{version}\"");
    let installed = fs::read_to_string(modules.join("package.json"));
    if installed.is_ok_and(|text| text.contains(&wanted)) {
        return Ok(modules);
    }
    fs::create_dir_all(&folder)?;
    eprintln!("  installing {name} {version}");
    let npm = on_path("npm").with_context(|| format!("{name} comes from npm, not on PATH"))?;
    let mut command = Command::new(npm);
    if let Some(integrity) = integrity {
        // A lock file with the digest: npm refuses any other archive.
        let place = format!("node_modules/{name}");
        let archive = format!("https://registry.npmjs.org/{name}/-/{name}-{version}.tgz");
        let root = json!({ "dependencies": { *name: version } });
        let locked = json!({ "version": version, "resolved": archive, "integrity": integrity });
        let lock = json!({ "lockfileVersion": 3, "packages": { "": &root, place: locked } });
        fs::write(folder.join("package.json"), root.to_string())?;
        fs::write(folder.join("package-lock.json"), lock.to_string())?;
        command.arg("ci");
    } else {
        command.args(["install", &format!("{name}@{version}")]);
    }
    let found = process::capture(
        command
            .args(["--no-audit", "--no-fund", "--ignore-scripts"])
            .arg("--prefix")
            .arg(&folder)
            .stdin(Stdio::null()),
    )?;
    if !found.success {
        bail!("npm cannot install {name}: {}", found.stderr.trim());
    }
    Ok(modules)
}
