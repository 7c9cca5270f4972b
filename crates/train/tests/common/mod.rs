//! Synthetic whitened tables.
#![allow(dead_code)]

use confide_train::{Layout, Plan, Schedule, TrainError};

/// A small deterministic generator; tests need no quality.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def1)
    }

    pub fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// Rows of independent unit features and a bias column, with labels by the largest of noisy linear scores.
pub fn table([rows, features, classes]: [usize; 3], seed: u64) -> (Vec<Vec<f64>>, Vec<usize>) {
    let mut random = Random::new(seed);
    let heads: Vec<Vec<f64>> = (0..classes)
        .map(|_| (0..features).map(|_| random.normal()).collect())
        .collect();
    let strength = 2.0 / (features as f64).sqrt();
    let table: Vec<Vec<f64>> = (0..rows)
        .map(|_| {
            (0..features)
                .map(|j| {
                    if j + 1 == features {
                        1.0
                    } else {
                        0.85 * random.normal()
                    }
                })
                .collect()
        })
        .collect();
    let labels = table
        .iter()
        .map(|row| {
            let mut score = |head: &Vec<f64>| {
                strength * row.iter().zip(head).map(|(x, w)| x * w).sum::<f64>()
                    + 0.5 * random.normal()
            };
            let scores: Vec<f64> = heads.iter().map(&mut score).collect();
            (0..classes)
                .max_by(|&a, &b| scores[a].total_cmp(&scores[b]))
                .unwrap_or(0)
        })
        .collect();
    (table, labels)
}

/// Layout and schedule without a secure plan around them, for small rings.
pub fn small(
    log_n: u32,
    sizes: [usize; 3],
    (pack, stride): (u32, u32),
    (degree, iterations): (usize, usize),
) -> Result<(Layout, Schedule), TrainError> {
    let layout = Layout::new(log_n, sizes, pack, stride)?;
    let schedule = Schedule::new(
        &layout,
        degree,
        if degree == 3 { 8.0 } else { 12.0 },
        iterations,
    )?;
    Ok((layout, schedule))
}

/// Largest difference between two weight matrices.
pub fn distance(a: &[Vec<f64>], b: &[Vec<f64>]) -> f64 {
    assert_eq!(a.len(), b.len());
    let pairs = a.iter().zip(b).flat_map(|(a, b)| a.iter().zip(b));
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// Share of rows whose class is predicted right.
pub fn accuracy(weights: &[Vec<f64>], rows: &[Vec<f64>], labels: &[usize]) -> f64 {
    let class = |row: &Vec<f64>| {
        let logits: Vec<f64> = weights
            .iter()
            .map(|head| head.iter().zip(row).map(|(w, x)| w * x).sum::<f64>())
            .collect();
        if logits.len() == 1 {
            return usize::from(logits[0] > 0.0);
        }
        (0..logits.len())
            .max_by(|&a, &b| logits[a].total_cmp(&logits[b]))
            .unwrap_or(0)
    };
    let right = rows
        .iter()
        .zip(labels)
        .filter(|(row, label)| class(row) == **label)
        .count();
    right as f64 / rows.len() as f64
}

/// Upload of a plan in MB.
pub fn upload_mb(plan: &Plan) -> f64 {
    plan.upload.total() as f64 / 1e6
}

/// Levels of an iteration after the first: the depth of the logits, the sigmoid and the product with the features.
pub fn levels_per_iteration(degree: usize) -> usize {
    1 + (degree + 1).ilog2() as usize
}

/// Logits by direct formulas: linear units of the features, their squares less 1, linear outputs.
pub fn hidden_logits(weights: &[Vec<f64>], row: &[f64], hidden: usize) -> Vec<f64> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let units: Vec<f64> = weights[..hidden]
        .iter()
        .map(|unit| dot(unit, row).powi(2) - 1.0)
        .collect();
    weights[hidden..]
        .iter()
        .map(|output| dot(output, &units))
        .collect()
}
