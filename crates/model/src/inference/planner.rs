//! The search for a plan: the fastest one that fits the limits.

use std::ops::RangeInclusive;

use confide_tensor::CostModel;

use super::bounds::{MAX_IMAGES, MAX_SPARE, at_most, compare};
use super::{Choice, Gathering, InferencePlan, InferenceRequest, Task};
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
    compare("model", &card.id, &request.card)?;
    if request.images == 0 || request.images > MAX_IMAGES {
        let needed = format!("1 to {MAX_IMAGES}");
        return Err(layout("images", needed, request.images));
    }
    at_most("levels left", request.spare_levels, MAX_SPARE)?;
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
        short: None,
    };
    if let Some(gathering) = search.task.gathering {
        gathering.check()?;
        if gathering.bootstrapped {
            for (special, entry) in entries(gathering.log_n, request.entry)? {
                search.try_all_features(&gathering, special, Some(entry));
            }
        } else {
            let special = gathering.parameters(levels)?.literal().log_p.len() as u32;
            search.try_all_features(&gathering, special, None);
        }
        return search.found(|| layout("images in a ciphertext", "another number", 0));
    }
    for log_n in RINGS {
        // Shares and keys of a larger ring are larger: it is worth a look only where the smaller one has no room.
        let Ok(literal) = literal(log_n, levels, &CostModel::default()) else {
            continue;
        };
        search.try_batches((log_n, literal.log_p.len() as u32, None));
        if search.best.is_some() {
            break;
        }
    }
    // A smaller ring that holds all levels is always faster than bootstraps.
    let smaller = |(_, plan): &(f64, InferencePlan)| plan.choice.log_n < refresh::LOG_N;
    if !search.best.as_ref().is_some_and(smaller) {
        for (special, entry) in entries(refresh::LOG_N, request.entry)? {
            search.try_batches((refresh::LOG_N, special, Some(entry)));
        }
    }
    search.found(|| layout("levels", "a ring that holds them", levels))
}

/// Special primes of the set for bootstraps, and levels at which images may come in: a block more before the first bootstrap each time,
/// which makes fewer bootstraps and larger ciphertexts.
fn entries(
    log_n: u32,
    fixed: Option<usize>,
) -> Result<impl Iterator<Item = (u32, usize)>, ModelError> {
    let set = refresh::parameters(log_n)?;
    let special = set.literal().program.log_p.len() as u32;
    let levels = set.output_level()..=set.params().max_level();
    let wanted = levels.step_by(4);
    let wanted = wanted.filter(move |entry| fixed.is_none_or(|fixed| fixed == *entry));
    Ok(wanted.map(move |entry| (special, entry)))
}

/// Images in a ciphertext, fewest first: the slots over a power of four.
fn batches(log_n: u32, fixed: Option<usize>) -> Vec<usize> {
    let slots = 1_usize << (log_n - 1);
    let all = (0..log_n / 2).rev().map(|half| slots >> (2 * half));
    all.filter(|batch| fixed.is_none_or(|wanted| wanted == *batch))
        .collect()
}

struct Search<'a> {
    card: &'a Card,
    request: &'a InferenceRequest,
    task: Task,
    model: &'a CostModel,
    best: Option<(f64, InferencePlan)>,
    /// Why there is no plan at all.
    missed: Option<ModelError>,
    /// What is short for the plan of the least memory, with that memory.
    short: Option<(u64, ModelError)>,
}

impl Search<'_> {
    /// The fastest plan; else what the nearest miss lacks, or `none` if there was nothing to try.
    fn found(self, none: impl FnOnce() -> ModelError) -> Result<InferencePlan, ModelError> {
        let short = self.short.map(|(_, error)| error);
        let missed = short.or(self.missed);
        self.best
            .map(|(_, plan)| plan)
            .ok_or_else(|| missed.unwrap_or_else(none))
    }

    /// Tries all numbers of images in a ciphertext, up to the first that has room for all: more only leave slots empty.
    fn try_batches(&mut self, ring: (u32, u32, Option<usize>)) {
        for batch in batches(ring.0, self.request.batch) {
            if self.try_batch(ring, batch) && batch >= self.request.images {
                break;
            }
        }
    }

    /// Tries all sizes of a job: as many images as the places between pixels hold, or fewer, which needs less memory.
    /// Whether there is a program at all.
    fn try_batch(
        &mut self,
        (log_n, special, entry): (u32, u32, Option<usize>),
        batch: usize,
    ) -> bool {
        let mut images = batch;
        loop {
            let jobs = self.request.images.div_ceil(images);
            let choice = Choice {
                log_n,
                special,
                batch,
                images: self.request.images.div_ceil(jobs),
                fold: false,
                entry,
                working_bytes: WORKING[0],
            };
            if !self.try_working(choice) {
                return images > batch;
            }
            // Not every network can be evaluated on folded maps, and not every batch leaves places.
            self.try_working(Choice {
                fold: true,
                ..choice
            });
            if images >= self.request.images {
                return true;
            }
            images = images.saturating_mul(4);
        }
    }

    /// Tries all numbers of images in a ciphertext, for jobs whose features fill one.
    fn try_all_features(&mut self, gathering: &Gathering, special: u32, entry: Option<usize>) {
        for batch in batches(gathering.log_n, self.request.batch) {
            if self.try_features((special, entry), batch, gathering) && batch >= gathering.rows() {
                break;
            }
        }
    }

    /// Tries jobs whose features fill a ciphertext. Whether there is a program at all.
    fn try_features(
        &mut self,
        (special, entry): (u32, Option<usize>),
        batch: usize,
        gathering: &Gathering,
    ) -> bool {
        let jobs = gathering.jobs(self.request.images);
        self.try_working(Choice {
            log_n: gathering.log_n,
            special,
            batch,
            images: self.request.images.div_ceil(jobs),
            // Features are gathered from one channel in a ciphertext.
            fold: false,
            entry,
            working_bytes: WORKING[0],
        })
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
                        let memory = plan.costs.memory_bytes;
                        if self.short.as_ref().is_none_or(|(least, _)| memory < *least) {
                            self.short = Some((memory, error));
                        }
                    }
                },
            }
        }
        true
    }
}
