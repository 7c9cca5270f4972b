//! Files that are either there whole or not at all.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

/// End of the name of an upload that is not complete.
pub(super) const PART: &str = ".part";
/// End of the name of a file that a crash may leave behind and nobody needs.
pub(super) const TEMPORARY: &str = ".tmp";

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// Makes a directory and those above it, readable by this user only.
pub(super) fn make_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Writes a file so that after a crash it has either its old or its new content.
pub(super) fn write_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    make_private_dir(dir)?;
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let temporary = dir.join(format!("{}-{number}{TEMPORARY}", std::process::id()));
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let placed = written.and_then(|()| place(&temporary, path));
    if placed.is_err() {
        // The first error counts; the next start removes the file if this does not.
        let _ = fs::remove_file(&temporary);
    }
    placed
}

/// Gives a synced file its final name, and makes that survive a crash.
pub(super) fn place(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    let dir = to.parent().ok_or(io::ErrorKind::InvalidInput)?;
    File::open(dir)?.sync_all()
}

/// Removes a file; one that is not there is as good.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
