//! Tables of pooled features, and how well heads do on them.

use std::path::Path;

use confide_client::intake::{Dataset, Selection, read_csv};
use confide_client::prepare::shuffle;

use super::Stopped;

/// Images as pooled features, and their classes.
pub struct Images {
    /// By image and channel.
    pub pooled: Vec<Vec<f64>>,
    /// Numbers of their classes.
    pub labels: Vec<usize>,
}

/// `count` images of a table in random order; classes are numbered by their names.
pub fn images(
    path: &Path,
    count: usize,
    channels: usize,
) -> Result<(Images, Vec<String>), Stopped> {
    let bytes = std::fs::read(path)
        .map_err(|error| Stopped::Table(format!("{}: {error}", path.display())))?;
    let read = read_csv(&bytes).and_then(|table| table.select(&Selection::all("label")));
    let data: Dataset =
        read.map_err(|error| Stopped::Table(format!("{}: {error}", path.display())))?;
    let mut names: Vec<String> = data
        .classes
        .iter()
        .map(|class| class.name.clone())
        .collect();
    names.sort();
    let mut order: Vec<usize> = (0..data.records.rows()).collect();
    shuffle(&mut order, 1);
    order.truncate(count);
    if data.records.features.len() != channels || order.len() < count {
        let found = format!("{} of {}", data.records.rows(), data.records.features.len());
        let needed = format!("{count} rows of {channels} features");
        return Err(Stopped::Table(format!(
            "{}: {found}, needed {needed}",
            path.display()
        )));
    }
    let class = |&row: &usize| {
        let name = &data.classes[data.classes_of_rows[row]].name;
        names.iter().position(|other| other == name).unwrap_or(0)
    };
    let labels = order.iter().map(class).collect();
    let pooled = order
        .iter()
        .map(|&row| data.records.row(row).to_vec())
        .collect();
    Ok((Images { pooled, labels }, names))
}

/// Logits of a head for rows of features.
pub fn logits(weights: &[Vec<f64>], rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let one = |row: &Vec<f64>| {
        let dot = |head: &Vec<f64>| head.iter().zip(row).map(|(w, x)| w * x).sum();
        weights.iter().map(dot).collect()
    };
    rows.iter().map(one).collect()
}

/// The class of logits; a single one separates two classes.
fn class(logits: &[f64]) -> usize {
    if let [z] = logits {
        return usize::from(*z > 0.0);
    }
    let classes = 0..logits.len();
    classes
        .max_by(|&a, &b| logits[a].total_cmp(&logits[b]))
        .unwrap_or(0)
}

/// Share of rows whose class is found.
pub fn accuracy(logits: &[Vec<f64>], labels: &[usize]) -> f64 {
    let right = logits
        .iter()
        .zip(labels)
        .filter(|(z, label)| class(z) == **label);
    right.count() as f64 / labels.len().max(1) as f64
}

/// Share of rows to which both give the same class.
pub fn agreement(a: &[Vec<f64>], b: &[Vec<f64>]) -> f64 {
    let same = a.iter().zip(b).filter(|(a, b)| class(a) == class(b));
    same.count() as f64 / a.len().max(1) as f64
}
