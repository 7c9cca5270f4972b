//! Making objects on threads of their own while they are uploaded.

use crate::failure::Failure;
use crate::jobs::{Interrupt, failed};
use crate::link::{Link, News};
use crate::progress::Progress;
use confide_ckks::Complex64;
use confide_client::ClientError;
use confide_client::session::{Event, Object};
use confide_client::workflow::{Digests, Item, ObjectFactory, ObjectJob};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// Objects that are made and not yet on the worker's disk, besides the one in each thread's hands.
const IN_FLIGHT: usize = 3;

type Made = Result<(ObjectJob, Object), ClientError>;

/// Gives the slots of a data object.
pub type Slots = dyn Fn(&ObjectJob) -> Result<Option<Vec<Complex64>>, ClientError> + Send + Sync;

/// Makes and uploads all objects. A few are in memory at a time, however many there are.
pub async fn upload(
    link: &mut Link,
    progress: &Progress,
    interrupt: &mut Interrupt,
    items: Vec<Item>,
    factories: Vec<ObjectFactory>,
    slots: Arc<Slots>,
) -> Result<Digests, Failure> {
    let total: u64 = items.iter().map(|item| item.bytes).sum();
    let wanted = items.len();
    let mut ready = start(items, factories, &slots);

    let mut digests = Digests::new();
    let mut under_way: HashMap<confide_protocol::Digest, u64> = HashMap::new();
    let (mut done, mut finished, mut all_made) = (0, 0, false);
    let mut tick = tokio::time::interval(std::time::Duration::from_millis(200));
    while finished < wanted {
        tokio::select! {
            object = ready.recv(), if !all_made && under_way.len() < IN_FLIGHT => match object {
                Some(object) => {
                    let (job, object) = object?;
                    digests.insert(job, object.digest);
                    under_way.insert(object.digest, object.bytes.len() as u64);
                    link.tell(move |session| session.upload(object));
                }
                None if under_way.is_empty() => {
                    return Err(ClientError::new("CC-6040", "Not all objects were made.", "Report this as a fault.").into());
                }
                None => all_made = true,
            },
            news = link.next() => match news {
                News::Event(Event::Uploaded { digest }) => {
                    if let Some(bytes) = under_way.remove(&digest) {
                        done += bytes;
                        finished += 1;
                    }
                }
                News::Event(event) => failed(event)?,
                News::Lost(reason) => progress.note(&format!("Connection lost ({reason}); connecting again.")),
                News::Ended(error) => return Err(error.into()),
            },
            () = interrupt.wait() => return Err(Failure::Cancelled),
            _ = tick.tick() => {
                let in_flight: u64 = under_way.values().sum();
                let pending = link.ask(|session| session.upload_bytes_pending()).await?;
                progress.set(done + in_flight.saturating_sub(pending), total, None);
            },
        }
    }
    Ok(digests)
}

/// Digests of objects, which are made and dropped: the same key, plan and data give the same bytes, so that a job of an earlier start can be
/// named.
pub async fn digests(
    items: Vec<Item>,
    factories: Vec<ObjectFactory>,
    slots: Arc<Slots>,
) -> Result<Digests, Failure> {
    let mut ready = start(items, factories, &slots);
    let mut digests = Digests::new();
    while let Some(made) = ready.recv().await {
        let (job, object) = made?;
        digests.insert(job, object.digest);
    }
    Ok(digests)
}

/// Makes objects on threads of their own. The channel is full after one: threads wait until it is taken.
fn start(
    items: Vec<Item>,
    factories: Vec<ObjectFactory>,
    slots: &Arc<Slots>,
) -> mpsc::Receiver<Made> {
    let queue = Arc::new(Mutex::new(VecDeque::from(items)));
    let (made, ready) = mpsc::channel::<Made>(1);
    for factory in factories {
        let (queue, slots, made) = (queue.clone(), slots.clone(), made.clone());
        tokio::task::spawn_blocking(move || produce(&factory, &queue, &*slots, &made));
    }
    ready
}

fn produce(
    factory: &ObjectFactory,
    queue: &Mutex<VecDeque<Item>>,
    slots: &Slots,
    made: &mpsc::Sender<Made>,
) {
    loop {
        let item = queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        let Some(item) = item else { return };
        let object = slots(&item.job).and_then(|slots| factory.make(&item.job, slots.as_deref()));
        if made
            .blocking_send(object.map(|object| (item.job, object)))
            .is_err()
        {
            return;
        }
    }
}
