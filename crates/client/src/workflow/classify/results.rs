//! What decrypted scores say, once canaries and ranges are checked.

use super::canary::{Source, output_bound};
use super::run::{ClassifyRun, Seat};
use crate::ClientError;
use crate::intake::write_csv;
use serde::{Deserialize, Serialize};

/// Class of one image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Classification {
    /// The image's name.
    pub image: String,
    /// The class with the highest score; none if the scores left the range that the card promises.
    pub predicted: Option<usize>,
    /// One score a class.
    pub scores: Vec<f64>,
    /// The true class, where it is known.
    pub truth: Option<usize>,
}

/// What was checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    /// Canaries whose outputs were the known ones.
    pub canaries: usize,
    /// Their largest error, as a share of what is allowed.
    pub worst: f64,
    /// Images whose scores left the range that the card promises.
    pub out_of_range: usize,
}

impl ClassifyRun {
    /// Classes of all images from the decrypted slots `[job][class][slot]`.
    ///
    /// # Errors
    /// `CC-5020` for results of another number, `CC-5043` when a canary's outputs are not the known ones: then no score
    /// of the run can be trusted.
    pub fn results(
        &self,
        slots: &[Vec<Vec<f64>>],
    ) -> Result<(Vec<Classification>, Guard), ClientError> {
        let jobs = slots.iter().enumerate();
        let scores = jobs.map(|(job, slots)| self.scores(job, slots));
        self.judged(&scores.collect::<Result<Vec<_>, _>>()?)
    }

    /// Scores `[place][class]` of all that a job held, canaries among it, from its decrypted slots `[class][slot]`: what is to
    /// be kept of a job until all have ended.
    ///
    /// # Errors
    /// `CC-5020` for results of another number.
    pub fn scores(&self, job: usize, slots: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, ClientError> {
        let seats = self.seats.get(job).filter(|_| self.has_scores(slots.len()));
        let places = 0..seats.ok_or_else(wrong_number)?.len();
        let found = places.map(|place| {
            let slot = self.geometry.output_slot(place);
            let score = |output: &Vec<f64>| output.get(slot).copied().unwrap_or(f64::NAN);
            slots.iter().map(score).collect()
        });
        Ok(found.collect())
    }

    /// Classes of all images from the scores `[job][place][class]` that [`ClassifyRun::scores`] gave.
    ///
    /// # Errors
    /// Those of [`ClassifyRun::results`].
    pub fn judged(
        &self,
        jobs: &[Vec<Vec<f64>>],
    ) -> Result<(Vec<Classification>, Guard), ClientError> {
        let whole = |(seats, job): (&Vec<Seat>, &Vec<Vec<f64>>)| {
            seats.len() == job.len() && job.iter().all(|scores| self.has_scores(scores.len()))
        };
        if jobs.len() != self.seats.len() || !self.seats.iter().zip(jobs).all(whole) {
            return Err(wrong_number());
        }
        let mut scores = vec![Vec::new(); self.images.len()];
        let mut guard = Guard::default();
        for (seat, found) in self.seats.iter().flatten().zip(jobs.iter().flatten()) {
            match *seat {
                Seat::Image(image) => scores[image].clone_from(found),
                Seat::Canary(canary) => self.judge(canary, found, &mut guard)?,
            }
        }
        for (canary, known) in self.canaries.iter().enumerate() {
            if let Source::Own(image) = known.image {
                self.judge(canary, &scores[image], &mut guard)?;
            }
        }
        let bound = output_bound(&self.card) * (1.0 + 1.0 / 64.0);
        let classify = |(image, scores): (_, Vec<f64>)| {
            let &super::NamedImage {
                ref name, class, ..
            } = image;
            let within = scores.iter().all(|score| score.abs() <= bound);
            let best = (0..scores.len()).max_by(|&i, &j| scores[i].total_cmp(&scores[j]));
            Classification {
                image: name.clone(),
                predicted: best.filter(|_| within),
                scores,
                truth: class,
            }
        };
        let found: Vec<Classification> = self.images.iter().zip(scores).map(classify).collect();
        let lost = found.iter().filter(|one| one.predicted.is_none());
        guard.out_of_range = lost.count();
        Ok((found, guard))
    }

    /// Whether there are as many scores as classes.
    fn has_scores(&self, count: usize) -> bool {
        count == self.card.classes.len()
    }

    fn judge(&self, canary: usize, found: &[f64], guard: &mut Guard) -> Result<(), ClientError> {
        let error = self.canaries[canary].error(&self.card, found);
        if error > 1.0 {
            return Err(ClientError::new(
                "CC-5043",
                "A canary's scores are not those of the model: the worker ran another one, or values left their ranges.",
                "Do not use these results. Leave out unusual images, or use another worker.",
            ));
        }
        guard.canaries += 1;
        guard.worst = guard.worst.max(error);
        Ok(())
    }
}

fn wrong_number() -> ClientError {
    ClientError::new(
        "CC-5020",
        "The worker's results cannot be used: their number is wrong.",
        "Start again, and report this if it goes on.",
    )
}

/// Results as a CSV file: image, class, scores, and the true class where it is known.
///
/// # Errors
/// Those of [`write_csv`], which do not happen.
pub fn classification_csv(
    found: &[Classification],
    classes: &[String],
) -> Result<String, ClientError> {
    let name = |class: Option<usize>, none: &str| {
        class
            .and_then(|class| classes.get(class))
            .map_or_else(|| none.to_owned(), String::clone)
    };
    let with_truth = found.iter().any(|one| one.truth.is_some());
    let mut header = vec!["image".to_owned(), "predicted".to_owned()];
    header.extend(classes.iter().map(|class| format!("score {class}")));
    header.extend(with_truth.then(|| "actual".to_owned()));
    let rows = found.iter().map(|one| {
        let mut row = vec![one.image.clone(), name(one.predicted, "out of range")];
        row.extend(one.scores.iter().map(|score| format!("{score:.6}")));
        row.extend(with_truth.then(|| name(one.truth, "")));
        row
    });
    write_csv(std::iter::once(header).chain(rows))
}
