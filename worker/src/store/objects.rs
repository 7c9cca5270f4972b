//! Complete objects: which there are, reading, adding results, deleting.

use std::{fs::File, io};

use confide_protocol::{CHUNK_BYTES, Digest, WireError, code};

use super::{
    Namespace, Store,
    account::{Ceiling, Entry, charge},
    files, upload,
};
use crate::fault;

impl Store {
    /// The objects of `digests` that are not complete, with the bytes that an upload could skip.
    #[must_use]
    pub fn missing(&self, namespace: &Namespace, digests: &[Digest]) -> Vec<(Digest, u64)> {
        let state = self.lock();
        digests
            .iter()
            .filter_map(|digest| match state.get(namespace, digest) {
                Some(Entry::Complete { .. }) => None,
                Some(Entry::Partial { size }) => {
                    let chunk = CHUNK_BYTES as u64;
                    Some((*digest, size / chunk * chunk))
                }
                Some(Entry::Open { .. }) | None => Some((*digest, 0)),
            })
            .collect()
    }

    /// Bytes of a complete object.
    #[must_use]
    pub fn size_of(&self, namespace: &Namespace, digest: &Digest) -> Option<u64> {
        match self.lock().get(namespace, digest) {
            Some(Entry::Complete { size }) => Some(*size),
            _ => None,
        }
    }

    /// Bytes that a client's objects are charged.
    #[must_use]
    pub fn stored_bytes(&self, namespace: &Namespace) -> u64 {
        self.lock().usage(namespace).1
    }

    /// Opens a complete object: the file and its bytes.
    ///
    /// # Errors
    /// Unknown to this client, or the disk failed.
    pub fn open_object(
        &self,
        namespace: &Namespace,
        digest: &Digest,
    ) -> Result<(File, u64), WireError> {
        let size = self
            .size_of(namespace, digest)
            .ok_or_else(|| fault::unknown_object(digest))?;
        let file = File::open(self.object_path(namespace, digest))
            .map_err(|error| fault::store("open an object", &error))?;
        Ok((file, size))
    }

    /// Reads a complete object and checks that the disk kept it.
    ///
    /// # Errors
    /// Unknown to this client, damaged on disk, or the disk failed.
    pub fn read_object(
        &self,
        namespace: &Namespace,
        digest: &Digest,
    ) -> Result<Vec<u8>, WireError> {
        let size = self
            .size_of(namespace, digest)
            .ok_or_else(|| fault::unknown_object(digest))?;
        let bytes = std::fs::read(self.object_path(namespace, digest))
            .map_err(|error| fault::store("read an object", &error))?;
        if bytes.len() as u64 != size || Digest::of(&bytes) != *digest {
            tracing::error!(
                object = digest.short(),
                "object is damaged on disk, removed"
            );
            self.delete_objects(namespace, &[*digest])?;
            return Err(fault::worker(
                code::STORE,
                format!("object {} was damaged on the worker's disk", digest.short()),
                "Upload it again.",
            ));
        }
        Ok(bytes)
    }

    /// Stores a result of a job; charged like an upload.
    ///
    /// # Errors
    /// Over the client's limits, or the disk failed.
    pub fn put_object(&self, namespace: &Namespace, bytes: &[u8]) -> Result<Digest, WireError> {
        let digest = Digest::of(bytes);
        let size = bytes.len() as u64;
        if self.size_of(namespace, &digest) == Some(size) {
            return Ok(digest);
        }
        let entry = Entry::Complete { size };
        // Charged before it is written, and complete only once it is on disk.
        self.lock().reserve(
            *namespace,
            digest,
            Entry::Partial { size: 0 },
            charge(size),
            self.ceiling(),
        )?;
        let written = files::write_atomic(&self.object_path(namespace, &digest), bytes);
        let mut state = self.lock();
        match written {
            Ok(()) => {
                state.insert(*namespace, digest, entry, charge(size));
                Ok(digest)
            }
            Err(error) => {
                state.remove(namespace, &digest);
                Err(fault::store("write an object", &error))
            }
        }
    }

    /// Deletes objects, complete or not; gives their number and the bytes freed.
    ///
    /// # Errors
    /// The disk failed.
    pub fn delete_objects(
        &self,
        namespace: &Namespace,
        digests: &[Digest],
    ) -> Result<(u64, u64), WireError> {
        let (mut objects, mut bytes) = (0, 0);
        for digest in digests {
            let (freed, entry) = {
                let mut state = self.lock();
                let entry = state.get(namespace, digest).cloned();
                (state.remove(namespace, digest), entry)
            };
            let Some(freed) = freed else { continue };
            if let Some(Entry::Open { slot }) = entry {
                upload::lock(&slot).take();
            }
            objects += 1;
            bytes += freed;
            files::remove(&self.object_path(namespace, digest))
                .and_then(|()| files::remove(&self.part_path(namespace, digest)))
                .map_err(|error| fault::store("delete an object", &error))?;
        }
        Ok((objects, bytes))
    }

    /// Deletes everything that is stored of a client; gives the objects and the bytes freed.
    ///
    /// # Errors
    /// The disk failed.
    pub fn delete_client(&self, namespace: &Namespace) -> Result<(u64, u64), WireError> {
        let digests = self.lock().digests(namespace);
        let freed = self.delete_objects(namespace, &digests)?;
        match std::fs::remove_dir_all(self.client_dir(namespace)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(fault::store("delete a client's data", &error))
            }
            _ => Ok(freed),
        }
    }

    pub(super) fn ceiling(&self) -> Ceiling {
        Ceiling {
            client: self.limits.max_client_bytes,
            store: self.max_store_bytes,
        }
    }
}
