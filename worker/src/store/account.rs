//! What each client has stored or reserved.

use std::collections::HashMap;

use confide_protocol::{Digest, WireError, code};

use super::{Namespace, State, upload::Slot};
use crate::fault;

/// Objects that one client may have; the disk's own tables are a resource too.
const MAX_OBJECTS: usize = 1 << 16;
/// The smallest thing that a disk stores.
const BLOCK: u64 = 4096;

/// Bytes that an object of `size` bytes is charged.
pub(super) fn charge(size: u64) -> u64 {
    size.max(1).next_multiple_of(BLOCK)
}

/// One client's account.
#[derive(Debug, Default)]
pub(super) struct Account {
    bytes: u64,
    objects: HashMap<Digest, (Entry, u64)>,
}

/// Where an object stands.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    /// Complete and checked.
    Complete { size: u64 },
    /// An interrupted upload with so many bytes.
    Partial { size: u64 },
    /// An upload under way; charged in full.
    Open { slot: Slot },
}

/// The limits that a new charge is held against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ceiling {
    pub client: u64,
    pub store: u64,
}

impl State {
    pub(super) fn get(&self, namespace: &Namespace, digest: &Digest) -> Option<&Entry> {
        let account = self.clients.get(namespace)?;
        Some(&account.objects.get(digest)?.0)
    }

    /// Objects of a client, and the bytes that they are charged.
    pub(super) fn usage(&self, namespace: &Namespace) -> (u64, u64) {
        self.clients.get(namespace).map_or((0, 0), |account| {
            (account.objects.len() as u64, account.bytes)
        })
    }

    /// Sets an entry and its charge without asking.
    pub(super) fn insert(
        &mut self,
        namespace: Namespace,
        digest: Digest,
        entry: Entry,
        bytes: u64,
    ) {
        self.remove(&namespace, &digest);
        let account = self.clients.entry(namespace).or_default();
        account.bytes += bytes;
        account.objects.insert(digest, (entry, bytes));
        self.total += bytes;
    }

    /// Sets an entry if its charge fits, in place of what that digest was charged before.
    pub(super) fn reserve(
        &mut self,
        namespace: Namespace,
        digest: Digest,
        entry: Entry,
        bytes: u64,
        ceiling: Ceiling,
    ) -> Result<(), WireError> {
        let account = self.clients.get(&namespace);
        let before = account
            .and_then(|account| account.objects.get(&digest))
            .map_or(0, |(_, bytes)| *bytes);
        let (count, used) = self.usage(&namespace);
        let need = used.saturating_sub(before).saturating_add(bytes);
        if need > ceiling.client {
            return Err(fault::limit(
                code::QUOTA,
                "your part of the store",
                need,
                ceiling.client,
                "Delete objects that you no longer need.",
            ));
        }
        if before == 0 && count >= MAX_OBJECTS as u64 {
            return Err(fault::client(
                code::QUOTA,
                format!("your part of the store has {count} objects, {MAX_OBJECTS} are allowed"),
                "Delete objects that you no longer need.",
            ));
        }
        let total = self.total.saturating_sub(before).saturating_add(bytes);
        if total > ceiling.store {
            return Err(fault::worker(
                code::DISK_FULL,
                "the worker's store is full",
                "Ask its operator to free space; uploads resume where they stopped.",
            ));
        }
        self.insert(namespace, digest, entry, bytes);
        Ok(())
    }

    /// Forgets an entry; gives back what it was charged.
    pub(super) fn remove(&mut self, namespace: &Namespace, digest: &Digest) -> Option<u64> {
        let account = self.clients.get_mut(namespace)?;
        let (_, bytes) = account.objects.remove(digest)?;
        account.bytes -= bytes;
        if account.objects.is_empty() {
            self.clients.remove(namespace);
        }
        self.total -= bytes;
        Some(bytes)
    }

    /// All digests of a client.
    pub(super) fn digests(&self, namespace: &Namespace) -> Vec<Digest> {
        self.clients
            .get(namespace)
            .map(|account| account.objects.keys().copied().collect())
            .unwrap_or_default()
    }
}
