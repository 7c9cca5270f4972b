//! Finds the best plan within the limits of a request.

use confide_ckks::security;
use confide_tensor::{CostModel, PlanReport};
use serde::{Deserialize, Serialize};

use crate::bootstrapped::BootstrapWish;
use crate::error::TrainError;
use crate::plan::{
    Choice, Costs, Plan, TableShape, UploadBytes, depth, key_levels, key_limbs,
    layout_and_schedule, measure,
};
use crate::sigmoid::DEGREES;

/// Seconds that nobody minds: below them, accuracy counts more than time.
const PATIENCE: f64 = 15.0;
/// Smallest and largest scale that the planner considers.
const SCALE_BITS: std::ops::RangeInclusive<u32> = 34..=40;
/// Headroom of the first prime over the scale: predicted logits stay below half of it.
const BASE_HEADROOM: u32 = 11;
/// Largest prime.
const MAX_PRIME_BITS: u32 = 50;
/// Best candidates whose exact sizes are looked at before giving up.
const FINALISTS: usize = 8;
/// Most iterations that are looked at.
const MAX_ITERATIONS: usize = 8;

/// What the data party has and what it allows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanRequest {
    /// Training records.
    pub rows: usize,
    /// Features, the constant 1 of the bias included.
    pub features: usize,
    /// Classes.
    pub classes: usize,
    /// Records that will probably be predicted; at least 1.
    pub predict_rows_hint: usize,
    /// Largest upload in bytes, keys and predictions included.
    pub max_upload_bytes: u64,
    /// Largest memory of the worker in bytes.
    pub max_memory_bytes: u64,
    /// Most iterations.
    pub max_iterations: usize,
    /// Threads of the worker.
    pub threads: usize,
    /// log2 of the ring degree, if it is to be fixed.
    pub log_n: Option<u32>,
    /// Key stride, if it is to be fixed.
    pub key_stride: Option<u32>,
    /// Bytes per second of the data party's line, at which an upload is weighed against computing.
    pub upload_rate: u64,
    /// Training by minibatches with bootstraps instead of few steps within the levels.
    pub bootstrapping: Option<BootstrapWish>,
}

impl PlanRequest {
    /// Bytes per second of a line of which nothing is said: 100 Mbit/s.
    pub const UPLOAD_RATE: u64 = 12_500_000;

    /// A request with the default limits: 140 MB, 4 GiB, 6 iterations, 2 threads, [`PlanRequest::UPLOAD_RATE`].
    pub fn new(rows: usize, features: usize, classes: usize) -> Self {
        Self {
            rows,
            features,
            classes,
            predict_rows_hint: rows.div_ceil(4),
            max_upload_bytes: 140_000_000,
            max_memory_bytes: 4 << 30,
            max_iterations: 6,
            threads: 2,
            log_n: None,
            key_stride: None,
            upload_rate: Self::UPLOAD_RATE,
            bootstrapping: None,
        }
    }

    /// The sizes that the plan depends on.
    pub fn shape(&self) -> TableShape {
        let predict_rows = self.predict_rows_hint.max(1);
        TableShape {
            rows: self.rows,
            features: self.features,
            classes: self.classes,
            predict_rows,
        }
    }

    /// Refuses a plan that exceeds the limits.
    pub(crate) fn limits(&self, plan: &Plan) -> Result<(), TrainError> {
        self.limits_of(&plan.upload, &plan.costs)
    }

    /// Refuses an upload and costs that exceed the limits.
    pub(crate) fn limits_of(&self, upload: &UploadBytes, costs: &Costs) -> Result<(), TrainError> {
        self.check("upload", upload.total(), self.max_upload_bytes)?;
        self.check("worker memory", costs.memory_bytes, self.max_memory_bytes)
    }

    fn check(&self, what: &'static str, needed: u64, available: u64) -> Result<(), TrainError> {
        if needed <= available {
            return Ok(());
        }
        let remedy = "allow more, or train on fewer principal components or fewer records";
        Err(TrainError::NoPlan {
            what,
            needed: format!("{:.1} MB", needed as f64 / 1e6),
            available: format!("{:.1} MB", available as f64 / 1e6),
            remedy: remedy.into(),
        })
    }
}

/// How much a schedule's missing accuracy weighs: time is multiplied by this. Measured on three data sets (see
/// `docs/maths/training.md`): the error of the sigmoid's fit counts for more than the number of iterations.
fn penalty(degree: usize, iterations: usize) -> f64 {
    match (degree, iterations) {
        (15, 5..) => 0.95,
        (15, 4) => 1.0,
        (15, 3) => 2.5,
        (15, _) => 18.0,
        (7, 6..) => 2.0,
        (7, 5) => 2.1,
        (7, 4) => 2.8,
        (7, 3) => 6.0,
        (7, _) => 20.0,
        (_, 7..) => 3.5,
        (_, 6) => 3.8,
        (_, 5) => 4.5,
        (_, 4) => 8.0,
        (_, 3) => 13.0,
        _ => 25.0,
    }
}

