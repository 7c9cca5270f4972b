//! `cargo verify`: every test of the project, after setting up what is missing.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::steps::Steps;
use crate::workspace::Workspace;
use crate::{browser_tests, npm, process, secrets, setup, web};

/// What to leave out.
#[derive(clap::Args)]
pub struct Options {
    /// Leave out everything that needs a browser
    #[arg(long)]
    no_browser: bool,
}

/// Tests by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
}

impl Tally {
    /// Adds the counts of a run and passes its outcome on.
    fn add(&mut self, (counts, outcome): (Self, Result<()>)) -> Result<()> {
        self.passed += counts.passed;
        self.failed += counts.failed;
        outcome
    }
}

/// Runs the steps in order, stops at the first failure, prints all times and a count of the tests.
///
/// # Errors
/// The first failure.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let mut steps = Steps::default();
    let mut tally = Tally::default();
    let result = all(workspace, options, &mut steps, &mut tally);
    if result.is_err() {
        // A build or a browser run that fails leaves no report to count.
        tally.failed = tally.failed.max(1);
    }
    steps.print_summary();
    println!("{} passed, {} failed", tally.passed, tally.failed);
    result
}

fn all(
    workspace: &Workspace,
    options: &Options,
    steps: &mut Steps,
    tally: &mut Tally,
) -> Result<()> {
    let (nextest_program, browser, axe) = steps.run("set up", || {
        setup::wasm_target()?;
        let program = setup::nextest(workspace)?;
        let browser = (!options.no_browser).then(setup::browser).transpose()?;
        let axe = browser.as_ref().map(|_| npm::axe(workspace)).transpose()?;
        Ok((program, browser, axe))
    })?;
    let nextest = |arguments: &[&str], environment: &[(&str, OsString)]| {
        nextest(workspace, &nextest_program, arguments, environment)
    };
    // One selection of packages for all native tests: another one would have other features and build anew. The tasks
    // have a profile of their own, because this one would optimise their dependencies.
    let selection = ["--workspace", "--exclude", "xtask"];
    steps.run(
        "build the tests, the worker and the terminal client",
        || {
            let mut cargo = process::cargo(&workspace.root);
            process::run(
                cargo
                    .arg("build")
                    .args(selection)
                    .args(["--bins", "--tests"]),
            )
        },
    )?;
    let of = |filter| [&selection[..], &["-E", filter]].concat();
    steps.run("unit and property tests", || {
        tally.add(nextest(&of("not package(confide-tests)"), &[]))
    })?;
    steps.run("tests of these tasks", || {
        let xtask = [
            "--package",
            "xtask",
            "--bin",
            "xtask",
            "--cargo-profile",
            "xtask",
        ];
        tally.add(nextest(&xtask, &[]))
    })?;
    steps.run("one bootstrap of the full ring", || {
        let test = of("test(the_preset_refreshes_all_slots_of_the_full_ring)");
        tally.add(nextest(
            &[&test[..], &["--run-ignored", "only"]].concat(),
            &[],
        ))
    })?;
    steps.run("ring and scheme on the portable kernels", || {
        let packages = of(
            "package(confide-ring) | package(confide-ckks) | package(confide-tensor) | package(confide-train)",
        );
        tally.add(nextest(&packages, &[("CONFIDE_BACKEND", "portable".into())]))
    })?;
    steps.run("examples in the documentation", || {
        let mut cargo = process::cargo(&workspace.root);
        let text = process::run_and_read(cargo.args(["test", "--doc"]).args(selection))?;
        tally.passed += browser_tests::count(&text, "passed").unwrap_or_default();
        Ok(())
    })?;
    steps.run("the worker cannot name a secret key", || {
        secrets::check(workspace)
    })?;
    steps.run("the terminal client compiles as it is shipped", || {
        let mut cargo = process::cargo(&workspace.root);
        process::run(cargo.args(["check", "--package", "confide-cli"]))
    })?;
    let dist = steps.run("build the page", || {
        let release = web::Options {
            release: true,
            ..web::Options::default()
        };
        web::build(workspace, &release)
    })?;
    if let Some(browser) = &browser {
        steps.run("ring and scheme in the browser", || {
            tally.passed += browser_tests::run(workspace, browser)?;
            Ok(())
        })?;
    }
    steps.run("end to end", || {
        let program = |name| workspace.test_binary(name).into_os_string();
        let mut environment = vec![
            ("CONFIDE_WORKER_BIN", program("confide-worker")),
            ("CONFIDE_CLI_BIN", program("confide")),
            // Built with the tests, as examples are.
            (
                "CONFIDE_INSECURE_WORKER_BIN",
                program("examples/insecure_worker"),
            ),
            ("CONFIDE_WEB_DIST", dist.into_os_string()),
        ];
        let mut tests = "package(confide-tests)";
        match &browser {
            Some(browser) => {
                environment.push(("CHROME", browser.chromium.clone().into_os_string()));
                environment.push(("CHROMEDRIVER", browser.driver.clone().into_os_string()));
                environment.extend(axe.map(|path| ("CONFIDE_AXE", path.into_os_string())));
            }
            None => tests = "package(confide-tests) & not test(/browser/) & not binary(/browser/)",
        }
        tally.add(nextest(&of(tests), &environment))
    })
}

/// Runs nextest with the profile that writes a report; returns the report's counts beside the
/// outcome, since a failed run is counted too.
fn nextest(
    workspace: &Workspace,
    program: &Path,
    arguments: &[&str],
    environment: &[(&str, OsString)],
) -> (Tally, Result<()>) {
    let report = workspace.target.join("nextest/verify/junit.xml");
    // What is left is an older run's.
    let _ = fs::remove_file(&report);
    let mut command = process::in_workspace(program, &workspace.root);
    command.args(["nextest", "run", "--profile", "verify"]);
    command.args(arguments).envs(environment.iter().cloned());
    let result = process::run(&mut command);
    let counted = fs::read_to_string(&report)
        .ok()
        .and_then(|xml| counts(&xml));
    (counted.unwrap_or_default(), result)
}

/// The totals in the head of a JUnit report.
fn counts(xml: &str) -> Option<Tally> {
    let start = xml.find("<testsuites")?;
    let head = &xml[start..];
    let head = &head[..head.find('>')?];
    let number = |name: &str| -> Option<u64> {
        let value = head.split_once(&format!(" {name}=\""))?.1;
        value.split_once('"')?.0.parse().ok()
    };
    let failed = number("failures")? + number("errors")?;
    Some(Tally {
        passed: number("tests")?.checked_sub(failed)?,
        failed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_counted() {
        let xml = "<?xml version=\"1.0\"?>\n<testsuites name=\"run\" tests=\"12\" failures=\"2\" \
                   errors=\"1\" time=\"0.1\">\n<testsuite tests=\"1\">";
        let want = Tally {
            passed: 9,
            failed: 3,
        };
        assert_eq!(counts(xml), Some(want));
        assert_eq!(counts("<html>"), None);
    }
}
