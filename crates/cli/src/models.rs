//! Networks of a worker: their list, cards and plans.

use crate::failure::Failure;
use crate::jobs::{Interrupt, answer, download};
use crate::link::Link;
use crate::progress::Progress;
use confide_client::ClientError;
use confide_client::session::Event;
use confide_protocol::{ModelEntry, ModelFile};

/// Largest files that are fetched: a card or known answers, and weights.
const MAX_TEXT: u64 = 4 << 20;
const MAX_WEIGHTS: u64 = 1 << 30;

/// The model of a name.
pub async fn find(
    link: &mut Link,
    interrupt: &mut Interrupt,
    name: &str,
) -> Result<ModelEntry, Failure> {
    let request = link.ask(|session| session.list_models()).await?;
    let models = answer(link, interrupt, request, |event| match event {
        Event::Models { request, models } => Ok((request, models)),
        other => Err(Box::new(other)),
    })
    .await?;
    let names: Vec<String> = models.iter().map(|model| model.name.clone()).collect();
    let found = models.into_iter().find(|model| model.name == name);
    found.ok_or_else(|| {
        let message = format!("The worker has no model \"{name}\".");
        let remedy = match names.len() {
            0 => "It has none: its operator gives it a folder with --models.".to_owned(),
            _ => format!("It has: {}.", names.join(", ")),
        };
        ClientError::new("CC-6060", message, remedy).into()
    })
}

/// A file of a model; the bytes have the digest that the worker named.
pub async fn fetch(
    link: &mut Link,
    progress: &Progress,
    interrupt: &mut Interrupt,
    file: ModelFile,
    is_weights: bool,
) -> Result<Vec<u8>, Failure> {
    let limit = if is_weights { MAX_WEIGHTS } else { MAX_TEXT };
    if file.bytes > limit {
        return Err(ClientError::new(
            "CC-6061",
            format!(
                "A file of the model has {} bytes, {limit} are read.",
                file.bytes
            ),
            "Choose another model.",
        )
        .into());
    }
    download(link, progress, interrupt, file.digest, limit).await
}

/// The plan that answers a request, as bytes.
pub async fn plan(
    link: &mut Link,
    interrupt: &mut Interrupt,
    request: Vec<u8>,
) -> Result<Vec<u8>, Failure> {
    let request = link
        .ask(move |session| session.request_inference(request))
        .await?;
    answer(link, interrupt, request, |event| match event {
        Event::Plan { request, plan } => Ok((request, plan)),
        other => Err(Box::new(other)),
    })
    .await
}
