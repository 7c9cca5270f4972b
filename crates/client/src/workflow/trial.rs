//! Some images through a network in the clear, before any is encrypted: whether they are of the kind that it was made for.

use super::classify::{NamedImage, from_model};
use crate::ClientError;
use confide_model::{Card, Forward};

/// Images that are tried.
const TRIED: usize = 8;

/// Tries a network's layers up to `until` on eight of `images` or fewer; says what the user should know, if some of them go beyond
/// the ranges that the card promises. Once values are encrypted nobody can tell such images from others: what comes back for
/// them is far off, or nonsense.
///
/// # Errors
/// `CC-5040` for weights that are not those of the card.
pub(super) fn trial(
    card: &Card,
    weights: &[u8],
    until: &str,
    images: &[NamedImage],
) -> Result<Option<String>, ClientError> {
    let weights = card.read_weights(weights).map_err(from_model)?;
    let forward = Forward::new(&card.architecture, &weights, until).map_err(from_model)?;
    let tried = images.iter().step_by(images.len().div_ceil(TRIED).max(1));
    let closest = |image: &NamedImage| {
        let planes = card.normalise(&image.pixels)?;
        forward.closest(&planes, &card.ranges)
    };
    let found = tried.map(|image| Ok((image, closest(image)?)));
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(from_model)?;
    let strays = || found.iter().filter(|(_, range)| range.ratio > 1.0);
    let worst = strays().max_by(|a, b| a.1.ratio.total_cmp(&b.1.ratio));
    Ok(worst.map(|(image, range)| {
        // Squares of squares leave what a number can hold.
        let times = match range.ratio < 1000.0 {
            true => format!("{:.1}", range.ratio),
            false => "more than 1000".to_owned(),
        };
        format!(
            "{} of {} images that were tried on this device are unlike those that the model was made for ({}: {times} times the \
             range of {}). What comes back for such images is far off or nonsense: leave them out, or choose another model.",
            strays().count(),
            found.len(),
            image.name,
            range.layer
        )
    }))
}
