//! What the worker keeps on disk: each client's objects by digest, and the records of its jobs.
//!
//! ```text
//! DATA/clients/<namespace>/used                  its time of change is the client's last visit
//!                          objects/<digest>      complete and checked
//!                          objects/<digest>.part an upload under way or interrupted
//!                          jobs/<id>/spec, state
//! ```
//! The namespace is a hash of the client's token, so that the disk does not hold what opens it.
//! Every account is kept in memory and charged before a byte is written.

mod account;
mod files;
mod jobs;
mod objects;
mod upload;

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use confide_protocol::{Digest, Limits};

use account::{Account, Entry, charge};
pub use jobs::JobRecord;
pub use upload::{Begin, Upload};

/// Part of the store that belongs to one client: a hash of its token.
pub type Namespace = Digest;

/// The store. All methods block on the disk.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    limits: Limits,
    max_store_bytes: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    total: u64,
    clients: HashMap<Namespace, Account>,
}

impl Store {
    /// Opens the store in `root`, makes it if missing, and counts what every client has there.
    ///
    /// # Errors
    /// The directory cannot be made or read.
    pub fn open(root: &Path, limits: Limits, max_store_bytes: u64) -> io::Result<Self> {
        let clients = root.join("clients");
        files::make_private_dir(&clients)?;
        let store = Self {
            root: root.to_owned(),
            limits,
            max_store_bytes,
            state: Mutex::default(),
        };
        for entry in fs::read_dir(&clients)? {
            let entry = entry?;
            let Some(namespace) = entry.file_name().to_str().and_then(Digest::from_hex) else {
                tracing::warn!(name = ?entry.file_name(), "not a client's directory, left alone");
                continue;
            };
            store.count(namespace)?;
        }
        Ok(store)
    }

    /// Counts the objects of one client. What a crash left half-written is removed.
    fn count(&self, namespace: Namespace) -> io::Result<()> {
        let dir = self.objects_dir(&namespace);
        if !dir.is_dir() {
            return Ok(());
        }
        let mut state = self.lock();
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let size = entry.metadata()?.len();
            let (stem, partial) = match name.strip_suffix(files::PART) {
                Some(stem) => (stem, true),
                None => (name, false),
            };
            match Digest::from_hex(stem) {
                Some(digest) if partial => {
                    state.insert(namespace, digest, Entry::Partial { size }, charge(size));
                }
                Some(digest) => {
                    state.insert(namespace, digest, Entry::Complete { size }, charge(size));
                }
                None if name.ends_with(files::TEMPORARY) => fs::remove_file(entry.path())?,
                None => tracing::warn!(name, "not an object, left alone"),
            }
        }
        Ok(())
    }

    /// Notes that the client is here, if anything of it is stored.
    pub fn touch(&self, namespace: &Namespace) {
        let dir = self.client_dir(namespace);
        if dir.is_dir()
            && let Err(error) = fs::write(dir.join("used"), b"")
        {
            tracing::warn!(%error, "cannot note a client's visit");
        }
    }

    /// Clients that were not here for `age`, for the caller to delete unless they have work.
    #[must_use]
    pub fn unused_for(&self, age: Duration) -> Vec<Namespace> {
        let Some(before) = SystemTime::now().checked_sub(age) else {
            return Vec::new();
        };
        let Ok(entries) = fs::read_dir(self.root.join("clients")) else {
            return Vec::new();
        };
        entries
            .flatten()
            .filter_map(|entry| {
                let namespace = Digest::from_hex(entry.file_name().to_str()?)?;
                let used = fs::metadata(entry.path().join("used"))
                    .or_else(|_| entry.metadata())
                    .and_then(|meta| meta.modified())
                    .ok()?;
                (used < before).then_some(namespace)
            })
            .collect()
    }

    fn client_dir(&self, namespace: &Namespace) -> PathBuf {
        self.root.join("clients").join(namespace.to_hex())
    }

    fn objects_dir(&self, namespace: &Namespace) -> PathBuf {
        self.client_dir(namespace).join("objects")
    }

    fn object_path(&self, namespace: &Namespace, digest: &Digest) -> PathBuf {
        self.objects_dir(namespace).join(digest.to_hex())
    }

    fn part_path(&self, namespace: &Namespace, digest: &Digest) -> PathBuf {
        self.objects_dir(namespace)
            .join(format!("{}{}", digest.to_hex(), files::PART))
    }

    /// A panic elsewhere leaves the accounts as they were: every change is made whole at once.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
