//! Building the page: wasm in two variants, bindings, styles and modules.
//!
//! Output (`target/web-dist` unless `--out` says otherwise):
//!
//! ```text
//! index.html  app.css  *.js          from web/index.html and what it names
//! text-model.safetensors             where `cargo xtask text-model` has made it
//! pkg/relaxed/confide_web{.js,_bg.wasm}   with relaxed SIMD, for browsers that have it
//! pkg/plain/confide_web{.js,_bg.wasm}     with the SIMD that all browsers of the last years have
//! ```

use std::fs;
use std::io::Write;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use wasm_bindgen_cli_support::Bindgen;

use crate::page::{self, Asset};
use crate::process;
use crate::setup::{self, WASM_TARGET};
use crate::text_model;
use crate::workspace::Workspace;

/// The most bytes that a gzipped wasm may have.
const GZIP_LIMIT: usize = 1_500_000;
/// The crate of the page.
const PACKAGE: &str = "confide-web";

/// One way to compile the crate; the page picks by what the browser validates.
pub struct Variant {
    /// The folder under `pkg/`.
    pub name: &'static str,
    /// Values of `-C target-feature` beyond those of `.cargo/config.toml`.
    pub features: &'static [&'static str],
}

/// Relaxed SIMD has the fused multiply-add of the fast kernels; a browser without it refuses the
/// whole module, hence two.
pub const VARIANTS: [Variant; 2] = [
    Variant {
        name: "relaxed",
        features: &["+relaxed-simd"],
    },
    Variant {
        name: "plain",
        features: &[],
    },
];

/// How to build the page.
#[derive(clap::Args, Default)]
pub struct Options {
    /// Optimise and strip (profile wasm-release); without it the build is quick and large
    #[arg(long)]
    pub release: bool,
    /// Also shrink with the wasm-opt on PATH
    #[arg(long)]
    pub wasm_opt: bool,
    /// Write the page into this folder instead of target/web-dist
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Put both variants of the bindings into the page that Trunk is staging
    #[arg(long, conflicts_with = "out")]
    pub trunk_hook: bool,
}

/// Builds the page and returns its folder.
///
/// # Errors
/// When the target is missing, the crate does not build, the page names something that is not
/// there or not known, or a gzipped wasm is too large.
pub fn build(workspace: &Workspace, options: &Options) -> Result<PathBuf> {
    setup::wasm_target()?;
    if options.trunk_hook {
        let staging = std::env::var_os("TRUNK_STAGING_DIR")
            .context("--trunk-hook is for Trunk, which sets TRUNK_STAGING_DIR")?;
        let staging = PathBuf::from(staging);
        // Trunk names its bindings after the package, with a hyphen, and makes one variant.
        replace_folder(&staging.join("pkg"))?;
        copy_text_model(workspace, &staging)?;
        variants(workspace, options, &staging)?;
        return Ok(staging);
    }
    let dist = match &options.out {
        Some(out) => std::path::absolute(out)?,
        None => workspace.web_dist(),
    };
    let source = workspace.root.join("web");
    let index = source.join("index.html");
    let html =
        fs::read_to_string(&index).with_context(|| format!("reading {}", index.display()))?;
    let page = page::read(&html).with_context(|| index.display().to_string())?;
    if !page.assets.iter().any(
        |asset| matches!(asset, Asset::Rust { manifest } if manifest == Path::new("Cargo.toml")),
    ) {
        bail!(
            "{} has no <link data-trunk rel=\"rust\" href=\"Cargo.toml\">",
            index.display()
        );
    }

    // A page is replaced as a whole, and only when all of it could be built.
    let staging = workspace.target.join("web-staging");
    replace_folder(&staging)?;
    fs::write(staging.join("index.html"), &page.html)?;
    for asset in &page.assets {
        copy_asset(&source, &staging, asset)?;
    }
    copy_text_model(workspace, &staging)?;
    variants(workspace, options, &staging)?;
    if dist.exists() && !dist.join("index.html").exists() && fs::read_dir(&dist)?.next().is_some() {
        bail!(
            "{} is no page and not empty: it will not be replaced",
            dist.display()
        );
    }
    if dist.exists() {
        fs::remove_dir_all(&dist).with_context(|| format!("removing {}", dist.display()))?;
    }
    copy_folder(&staging, &dist)?;
    fs::remove_dir_all(&staging)?;
    eprintln!("  page: {}", workspace.short(&dist).display());
    Ok(dist)
}

/// The language model beside the page, where it was made; without it the page says what makes it.
fn copy_text_model(workspace: &Workspace, dist: &Path) -> Result<()> {
    let model = text_model::path(workspace);
    if model.is_file() {
        fs::copy(&model, dist.join("text-model.safetensors"))
            .with_context(|| format!("copying {}", model.display()))?;
    } else {
        eprintln!("  no language model for written records: `cargo xtask text-model` makes it");
    }
    Ok(())
}

/// Compiles all variants side by side: optimising a whole program at link time takes one thread each.
fn variants(workspace: &Workspace, options: &Options, dist: &Path) -> Result<()> {
    thread::scope(|scope| {
        let start = |each| scope.spawn(move || variant(workspace, options, each, dist));
        let running: Vec<_> = VARIANTS.iter().map(start).collect();
        for one in running {
            // A panic goes on here.
            one.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        }
        Ok(())
    })
}

