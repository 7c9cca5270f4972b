//! The worker's build cannot name a secret key: checked by what it depends on and by the compiler.

use anyhow::{Result, bail};

use crate::process::{self, Captured};
use crate::workspace::Workspace;

/// Checks that the feature `secret` of confide-ckks stays off in the worker, and that an import
/// of the secret key there fails to compile. The same import has to compile with the feature on:
/// otherwise a renamed type would make the check pass for ever.
///
/// # Errors
/// When one of the three does not hold, with what the compiler or cargo said.
pub fn check(workspace: &Workspace) -> Result<()> {
    let tree = process::capture(process::cargo(&workspace.root).args([
        "tree",
        "--package",
        "confide-worker",
        "--edges",
        "normal,build,features",
        "--invert",
        "confide-ckks",
        "--prefix",
        "none",
    ]))?;
    if !tree.success {
        bail!("cargo tree failed:\n{}", tree.stderr);
    }
    if let Some(line) = secret_feature(&tree.stdout) {
        bail!(
            "the worker's build turns on `{line}`. Only the data party may: find the dependency \
             that asks for it with `cargo tree -p confide-worker -e normal,features -i \
             confide-ckks` and drop the feature there."
        );
    }
    eprintln!("  the worker's dependencies leave confide-ckks/secret off");

    let plain = probe(workspace, None)?;
    if plain.success {
        bail!(
            "worker/src/lib.rs can import confide_ckks::SecretKey: the type has to be behind \
             confide-ckks's feature `secret`"
        );
    }
    if !(plain.stderr.contains("E0432") && plain.stderr.contains("SecretKey")) {
        bail!(
            "the worker fails to compile for another reason than the secret key:\n{}",
            plain.stderr
        );
    }
    let control = probe(workspace, Some("confide-ckks/secret"))?;
    if !control.success {
        bail!(
            "the import that must fail in the worker also fails with confide-ckks/secret turned \
             on, so it proves nothing; is the type still confide_ckks::SecretKey?\n{}",
            control.stderr
        );
    }
    eprintln!("  the compiler refuses confide_ckks::SecretKey in the worker");
    Ok(())
}

/// Type-checks the worker's library with the import switched on.
fn probe(workspace: &Workspace, features: Option<&str>) -> Result<Captured> {
    let mut cargo = process::cargo(&workspace.root);
    cargo.args(["rustc", "--package", "confide-worker", "--lib"]);
    cargo.args(["--profile", "check", "--quiet"]);
    if let Some(features) = features {
        cargo.args(["--features", features]);
    }
    process::capture(cargo.args(["--", "--cfg", "confide_probe_secret_key"]))
}

/// The line of `cargo tree` that shows the feature, if any.
fn secret_feature(tree: &str) -> Option<&str> {
    tree.lines()
        .map(str::trim)
        .find(|line| line.contains("feature \"secret\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_feature_is_found_in_the_tree() {
        let clean = "confide-ckks v0.1.0 (/x)\nconfide-ckks feature \"parallel\"\n";
        assert_eq!(secret_feature(clean), None);
        let bad = format!("{clean}  confide-ckks feature \"secret\"\n");
        assert_eq!(
            secret_feature(&bad),
            Some("confide-ckks feature \"secret\"")
        );
    }
}