/// Range of the polynomial of a degree. Softly whitened, straightened features keep the logits of the schedule below
/// 9; a coarser fit overshoots its own range unless that is wider.
fn range(degree: usize) -> f64 {
    match degree {
        15 => 9.0,
        7 => 10.0,
        _ => 8.0,
    }
}

struct Candidate {
    choice: Choice,
    score: f64,
}

/// The smallest excess seen, for the error message.
#[derive(Default)]
struct Nearest(Option<(f64, TrainError)>);

impl Nearest {
    fn note(&mut self, excess: f64, error: TrainError) {
        if self.0.as_ref().is_none_or(|(best, _)| excess < *best) {
            self.0 = Some((excess, error));
        }
    }
}

/// The best plan for a request.
///
/// # Errors
/// [`TrainError::NoPlan`] with the limit that the nearest candidate breaks and what would help, or
/// [`TrainError::Shape`] for a table that no ring holds.
pub fn plan(request: &PlanRequest) -> Result<Plan, TrainError> {
    plan_on(request, &CostModel::default())
}

/// As [`plan`], for another machine than the measured one.
///
/// # Errors
/// As [`plan`].
pub fn plan_on(request: &PlanRequest, model: &CostModel) -> Result<Plan, TrainError> {
    let mut nearest = Nearest::default();
    let mut candidates = Vec::new();
    let mut programs: Vec<_> = DEGREES
        .into_iter()
        .flat_map(|degree| {
            (2..=request.max_iterations.min(MAX_ITERATIONS)).map(move |t| (degree, t))
        })
        .collect();
    programs.sort_by(|a, b| penalty(a.0, a.1).total_cmp(&penalty(b.0, b.1)));
    let mut tried = 0;
    for (degree, iterations) in programs {
        // No candidate of this program or a later one can beat the best; only its exact sizes may still rule it out.
        let floor = PATIENCE * penalty(degree, iterations);
        if candidates.iter().any(|c: &Candidate| c.score <= floor)
            && let Some(plan) =
                first_within(request, model, &mut candidates, &mut tried, &mut nearest)
        {
            return Ok(plan);
        }
        let levels = depth(degree, iterations)?;
        for log_n in 13..=16 {
            if request.log_n.is_none_or(|fixed| fixed == log_n) {
                let program = Program {
                    degree,
                    iterations,
                    levels,
                    log_n,
                };
                program.candidates(request, model, &mut candidates, &mut nearest);
            }
        }
    }
    if let Some(plan) = first_within(request, model, &mut candidates, &mut tried, &mut nearest) {
        return Ok(plan);
    }
    Err(nearest.0.map_or_else(
        || TrainError::NoPlan {
            what: "modulus",
            needed: "a secure ring of degree 2^13 to 2^16 and at least 2 iterations".into(),
            available: format!(
                "log2 N {:?}, {} iterations",
                request.log_n, request.max_iterations
            ),
            remedy: "leave the ring degree open and allow more iterations".into(),
        },
        |(_, error)| error,
    ))
}

/// The best candidate whose exact sizes keep the limits, among the first few.
fn first_within(
    request: &PlanRequest,
    model: &CostModel,
    candidates: &mut Vec<Candidate>,
    tried: &mut usize,
    nearest: &mut Nearest,
) -> Option<Plan> {
    candidates.sort_by(|a, b| a.score.total_cmp(&b.score));
    let room = FINALISTS.saturating_sub(*tried).min(candidates.len());
    for candidate in candidates.drain(..room) {
        *tried += 1;
        let shape = request.shape();
        let exact = Plan::derive_on(&shape, &candidate.choice, request.threads, model)
            .and_then(|plan| request.limits(&plan).map(|()| plan));
        match exact {
            Ok(plan) => return Some(plan),
            Err(error) => nearest.note(1.0, error),
        }
    }
    None
}

/// One program at one ring degree.
struct Program {
    degree: usize,
    iterations: usize,
    levels: usize,
    log_n: u32,
}

