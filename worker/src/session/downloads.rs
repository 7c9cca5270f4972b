//! Downloads of one connection.

use std::{collections::VecDeque, fs::File, io, io::Read, io::Seek, io::SeekFrom, path::Path};

use confide_protocol::{
    Blame, ChunkSender, Digest, MAX_TRANSFERS, ProtocolError, WINDOW_CHUNKS, WireError,
    WorkerMessage, code, encode_chunk,
};
use tokio::sync::OwnedSemaphorePermit;

use super::{Closed, outbox::Outbox};
use crate::{
    app::App,
    fault,
    store::{Namespace, Store},
};

#[derive(Debug, Default)]
pub(super) struct Downloads {
    /// In turn: the one that sent last is at the end.
    open: VecDeque<Download>,
}

#[derive(Debug)]
struct Download {
    sender: ChunkSender,
    file: Option<File>,
}

/// What a client asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Get {
    pub request: u32,
    pub transfer: u32,
    pub digest: Digest,
    pub offset: u64,
}

impl Downloads {
    pub(super) async fn begin(
        &mut self,
        app: &App,
        namespace: Namespace,
        get: Get,
        outbox: &Outbox,
    ) -> Result<(), Closed> {
        let Get {
            request,
            transfer,
            offset,
            ..
        } = get;
        let reply = match self.try_begin(app, namespace, get).await {
            Ok(size) => WorkerMessage::GetStart {
                request,
                transfer,
                size,
                offset,
            },
            Err(error) => WorkerMessage::Error {
                request: Some(request),
                transfer: Some(transfer),
                error,
            },
        };
        outbox.send(reply).await
    }

    async fn try_begin(
        &mut self,
        app: &App,
        namespace: Namespace,
        get: Get,
    ) -> Result<u64, WireError> {
        if self.find(get.transfer).is_some() {
            return Err(fault::client(
                code::UNEXPECTED,
                format!("transfer {} is open already", get.transfer),
                "Choose another number.",
            ));
        }
        if self.open.len() >= MAX_TRANSFERS {
            return Err(fault::client(
                code::TOO_MANY_TRANSFERS,
                format!("{MAX_TRANSFERS} downloads are open, as many as may be"),
                "Wait for one to end.",
            ));
        }
        let (store, runner) = (app.store.clone(), app.runner.clone());
        let (file, sender, size) = app
            .block(move || match runner.model_file(&get.digest) {
                Some(path) => open_model(&path, get),
                None => open(&store, &namespace, get),
            })
            .await?;
        if !sender.is_complete() {
            self.open.push_back(Download {
                sender,
                file: Some(file),
            });
        }
        Ok(size)
    }

    /// Whether a chunk may be sent.
    pub(super) fn ready(&self) -> bool {
        self.open.iter().any(|download| download.sender.is_ready())
    }

    /// Sends the next chunk of the download whose turn it is.
    pub(super) async fn send_next(
        &mut self,
        outbox: &Outbox,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Result<(), Closed> {
        let Some(place) = self.open.iter().position(|open| open.sender.is_ready()) else {
            return Ok(());
        };
        let Some(mut download) = self.open.remove(place) else {
            return Ok(());
        };
        let transfer = download.sender.transfer();
        let (Some(chunk), Some(file)) = (download.sender.poll(), download.file.take()) else {
            return Ok(());
        };
        let read = tokio::task::spawn_blocking(move || {
            let mut data = vec![0; chunk.length];
            (&file).read_exact(&mut data)?;
            let frame = encode_chunk(transfer, chunk.index, &data).map_err(io::Error::other)?;
            Ok::<_, io::Error>((frame, file))
        })
        .await
        .map_err(io::Error::other)
        .flatten();
        match read {
            Ok((frame, file)) => {
                download.file = Some(file);
                self.open.push_back(download);
                outbox.send_chunk(frame, permit).await
            }
            Err(error) => {
                let error = fault::store("read an object", &error);
                self.fail(transfer, error, outbox).await
            }
        }
    }

    pub(super) async fn on_ack(
        &mut self,
        transfer: u32,
        index: u32,
        outbox: &Outbox,
    ) -> Result<(), Closed> {
        let Some(place) = self.find(transfer) else {
            let error = fault::client(
                code::UNKNOWN_TRANSFER,
                format!("transfer {transfer} is not open"),
                "Ask for the object first.",
            );
            return self.fail(transfer, error, outbox).await;
        };
        let download = &mut self.open[place];
        let acknowledged = download.sender.acknowledge(index);
        let complete = download.sender.is_complete();
        match acknowledged {
            Ok(()) => {
                if complete {
                    self.open.remove(place);
                }
                Ok(())
            }
            Err(error) => {
                self.open.remove(place);
                self.fail(transfer, error.to_wire(Blame::Client), outbox)
                    .await
            }
        }
    }

    /// Closes all.
    pub(super) fn clear(&mut self) {
        self.open.clear();
    }

    fn find(&self, transfer: u32) -> Option<usize> {
        self.open
            .iter()
            .position(|download| download.sender.transfer() == transfer)
    }

    async fn fail(&self, transfer: u32, error: WireError, outbox: &Outbox) -> Result<(), Closed> {
        outbox
            .send(WorkerMessage::Error {
                request: None,
                transfer: Some(transfer),
                error,
            })
            .await
    }
}

fn open(
    store: &Store,
    namespace: &Namespace,
    get: Get,
) -> Result<(File, ChunkSender, u64), WireError> {
    let (file, size) = store.open_object(namespace, &get.digest)?;
    sender(file, size, get)
}

/// The file of a model; the client checks that it is the one that was offered.
fn open_model(path: &Path, get: Get) -> Result<(File, ChunkSender, u64), WireError> {
    let file = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
    let (size, file) = file.map_err(|error| fault::store("open a model", &error))?;
    sender(file, size, get)
}

fn sender(mut file: File, size: u64, get: Get) -> Result<(File, ChunkSender, u64), WireError> {
    let sender = ChunkSender::new(get.transfer, size, get.offset, WINDOW_CHUNKS)
        .map_err(|error: ProtocolError| error.to_wire(Blame::Client))?;
    file.seek(SeekFrom::Start(get.offset))
        .map_err(|error| fault::store("read an object", &error))?;
    Ok((file, sender, size))
}
