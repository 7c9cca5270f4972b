//! One object on its way in: written and hashed chunk by chunk, never in memory as a whole.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use confide_protocol::{
    Blame, CHUNK_BYTES, ChunkFrame, ChunkReceiver, Digest, ProtocolError, WireError, code,
    transfer::chunk_count,
};

use super::{
    Namespace, Store,
    account::{Entry, charge},
    files,
};
use crate::fault;

/// The writer of an upload under way. Empty once another connection took the upload over.
pub(super) type Slot = Arc<Mutex<Option<Writer>>>;

#[derive(Debug)]
pub(super) struct Writer {
    file: File,
    receiver: ChunkReceiver,
}

/// How an upload begins.
#[derive(Debug)]
pub enum Begin {
    /// The object is there already.
    Complete,
    /// Chunks are wanted from `offset` on.
    From {
        /// The upload.
        upload: Upload,
        /// A multiple of the chunk size.
        offset: u64,
    },
}

/// An upload under way. Dropped before its end, it keeps what has arrived for a later resume.
#[derive(Debug)]
pub struct Upload {
    store: Arc<Store>,
    namespace: Namespace,
    digest: Digest,
    slot: Slot,
}

impl Store {
    /// Begins or resumes an upload, or takes it over from another connection of this client: a
    /// client that lost its connection may be back before the worker has noticed.
    ///
    /// # Errors
    /// Over a limit, or the disk failed. Nothing is written before the limits are checked.
    pub fn begin_upload(
        self: &Arc<Self>,
        namespace: Namespace,
        transfer: u32,
        digest: Digest,
        size: u64,
    ) -> Result<Begin, WireError> {
        chunk_count(size, 0).map_err(|error| error.to_wire(Blame::Client))?;
        if size > self.limits.max_object_bytes {
            return Err(fault::limit(
                code::OBJECT_TOO_LARGE,
                "the object",
                size,
                self.limits.max_object_bytes,
                "Choose a smaller plan.",
            ));
        }
        let slot = Slot::default();
        // Held until the writer is in: whoever takes over waits for it.
        let mut writer = lock(&slot);
        let former = {
            let mut state = self.lock();
            let former = match state.get(&namespace, &digest) {
                Some(Entry::Complete { size: have }) if *have == size => {
                    return Ok(Begin::Complete);
                }
                Some(Entry::Complete { size: have }) => {
                    return Err(fault::client(
                        code::OBJECT_DIGEST,
                        format!("the object has {have} bytes, {size} were announced"),
                        "Compute its digest again.",
                    ));
                }
                Some(Entry::Open { slot }) => Some(slot.clone()),
                Some(Entry::Partial { .. }) | None => None,
            };
            let entry = Entry::Open { slot: slot.clone() };
            state.reserve(namespace, digest, entry, charge(size), self.ceiling())?;
            former
        };
        if let Some(former) = former {
            lock(&former).take();
        }
        let upload = Upload {
            store: self.clone(),
            namespace,
            digest,
            slot: slot.clone(),
        };
        match self.open_part(&namespace, transfer, digest, size) {
            Ok((opened, offset)) => {
                *writer = Some(opened);
                drop(writer);
                Ok(Begin::From { upload, offset })
            }
            Err(error) => {
                drop(writer);
                Err(fault::store("begin an upload", &error))
            }
        }
    }

    /// Opens what has arrived so far, cut to whole chunks, and hashes it.
    fn open_part(
        &self,
        namespace: &Namespace,
        transfer: u32,
        digest: Digest,
        size: u64,
    ) -> io::Result<(Writer, u64)> {
        files::make_private_dir(&self.objects_dir(namespace))?;
        self.touch(namespace);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.part_path(namespace, &digest))?;
        let chunk = CHUNK_BYTES as u64;
        // The last chunk is always sent again, so that its arrival completes the object.
        let offset = file.metadata()?.len().min(size - 1) / chunk * chunk;
        file.set_len(offset)?;
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; CHUNK_BYTES];
        for _ in 0..offset / chunk {
            file.read_exact(&mut buffer)?;
            hasher.update(&buffer);
        }
        file.seek(SeekFrom::Start(offset))?;
        let receiver = ChunkReceiver::resume(transfer, digest, size, offset, hasher)
            .map_err(io::Error::other)?;
        Ok((Writer { file, receiver }, offset))
    }
}

impl Upload {
    /// The object.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Takes the next chunk: checks it, writes it, and completes the object with the last one.
    /// Gives whether the object is complete. After an error the upload is over.
    ///
    /// # Errors
    /// A chunk that is damaged or out of turn, a wrong digest at the end, a failure of the disk,
    /// or another connection that took the upload over.
    pub fn accept(&self, chunk: &ChunkFrame<'_>) -> Result<bool, WireError> {
        let mut slot = lock(&self.slot);
        let writer = slot.as_mut().ok_or_else(|| {
            fault::client(
                code::UNKNOWN_TRANSFER,
                "another connection of yours goes on with this upload, or the object was deleted",
                "Use one connection.",
            )
        })?;
        if let Err(error) = writer.receiver.accept(chunk) {
            if matches!(error, ProtocolError::ObjectDigest { .. }) {
                slot.take();
                self.discard()?;
            }
            return Err(error.to_wire(Blame::Client));
        }
        let write = |error| fault::store("write an upload", &error);
        writer.file.write_all(chunk.data).map_err(write)?;
        if !writer.receiver.is_complete() {
            return Ok(false);
        }
        writer.file.sync_all().map_err(write)?;
        let size = writer.receiver.size();
        slot.take();
        let mut state = self.store.lock();
        if !self.is_current(state.get(&self.namespace, &self.digest)) {
            return Err(fault::unknown_object(&self.digest));
        }
        files::place(
            &self.store.part_path(&self.namespace, &self.digest),
            &self.store.object_path(&self.namespace, &self.digest),
        )
        .map_err(write)?;
        let entry = Entry::Complete { size };
        state.insert(self.namespace, self.digest, entry, charge(size));
        Ok(true)
    }

    /// Removes what has arrived, unless the upload is another connection's by now.
    fn discard(&self) -> Result<(), WireError> {
        let mut state = self.store.lock();
        if self.is_current(state.get(&self.namespace, &self.digest)) {
            state.remove(&self.namespace, &self.digest);
            files::remove(&self.store.part_path(&self.namespace, &self.digest))
                .map_err(|error| fault::store("remove a damaged upload", &error))?;
        }
        Ok(())
    }

    fn is_current(&self, entry: Option<&Entry>) -> bool {
        matches!(entry, Some(Entry::Open { slot }) if Arc::ptr_eq(slot, &self.slot))
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let arrived = lock(&self.slot)
            .take()
            .map_or(0, |writer| writer.receiver.received_bytes());
        let mut state = self.store.lock();
        if !self.is_current(state.get(&self.namespace, &self.digest)) {
            return;
        }
        if arrived > 0 {
            let entry = Entry::Partial { size: arrived };
            state.insert(self.namespace, self.digest, entry, charge(arrived));
        } else {
            state.remove(&self.namespace, &self.digest);
            let part = self.store.part_path(&self.namespace, &self.digest);
            if let Err(error) = files::remove(&part) {
                tracing::warn!(%error, "cannot remove an empty upload");
            }
        }
    }
}

/// Whoever holds a slot may take the store's lock, never the other way round.
pub(super) fn lock(slot: &Slot) -> MutexGuard<'_, Option<Writer>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}