/// Compiles one variant of the page's crate and writes its bindings to `dist/pkg/<name>`.
fn variant(workspace: &Workspace, options: &Options, variant: &Variant, dist: &Path) -> Result<()> {
    let start = Instant::now();
    let wasm = bindings(workspace, PACKAGE, variant, options.release, dist)?;
    if options.wasm_opt {
        shrink(&wasm, variant)?;
    }
    report_size(&wasm, variant, options.release, start)
}

/// Compiles one variant of a package to `dist/pkg/<name>`, with its bindings, and returns the path of the wasm.
///
/// # Errors
/// When the package does not build.
pub fn bindings(
    workspace: &Workspace,
    package: &str,
    variant: &Variant,
    release: bool,
    dist: &Path,
) -> Result<PathBuf> {
    let profile = if release { "wasm-release" } else { "dev" };
    let mut cargo = wasm_cargo(workspace, variant);
    cargo.args(["build", "--package", package, "--lib", "--profile", profile]);
    cargo.args(["--target", WASM_TARGET]);
    process::run(&mut cargo)?;

    let folder = if release { profile } else { "debug" };
    let module = package.replace('-', "_");
    let built = target_folder(workspace, variant)
        .join(WASM_TARGET)
        .join(folder)
        .join(format!("{module}.wasm"));
    let out = dist.join("pkg").join(variant.name);
    Bindgen::new()
        .input_path(&built)
        .web(true)?
        .typescript(false)
        .remove_name_section(release)
        .remove_producers_section(release)
        .out_name(&module)
        .generate(&out)
        .with_context(|| format!("generating the bindings of {}", built.display()))?;
    Ok(out.join(format!("{module}_bg.wasm")))
}

/// Variants have folders of their own: cargo locks one while it builds.
fn target_folder(workspace: &Workspace, variant: &Variant) -> PathBuf {
    workspace.target.join("wasm").join(variant.name)
}

/// Cargo for the browser's target. Flags are given as configuration, which adds to those of
/// `.cargo/config.toml`; `RUSTFLAGS` would replace them, so it is removed.
pub fn wasm_cargo(workspace: &Workspace, variant: &Variant) -> Command {
    let mut cargo = process::cargo(&workspace.root);
    cargo
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("CARGO_TARGET_DIR", target_folder(workspace, variant));
    if !variant.features.is_empty() {
        let features = variant.features.join(",");
        cargo.arg("--config").arg(format!(
            "target.{WASM_TARGET}.rustflags=[\"-C\",\"target-feature={features}\"]"
        ));
    }
    cargo
}

fn shrink(wasm: &Path, variant: &Variant) -> Result<()> {
    if process::on_path("wasm-opt").is_none() {
        bail!("--wasm-opt: no wasm-opt on PATH; install binaryen 120 or later, or leave it out");
    }
    let mut command = Command::new("wasm-opt");
    command.args(["-O3", "--all-features"]);
    if variant.features.is_empty() {
        command.arg("--disable-relaxed-simd");
    }
    process::run(command.arg(wasm).arg("-o").arg(wasm))
}

fn report_size(wasm: &Path, variant: &Variant, release: bool, start: Instant) -> Result<()> {
    let bytes = fs::read(wasm).with_context(|| format!("reading {}", wasm.display()))?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&bytes)?;
    let packed = gzip.finish()?.len();
    eprintln!(
        "  {}: {} bytes of wasm, {packed} gzipped, {:.1} s",
        variant.name,
        bytes.len(),
        start.elapsed().as_secs_f64()
    );
    if release && packed > GZIP_LIMIT {
        bail!(
            "the {} wasm has {packed} bytes gzipped, more than the {GZIP_LIMIT} allowed; see what \
             grew with `twiggy top` or by `cargo tree -p {PACKAGE}`",
            variant.name
        );
    }
    Ok(())
}

fn copy_asset(source: &Path, dist: &Path, asset: &Asset) -> Result<()> {
    match asset {
        Asset::Rust { .. } => Ok(()),
        Asset::Css { file } => copy_file(&source.join(file), dist),
        Asset::CopyFile { file, into } => copy_file(&source.join(file), &dist.join(into)),
        Asset::CopyDir { folder, into } => copy_folder(&source.join(folder), &dist.join(into)),
    }
}

fn copy_file(file: &Path, folder: &Path) -> Result<()> {
    let name = file.file_name().context("a file without a name")?;
    fs::create_dir_all(folder)?;
    fs::copy(file, folder.join(name)).with_context(|| format!("copying {}", file.display()))?;
    Ok(())
}

pub fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            let name = path.file_name().context("a folder without a name")?;
            copy_folder(&path, &to.join(name))?;
        } else {
            copy_file(&path, to)?;
        }
    }
    Ok(())
}

pub fn replace_folder(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_copied_with_what_is_below() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        fs::write(dir.path().join("a/x.js"), "1").unwrap();
        fs::write(dir.path().join("a/b/y.js"), "2").unwrap();
        let asset = Asset::CopyDir {
            folder: "a".into(),
            into: "".into(),
        };
        let dist = dir.path().join("dist");
        copy_asset(dir.path(), &dist, &asset).unwrap();
        assert_eq!(fs::read_to_string(dist.join("x.js")).unwrap(), "1");
        assert_eq!(fs::read_to_string(dist.join("b/y.js")).unwrap(), "2");
        let missing = Asset::Css {
            file: "no.css".into(),
        };
        let error = format!("{:#}", copy_asset(dir.path(), &dist, &missing).unwrap_err());
        assert!(error.contains("no.css"), "{error}");
    }
}
