//! Loss and accuracy in the terminal while the worker trains.

use crate::failure::Failure;
use crate::jobs::Spectator;
use crate::link::Link;
use crate::progress::Progress;
use confide_client::workflow::{CurvePoint, ResultOpener, Validation};
use confide_protocol::{Digest, Output};

/// Fetches scores as the worker tells of them, and prints a line for each point.
pub struct Curve<'a> {
    validation: Validation,
    opener: &'a ResultOpener,
}

impl<'a> Curve<'a> {
    /// For the scores of a run.
    pub fn new(validation: Validation, opener: &'a ResultOpener) -> Self {
        Self { validation, opener }
    }

    /// All points in the order of steps.
    pub fn points(&self) -> Vec<CurvePoint> {
        self.validation.points()
    }
}

impl Spectator for Curve<'_> {
    fn made(&mut self, link: &Link, outputs: &[Output]) -> Result<(), Failure> {
        let limit = self.validation.max_bytes();
        for digest in self.validation.told(outputs)? {
            link.tell(move |session| session.download(digest, limit));
        }
        Ok(())
    }

    fn arrived(
        &mut self,
        progress: &Progress,
        digest: &Digest,
        bytes: &[u8],
    ) -> Result<(), Failure> {
        for point in self.validation.arrived(self.opener, digest, bytes)? {
            progress.note(&format!(
                "Epoch {:>4}: loss {:.4}, accuracy {:.2} % of {} records set aside",
                point.epoch,
                point.loss,
                100.0 * point.accuracy,
                point.records
            ));
        }
        Ok(())
    }

    fn ended(&self) -> Result<bool, Failure> {
        self.validation.ended()?;
        Ok(self.validation.waiting() == 0)
    }
}
