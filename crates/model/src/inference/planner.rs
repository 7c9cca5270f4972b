//! The search for a plan: the fastest one that fits the limits.

use std::ops::RangeInclusive;

use confide_ckks::bootstrap::BootstrapLiteral;
use confide_tensor::CostModel;

use super::{Choice, Gathering, InferencePlan, InferenceRequest, MAX_IMAGES, Task};
use crate::card::Card;
use crate::error::{ModelError, layout};
use crate::plan::literal;
use crate::refresh;

/// log2 of the ring degrees that have presets.
pub(super) const RINGS: RangeInclusive<u32> = 13..=17;
/// Bytes of rotated ciphertexts that a layer may hold, largest first: fewer make more passes over the sums.
const WORKING: [u64; 3] = [2 << 30, 1 << 29, 1 << 27];

/// The fastest plan within the limits of a request, times for `model`'s machine. Jobs run one after another, and so do
/// the runs within a job: ciphertexts of one run at a time are alive, and what waits to be merged.
///
/// # Errors
/// [`ModelError::NoPlan`] with the nearest miss, [`ModelError::Deviation`] for a request about another card, and those of
/// [`InferencePlan::derive`].
pub fn plan(
    card: &Card,
    request: &InferenceRequest,
    model: &CostModel,
) -> Result<InferencePlan, ModelError> {
    super::compare("model", &card.id, &request.card)?;
    if request.images == 0 || request.images > MAX_IMAGES {
        let needed = format!("1 to {MAX_IMAGES}");
        return Err(layout("images", needed, request.images));
    }
    super::at_most("levels left", request.spare_levels, super::MAX_SPARE)?;
    let task = request.task();
    let network = task.network(&card.architecture)?;
    let levels = task.levels(&network) + task.spare_levels;
    let mut search = Search {
        card,
        request,
        task,
        model,
        best: None,
        missed: None,
    };
    if let Some(gathering) = search.task.gathering {
        gathering.check()?;
        let special = gathering.parameters(levels)?.literal().log_p.len() as u32;
        for batch in batches(gathering.log_n, request.batch) {
            search.try_features(special, batch, &gathering);
        }
        let miss = search.missed;
        let miss = miss.unwrap_or_else(|| layout("images in a ciphertext", "another number", 0));
        return search.best.map(|(_, plan)| plan).ok_or(miss);
    }
    for log_n in RINGS {
        // Shares and keys of a larger ring are larger: it is worth a look only where the smaller one has no room.
        let Ok(literal) = literal(log_n, levels, &CostModel::default()) else {
            continue;
        };
        for batch in batches(log_n, request.batch) {
            search.try_batch((log_n, literal.log_p.len() as u32, false), batch);
        }
        if search.best.is_some() {
            break;
        }
    }
    // Where all levels fit this ring, they are faster than the bootstraps that would replace them.
    let within = |(_, plan): &(f64, InferencePlan)| plan.choice.log_n <= refresh::LOG_N;
    if !search.best.as_ref().is_some_and(within) {
        let literal = BootstrapLiteral::n16().program;
        for batch in batches(refresh::LOG_N, request.batch) {
            search.try_batch((refresh::LOG_N, literal.log_p.len() as u32, true), batch);
        }
    }
    let miss = search
        .missed
        .unwrap_or_else(|| layout("levels", "a ring that holds them", levels));
    search.best.map(|(_, plan)| plan).ok_or(miss)
}

/// Images in a ciphertext: the slots over a power of four.
fn batches(log_n: u32, fixed: Option<usize>) -> Vec<usize> {
    let slots = 1_usize << (log_n - 1);
    let all = (0..log_n / 2).map(|half| slots >> (2 * half));
    all.filter(|batch| fixed.is_none_or(|wanted| wanted == *batch))
        .collect()
}

struct Search<'a> {
    card: &'a Card,
    request: &'a InferenceRequest,
    task: Task,
    model: &'a CostModel,
    best: Option<(f64, InferencePlan)>,
    /// The first plan that would have done with larger limits, or why there is none at all.
    missed: Option<ModelError>,
}

impl Search<'_> {
    /// Tries all sizes of a job: as many images as the places between pixels hold, or fewer, which needs less memory.
    fn try_batch(&mut self, (log_n, special, bootstraps): (u32, u32, bool), batch: usize) {
        let mut images = batch;
        loop {
            let jobs = self.request.images.div_ceil(images);
            let choice = Choice {
                log_n,
                special,
                batch,
                images: self.request.images.div_ceil(jobs),
                fold: false,
                bootstraps,
                working_bytes: WORKING[0],
            };
            if !self.try_working(choice) {
                return;
            }
            // Not every network can be evaluated on folded maps, and not every batch leaves places.
            self.try_working(Choice {
                fold: true,
                ..choice
            });
            if images >= self.request.images {
                return;
            }
            images = images.saturating_mul(4);
        }
    }

    /// Tries jobs whose features fill a ciphertext.
    fn try_features(&mut self, special: u32, batch: usize, gathering: &Gathering) {
        let jobs = gathering.jobs(self.request.images);
        self.try_working(Choice {
            log_n: gathering.log_n,
            special,
            batch,
            images: self.request.images.div_ceil(jobs),
            // Features are gathered from one channel in a ciphertext.
            fold: false,
            bootstraps: false,
            working_bytes: WORKING[0],
        });
    }

    /// Whether there is such a program at all.
    fn try_working(&mut self, choice: Choice) -> bool {
        for working_bytes in WORKING {
            let choice = Choice {
                working_bytes,
                ..choice
            };
            let threads = self.request.threads.clamp(1, 1 << 10);
            match InferencePlan::derive(self.card, &self.task, choice, threads, self.model) {
                Err(error) => {
                    self.missed.get_or_insert(error);
                    return false;
                }
                Ok(plan) => match self.request.limits(&plan) {
                    Ok(()) => {
                        let seconds = plan.costs.worker_seconds();
                        if self.best.as_ref().is_none_or(|(least, _)| seconds < *least) {
                            self.best = Some((seconds, plan));
                        }
                        return true;
                    }
                    Err(error) => {
                        if !matches!(self.missed, Some(ModelError::NoPlan { .. })) {
                            self.missed = Some(error);
                        }
                    }
                },
            }
        }
        true
    }
}
