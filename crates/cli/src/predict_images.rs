//! `confide predict` for a head on encrypted images: the worker's network reads new ones encrypted, the head that it keeps scores them.

use crate::failure::Failure;
use crate::images;
use crate::jobs::{Interrupt, connect, delete, lacking, output_of, run_job, score};
use crate::link::Link;
use crate::models;
use crate::pictures;
use crate::predict::{Answer, PredictArgs, no_head};
use crate::progress::Progress;
use crate::train::{factories, threads};
use crate::upload::upload;
use confide_client::ClientError;
use confide_client::vault::Vault;
use confide_client::workflow::images::{ImagePrediction, ImagePredictionSetup, SavedImageModel};
use confide_client::workflow::{Digests, Item, ObjectFactory, ResultOpener};
use confide_protocol::{Digest, ObjectKind};
use std::sync::Arc;

/// Runs the command for such a model.
pub async fn run(
    args: &PredictArgs,
    model: SavedImageModel,
    mut progress: Progress,
) -> Result<(), Failure> {
    let vault = args.vault(&model.key_fingerprint)?;
    let folder = match (&args.images, &args.base_model) {
        (Some(folder), None) => folder,
        (given, _) => {
            let (message, remedy) = match given {
                None => ("The head was trained on pictures.", "Give --images DIR."),
                Some(_) => (
                    "The head was trained on encrypted images, which only the worker's network reads.",
                    "Leave out --base-model.",
                ),
            };
            return Err(ClientError::new("CC-6082", message, remedy).into());
        }
    };
    let held_out = model.held_out.clone();
    let setup = {
        let card = model.card()?;
        let read = |name: String| images::picture(&folder.join(name), folder, &card, None);
        let found = pictures::names(folder)?.into_iter().map(read);
        ImagePredictionSetup::new(model, found.collect::<Result<_, Failure>>()?)?
    };
    let mut interrupt = Interrupt::listen();
    progress.phase("plan", "Asking the worker for a plan", 0, false);
    let (mut link, facts, worker) = connect(&args.worker, &vault, &mut interrupt).await?;
    let plan = models::plan(&mut link, &mut interrupt, setup.request_bytes(&facts)?).await?;
    let run = Arc::new(setup.accept(&plan, &facts)?);
    if !lacking(&mut link, &mut interrupt, vec![run.head()])
        .await?
        .is_empty()
    {
        return Err(no_head());
    }
    let mut exchange = Exchange {
        run: &run,
        vault: &vault,
        threads: threads(args.threads),
        link: &mut link,
        progress: &mut progress,
        interrupt: &mut interrupt,
    };
    let opened = exchange.all().await?;
    let answer = Answer {
        predictions: run.predictions(&opened)?,
        classes: run.classes(),
        held_out: held_out.as_ref(),
        names: run.names(),
        notes: &[],
        seconds: progress.finish(),
        worker,
    };
    answer.tell(args, &mut link).await
}

/// Everything between the accepted plan and the decrypted scores.
struct Exchange<'a> {
    run: &'a Arc<ImagePrediction>,
    vault: &'a Vault,
    threads: usize,
    link: &'a mut Link,
    progress: &'a mut Progress,
    interrupt: &'a mut Interrupt,
}

impl Exchange<'_> {
    /// Logits `[job][row][output]`.
    async fn all(&mut self) -> Result<Vec<Vec<Vec<f64>>>, Failure> {
        let run = self.run.clone();
        let (mut network, keys) = self.known(run.network_keys()?).await?;
        network.extend(
            self.send("keys", "Making and uploading keys", keys, true)
                .await?,
        );
        let mut features = Vec::with_capacity(run.jobs());
        for job in 0..run.jobs() {
            let text = format!(
                "Encrypting and uploading images, part {} of {}",
                job + 1,
                run.jobs()
            );
            let images = self
                .send("images", &text, run.image_items(job)?, true)
                .await?;
            let sent: Vec<Digest> = images.values().copied().collect();
            network.extend(images);
            self.progress.phase("features", "Worker: waiting", 1, false);
            let spec = run.feature_job(job, &network)?;
            let report = run_job(self.link, self.progress, self.interrupt, spec, &mut ()).await?;
            features.push(output_of(&report, ObjectKind::ImageFeatures)?);
            delete(self.link, sent).await?;
        }
        let (mut digests, keys) = self.known(run.training_keys()?).await?;
        digests.extend(
            self.send("keys", "Making and uploading keys", keys, false)
                .await?,
        );
        self.progress
            .phase("predict", "Worker: predicting", 1, false);
        let opener = ResultOpener::new(self.vault.seed(), run.training())?;
        let mut opened = Vec::with_capacity(features.len());
        for one in features {
            let spec = run.predict_job(one, &digests)?;
            let by = (&opener, run.score_rows());
            let done = score(self.link, self.progress, self.interrupt, spec, by).await?;
            opened.push(done.logits);
            delete(self.link, vec![one, done.scores]).await?;
        }
        Ok(opened)
    }

    /// The keys that the worker has, and those to make.
    async fn known(
        &mut self,
        keys: Vec<(Item, Option<Digest>)>,
    ) -> Result<(Digests, Vec<Item>), Failure> {
        let asked = keys.iter().filter_map(|(_, digest)| *digest).collect();
        let missing = lacking(self.link, self.interrupt, asked).await?;
        let (mut there, mut to_make) = (Digests::new(), Vec::new());
        for (item, digest) in keys {
            match digest.filter(|digest| !missing.contains(digest)) {
                Some(digest) => drop(there.insert(item.job, digest)),
                None => to_make.push(item),
            }
        }
        Ok((there, to_make))
    }

    /// Makes and uploads objects of the network, or of the training.
    async fn send(
        &mut self,
        key: &str,
        text: &str,
        items: Vec<Item>,
        network: bool,
    ) -> Result<Digests, Failure> {
        if items.is_empty() {
            return Ok(Digests::new());
        }
        let total = items.iter().map(|item| item.bytes).sum();
        self.progress.phase(key, text, total, true);
        let (seed, training) = (self.vault.seed(), self.run.training());
        let factories = match network {
            false => factories(self.vault, training, self.threads)?,
            true => {
                let plan = self.run.plan()?;
                let made =
                    (0..self.threads).map(|_| ObjectFactory::of_features(seed, plan, training));
                made.collect::<Result<_, _>>()?
            }
        };
        let run = self.run.clone();
        let slots = Arc::new(move |job: &_| run.slots(job));
        let (link, interrupt) = (&mut *self.link, &mut *self.interrupt);
        upload(link, self.progress, interrupt, items, factories, slots).await
    }
}
