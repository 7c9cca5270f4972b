//! Pictures that a base model turns into features on this machine: setup 2 for images.

use crate::address::WorkerAddress;
use crate::failure::Failure;
use crate::images;
use crate::jobs::{Interrupt, connect};
use crate::models;
use crate::progress::Progress;
use confide_client::ClientError;
use confide_client::intake::{
    BaseModel, PictureSource, Table, is_picture, picture_list, read_picture_table,
};
use confide_client::vault::Vault;
use confide_model::{CARD, Model};
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Pictures that are read between two looks at the clock, for each thread.
const AT_ONCE: usize = 8;
/// Column of the pictures' names where there is no list with a header.
const COLUMN: &str = "picture";

/// Where pictures and base model are.
#[derive(Clone, Copy)]
pub struct Pictures<'a> {
    /// Folder of PNG and JPEG files.
    pub folder: &'a Path,
    /// List of them with their labels; folders are labels when absent.
    pub labels: Option<&'a Path>,
    /// Folder of a model, or the name of one that the worker has.
    pub base_model: &'a str,
    /// Where the worker is.
    pub worker: &'a WorkerAddress,
}

impl Pictures<'_> {
    /// The table of pictures with features in the place of their names.
    pub async fn table(
        &self,
        progress: &mut Progress,
        interrupt: &mut Interrupt,
    ) -> Result<Table, Failure> {
        let (mut table, column) = match self.labels {
            Some(path) => {
                let bytes =
                    std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
                read_picture_table(&bytes)?
            }
            None => folders(self.folder)?,
        };
        let model = base_model(self.base_model, self.worker, progress, interrupt).await?;
        let source = model.source(&column);
        let under_way = (progress, &*interrupt);
        embed(&model, self.folder, &source, &mut table, under_way)?;
        Ok(table)
    }
}

/// New pictures, read as those of a training were: their features as a table, and their names by row.
pub async fn new_pictures(
    pictures: Pictures<'_>,
    source: &PictureSource,
    progress: &mut Progress,
    interrupt: &mut Interrupt,
) -> Result<(Table, Vec<String>), Failure> {
    let names = names(pictures.folder)?;
    let model = base_model(pictures.base_model, pictures.worker, progress, interrupt).await?;
    model.check(source)?;
    let mut table = Table::of_pictures(&source.column, names.clone());
    let under_way = (progress, &*interrupt);
    embed(&model, pictures.folder, source, &mut table, under_way)?;
    Ok((table, names))
}

/// Names of the pictures in a folder and in the folders in it.
pub fn names(folder: &Path) -> Result<Vec<String>, Failure> {
    let listed = listed(folder)?.into_iter();
    Ok(listed.map(|(name, _)| name).collect())
}

/// A base model from its folder, or from the worker.
async fn base_model(
    wanted: &str,
    worker: &WorkerAddress,
    progress: &mut Progress,
    interrupt: &mut Interrupt,
) -> Result<BaseModel, Failure> {
    let folder = Path::new(wanted);
    if folder.join(CARD).is_file() {
        let model = Model::read(folder).map_err(|error| {
            let message = format!("The base model in {wanted} cannot be used: {error}.");
            ClientError::new("CC-6080", message, "Use an undamaged copy of it.")
        })?;
        return Ok(BaseModel::of(model.card, &model.weights)?);
    }
    progress.phase("base_model", "Fetching the base model", 0, false);
    // Nothing is stored for whoever fetches it: any key will do.
    let (mut link, _, _) = connect(worker, &Vault::generate("")?, interrupt).await?;
    let entry = models::find(&mut link, interrupt, wanted).await?;
    let weights = entry.weights.ok_or_else(|| {
        ClientError::new(
            "CC-6081",
            format!("The worker keeps the weights of \"{wanted}\" to itself."),
            "Give the folder of a model with --base-model DIR, or train with --setup 1.",
        )
    })?;
    let card = models::fetch(&mut link, progress, interrupt, entry.card, false).await?;
    let weights = models::fetch(&mut link, progress, interrupt, weights, true).await?;
    Ok(BaseModel::new(&card, &weights)?)
}

/// Puts features in the place of the pictures' names.
fn embed(
    model: &BaseModel,
    folder: &Path,
    source: &PictureSource,
    table: &mut Table,
    (progress, interrupt): (&mut Progress, &Interrupt),
) -> Result<(), Failure> {
    let names = table.texts(&source.column)?;
    let total = names.len() as u64;
    progress.phase("embed", "Reading the pictures", total, false);
    let begun = Instant::now();
    let mut features: Vec<Result<Vec<f32>, ClientError>> = Vec::with_capacity(names.len());
    for some in names.chunks(AT_ONCE * rayon::current_num_threads()) {
        if interrupt.is_seen() {
            return Err(Failure::Cancelled);
        }
        features.par_extend(some.par_iter().map(|name| {
            let file = std::fs::read(folder.join(name)).map_err(|error| {
                let message = format!("The file cannot be read: {error}.");
                ClientError::new(
                    "CC-6083",
                    message,
                    "Mend the list of labels, or the folder.",
                )
            })?;
            model.read(&file)
        }));
        let done = features.len() as u64;
        let left = begun.elapsed().as_millis() as u64 * (total - done) / done;
        progress.set(done, total, Some(left));
    }
    Ok(table.with_pictures(source.clone(), &features)?)
}

/// The pictures in the folders of a folder as a table, the folder's name the label; pictures without labels where there are no
/// such folders.
fn folders(folder: &Path) -> Result<(Table, String), Failure> {
    let listed = listed(folder)?;
    if listed.iter().all(|(_, label)| label.is_none()) {
        let names = listed.into_iter().map(|(name, _)| name).collect();
        return Ok((Table::of_pictures(COLUMN, names), COLUMN.to_owned()));
    }
    let labelled = listed.into_iter();
    let labelled = labelled.filter_map(|(name, label)| Some((name, label?)));
    let list = picture_list(&labelled.collect::<Vec<_>>())?;
    Ok(read_picture_table(&list)?)
}

/// Names of the pictures in a folder and in the folders in it, with the latter's names.
fn listed(folder: &Path) -> Result<Vec<(String, Option<String>)>, Failure> {
    let name = |path: &PathBuf| {
        let name = path.file_name();
        name.map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    };
    let mut found = Vec::new();
    for path in images::entries(folder)? {
        let own = name(&path);
        if path.is_dir() {
            let inside = images::entries(&path)?;
            let files = inside.iter().map(&name).filter(|name| is_picture(name));
            found.extend(files.map(|file| (format!("{own}/{file}"), Some(own.clone()))));
        } else if is_picture(&own) {
            found.push((own, None));
        }
    }
    Ok(found)
}