impl Program {
    /// All its candidates that keep the limits by estimated sizes.
    fn candidates(
        &self,
        request: &PlanRequest,
        model: &CostModel,
        candidates: &mut Vec<Candidate>,
        nearest: &mut Nearest,
    ) {
        let &Self {
            degree,
            iterations,
            levels,
            log_n,
        } = self;
        let moduli = moduli(log_n, levels);
        if moduli.is_empty() {
            return;
        }
        let shape = request.shape();
        let strides = request.key_stride.map_or(1..=4, |fixed| fixed..=fixed);
        for key_stride in strides {
            for pack_steps in 0..log_n {
                let range = range(degree);
                let (first_scale, _, _) = moduli[0];
                let mut choice = Choice {
                    log_n,
                    scale_bits: first_scale,
                    base_bits: first_scale + BASE_HEADROOM,
                    special_bits: Vec::new(),
                    alpha: 1,
                    degree,
                    range,
                    iterations,
                    key_stride,
                    pack_steps,
                };
                let (layout, schedule) = match layout_and_schedule(&shape, &choice) {
                    Ok(both) => both,
                    Err(error) => {
                        if pack_steps == 0 {
                            nearest.note(1e9, error);
                        }
                        break;
                    }
                };
                // Data alone may exceed the upload; then the program need not be run.
                let data = (layout.blocks * (layout.packs() + 1)) as u64
                    * ciphertext_bytes(&choice, levels);
                if data > request.max_upload_bytes {
                    let error = request
                        .check("upload", data, request.max_upload_bytes)
                        .err();
                    if let Some(error) = error {
                        nearest.note(data as f64 / request.max_upload_bytes as f64, error);
                    }
                    continue;
                }
                let Ok(report) = measure(&layout, &schedule, shape.predict_rows, levels) else {
                    continue;
                };
                for (scale_bits, special_bits, alpha) in &moduli {
                    choice.scale_bits = *scale_bits;
                    choice.base_bits = (scale_bits + BASE_HEADROOM).min(MAX_PRIME_BITS);
                    choice.special_bits.clone_from(special_bits);
                    choice.alpha = *alpha;
                    let costs =
                        Costs::new(&choice, &layout, levels, &report, request.threads, model);
                    let upload = upload_bytes(&choice, levels, &report)
                        + (layout.blocks * (layout.packs() + 1)) as u64
                            * ciphertext_bytes(&choice, levels);
                    let limits = [
                        ("upload", upload, request.max_upload_bytes),
                        (
                            "worker memory",
                            costs.memory_bytes,
                            request.max_memory_bytes,
                        ),
                    ];
                    let excess = |(_, needed, available): &(_, u64, u64)| {
                        *needed as f64 / (*available).max(1) as f64
                    };
                    let worst = limits.iter().max_by(|a, b| excess(a).total_cmp(&excess(b)));
                    let broken = worst.and_then(|&(what, needed, available)| {
                        request
                            .check(what, needed, available)
                            .err()
                            .map(|error| (needed, available, error))
                    });
                    if let Some((needed, available, error)) = broken {
                        nearest.note(needed as f64 / available.max(1) as f64, error);
                    } else {
                        let seconds = PATIENCE
                            + costs.worker_seconds()
                            + costs.client_seconds
                            + upload as f64 / request.upload_rate.max(1) as f64;
                        // Two bits of precision are worth a twentieth of the time at the lower end.
                        let precision = 1.0 + 0.05 * f64::from(36 - *scale_bits as i32).exp2();
                        let score = seconds * penalty(degree, iterations) * precision;
                        candidates.push(Candidate {
                            choice: choice.clone(),
                            score,
                        });
                    }
                }
            }
        }
    }
}

/// Secure moduli for a depth: scale bits, special primes and digit size, one a number of digits.
fn moduli(log_n: u32, levels: usize) -> Vec<(u32, Vec<u32>, usize)> {
    let Some(cap) = security::preset_cap(log_n) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for scale in SCALE_BITS {
        let base = (scale + BASE_HEADROOM).min(MAX_PRIME_BITS);
        let log_q = base + scale * levels as u32;
        let mut last_digits = 0;
        for alpha in 1..=levels + 1 {
            let digits = (levels + 1).div_ceil(alpha);
            if digits == last_digits {
                continue;
            }
            last_digits = digits;
            // P covers the largest digit, the first, with a bit to spare for each of its primes' rounding.
            let digit = base + scale * (alpha as u32 - 1) + 1;
            let count = digit.div_ceil(MAX_PRIME_BITS);
            let bits = digit.div_ceil(count).max(scale);
            if f64::from(log_q + bits * count) <= cap {
                found.push((scale, vec![bits; count as usize], alpha));
            }
        }
    }
    found
}

/// Bytes of a seeded ciphertext, a little above the exact size: half of the rescaling primes exceed their power of two.
fn ciphertext_bytes(choice: &Choice, level: usize) -> u64 {
    let bits =
        u64::from(choice.base_bits) + (u64::from(choice.scale_bits) * 2 + 1) * level as u64 / 2;
    bits * (1 << choice.log_n) / 8
}

/// Bytes of all keys and of a ciphertext to predict, estimated likewise.
fn upload_bytes(choice: &Choice, levels: usize, report: &PlanReport) -> u64 {
    let special: u64 = choice
        .special_bits
        .iter()
        .map(|&bits| u64::from(bits))
        .sum::<u64>()
        * (1 << choice.log_n)
        / 8;
    let keys = key_levels(report).map(|level| {
        let digits = (level + 1).div_ceil(choice.alpha) as u64;
        debug_assert!(key_limbs(choice, level) >= digits);
        digits * (ciphertext_bytes(choice, level) + special)
    });
    keys.sum::<u64>() + ciphertext_bytes(choice, 1.min(levels))
}
