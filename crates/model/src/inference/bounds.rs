//! Bounds of what may come from outside, and deviations of a plan.

use super::{Choice, Task, planner};
use crate::error::{ModelError, layout};
use crate::network::Network;
use crate::refresh;

/// Most images of a request, ciphertexts of a job's images, and weights of a network that is planned for. Sizes may come
/// from outside, and the program is run on counters for them.
pub(super) const MAX_IMAGES: usize = 1 << 20;
pub(super) const MAX_INPUTS: usize = 4096;
const MAX_PARAMETERS: usize = 1 << 24;
/// Most vectors that the layers of a program make.
const MAX_VECTORS: usize = 1 << 22;
/// Most levels left at the output, and bytes of rotated ciphertexts at once.
pub(super) const MAX_SPARE: usize = 64;
const MAX_WORKING: u64 = 1 << 36;

/// Bounds the work of deriving a plan.
pub(super) fn bounded(network: &Network, task: &Task, choice: &Choice) -> Result<(), ModelError> {
    if let Some(gathering) = &task.gathering {
        gathering.check()?;
        compare("ring", &gathering.log_n, &choice.log_n)?;
        at_most("images of a job", choice.images, gathering.rows())?;
    }
    if choice.entry.is_some() {
        refresh::ring(choice.log_n)?;
    } else if task.gathering.is_none() && !planner::RINGS.contains(&choice.log_n) {
        let needed = format!("{:?}", planner::RINGS);
        return Err(layout("log2 of the ring degree", needed, choice.log_n));
    }
    at_most("images", task.images, MAX_IMAGES)?;
    at_most("images of a job", choice.images, task.images)?;
    at_most("levels left", task.spare_levels, MAX_SPARE)?;
    at_most("working bytes", choice.working_bytes, MAX_WORKING)?;
    if choice.images == 0 || choice.batch == 0 {
        return Err(layout(
            "images of a job and of a ciphertext",
            "at least 1",
            0,
        ));
    }
    let weights = network.tensor_shapes().into_values();
    let parameters = weights.fold(0_usize, |sum, shape| {
        sum.saturating_add(shape.iter().product())
    });
    at_most("weights", parameters, MAX_PARAMETERS)?;
    // Maps only get smaller, so that no layer has more ciphertexts a channel than the input.
    let cells = (1_usize << (choice.log_n - 1)) / choice.batch;
    let pixels = network.input[1] * network.input[2];
    let runs = choice.images.div_ceil(choice.batch);
    let channels: usize = network.shapes()?.values().map(|shape| shape[0]).sum();
    let vectors = channels
        .saturating_mul(pixels.div_ceil(cells.max(1)))
        .saturating_mul(runs);
    at_most("ciphertexts of all layers", vectors, MAX_VECTORS)
}

pub(super) fn at_most<Size: PartialOrd + std::fmt::Display>(
    what: &'static str,
    have: Size,
    limit: Size,
) -> Result<(), ModelError> {
    if have > limit {
        return Err(layout(what, format!("at most {limit}"), have));
    }
    Ok(())
}

pub(super) fn deviation(
    field: &'static str,
    needed: impl ToString,
    available: impl ToString,
) -> ModelError {
    ModelError::Deviation {
        field,
        needed: needed.to_string(),
        available: available.to_string(),
    }
}

pub(super) fn compare<T: PartialEq + std::fmt::Debug>(
    field: &'static str,
    own: &T,
    found: &T,
) -> Result<(), ModelError> {
    if own == found {
        return Ok(());
    }
    Err(deviation(field, format!("{own:?}"), format!("{found:?}")))
}
