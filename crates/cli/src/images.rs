//! Images from a folder.

use crate::failure::Failure;
use confide_client::ClientError;
use confide_client::intake::{Picture, is_picture, read_cifar};
use confide_client::workflow::classify::NamedImage;
use confide_model::Card;
use std::path::{Path, PathBuf};

/// Which part of a folder of classes is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything.
    All,
    /// The test images: those in `test`, else the last fifth of each class by file name, as the networks' training
    /// leaves them out.
    Test,
}

/// Reads images as a card wants them: PNG and JPEG files, directly in the folder or in a folder for each class, or
/// CIFAR-10's binary batches. Images of several classes are taken in turn from each. `skip` are left out first, at most
/// `count` are read.
pub fn read(
    folder: &Path,
    card: &Card,
    part: Part,
    [skip, count]: [usize; 2],
) -> Result<Vec<NamedImage>, Failure> {
    let batch = folder.join("test_batch.bin");
    if batch.is_file() {
        return cifar(&batch, card, [skip, count]);
    }
    let inside = folder.join("test");
    let (folder, part) = if part == Part::Test && inside.is_dir() {
        (inside.as_path(), Part::All)
    } else {
        (folder, part)
    };
    let mut lists: Vec<(Option<usize>, Vec<PathBuf>)> = vec![(None, pictures(folder)?)];
    for entry in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        let name = entry
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let class = card
            .classes
            .iter()
            .position(|class| Some(class) == name.as_ref());
        let mut files = pictures(&entry)?;
        if part == Part::Test {
            files.drain(..files.len() - files.len() / 5);
        }
        lists.push((class, files));
    }
    let longest = lists
        .iter()
        .map(|(_, files)| files.len())
        .max()
        .unwrap_or(0);
    let turns = (0..longest).flat_map(|turn| {
        let lists = lists.iter();
        lists.filter_map(move |(class, files)| Some((*class, files.get(turn)?)))
    });
    let wanted: Vec<(Option<usize>, &PathBuf)> = turns.skip(skip).take(count).collect();
    wanted
        .into_iter()
        .map(|(class, path)| picture(path, folder, card, class))
        .collect()
}

/// Reads a picture as a card wants it; it is named by its path in the folder.
pub fn picture(
    path: &Path,
    folder: &Path,
    card: &Card,
    class: Option<usize>,
) -> Result<NamedImage, Failure> {
    let bytes = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
    let name = path
        .strip_prefix(folder)
        .unwrap_or(path)
        .display()
        .to_string();
    NamedImage::read(card, &name, &bytes, class).map_err(|error| {
        let message = match error.message.contains(&name) {
            true => error.message,
            false => format!("{name}: {}", error.message),
        };
        ClientError { message, ..error }.into()
    })
}

fn cifar(path: &Path, card: &Card, [skip, count]: [usize; 2]) -> Result<Vec<NamedImage>, Failure> {
    let bytes = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
    let images = read_cifar(&bytes)?.into_iter().enumerate();
    images
        .skip(skip)
        .take(count)
        .map(|(number, (class, planes))| {
            let samples = (0..1024).flat_map(|i| [planes[i], planes[1024 + i], planes[2048 + i]]);
            let picture = Picture::new([32, 32], 3, samples.collect())?;
            Ok(NamedImage {
                name: number.to_string(),
                pixels: picture.to_input(card.input.shape),
                class: Some(class),
            })
        })
        .collect()
}

/// PNG and JPEG files of a folder by name.
fn pictures(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = entries(folder)?;
    files.retain(|path| is_picture(&path.to_string_lossy()) && path.is_file());
    Ok(files)
}

/// What lies in a folder, by name.
pub fn entries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error| Failure::file("read", folder, &error);
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let mut paths = entries
        .map(|entry| Ok(entry.map_err(failed)?.path()))
        .collect::<Result<Vec<_>, Failure>>()?;
    paths.sort();
    Ok(paths)
}
