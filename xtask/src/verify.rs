//! `cargo verify`: every test of the project, after setting up what is missing.

use std::fs;

use anyhow::{Context, Result};

use crate::steps::Steps;
use crate::workspace::Workspace;
use crate::{browser_tests, demo, process, secrets, setup, web};

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

/// Runs the steps in order, stops at the first failure, prints all times and a count of the tests.
///
/// # Errors
/// The first failure.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let mut steps = Steps::default();
    let mut tally = Tally::default();
    let result = all(workspace, options, &mut steps, &mut tally);
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
    let browser = steps.run("set up", || {
        setup::wasm_target()?;
        setup::nextest()?;
        (!options.no_browser).then(setup::browser).transpose()
    })?;
    let mut unit = vec!["--workspace", "--exclude", "confide-tests"];
    steps.run("unit and property tests", || {
        nextest(workspace, &unit, &[], tally)
    })?;
    // The same selection of packages: another one would have other features and build anew.
    unit.extend(["-E", "package(confide-ring) | package(confide-ckks)"]);
    steps.run("ring and scheme on the portable kernels", || {
        nextest(
            workspace,
            &unit,
            &[("CONFIDE_BACKEND", "portable".into())],
            tally,
        )
    })?;
    steps.run("examples in the documentation", || {
        let text = process::run_and_read(process::cargo(&workspace.root).args([
            "test",
            "--doc",
            "--workspace",
            "--exclude",
            "confide-tests",
        ]))?;
        tally.passed += browser_tests::count(&text, "passed").unwrap_or_default();
        Ok(())
    })?;
    steps.run("the worker cannot name a secret key", || {
        secrets::check(workspace)
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
    steps.run("build the worker and the terminal client", || {
        demo::build_programs(workspace)
    })?;
    steps.run("end to end", || {
        let mut environment = vec![
            (
                "CONFIDE_WORKER_BIN",
                workspace.release_binary("confide-worker").into_os_string(),
            ),
            (
                "CONFIDE_CLI_BIN",
                workspace.release_binary("confide").into_os_string(),
            ),
            ("CONFIDE_WEB_DIST", dist.into_os_string()),
        ];
        let mut arguments = vec!["--package", "confide-tests"];
        match &browser {
            Some(browser) => {
                environment.push(("CHROME", browser.chromium.clone().into_os_string()));
                environment.push(("CHROMEDRIVER", browser.driver.clone().into_os_string()));
            }
            None => arguments.extend(["-E", "not test(/browser/) & not binary(/browser/)"]),
        }
        nextest(workspace, &arguments, &environment, tally)
    })
}

/// Runs nextest with the profile that writes a report, and adds the report's counts.
fn nextest(
    workspace: &Workspace,
    arguments: &[&str],
    environment: &[(&str, std::ffi::OsString)],
    tally: &mut Tally,
) -> Result<()> {
    let report = workspace.target.join("nextest/verify/junit.xml");
    if report.exists() {
        fs::remove_file(&report)?;
    }
    let mut cargo = process::cargo(&workspace.root);
    cargo.args(["nextest", "run", "--profile", "verify"]);
    cargo.args(arguments).envs(environment.iter().cloned());
    let result = process::run(&mut cargo);
    if let Ok(xml) = fs::read_to_string(&report) {
        let counts = counts(&xml).context("nextest's report has no counts")?;
        tally.passed += counts.passed;
        tally.failed += counts.failed;
    }
    result
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
