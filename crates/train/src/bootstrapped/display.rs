//! The plan as text for the people who decide on it.

use std::fmt;

use confide_ckks::security;

use super::BootstrappedPlan;
use crate::minibatch::Loss;
use crate::plan::megabytes;

impl fmt::Display for BootstrappedPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (layout, recipe) = (&self.layout, &self.choice.recipe);
        writeln!(
            f,
            "Training plan with bootstrapping, version {}",
            self.version
        )?;
        writeln!(
            f,
            "  records     {} x {} features (bias included), {} classes in {} output{}",
            layout.rows,
            layout.features,
            layout.classes,
            layout.outputs(),
            if layout.outputs() == 1 { "" } else { "s" }
        )?;
        if let Some(network) = self.choice.network {
            writeln!(
                f,
                "  features    of a network {} levels deep{}, kept by the worker, refreshed once in {} ciphertext{}",
                network.levels,
                if network.bootstrapped {
                    " with bootstraps on the way"
                } else {
                    ""
                },
                layout.blocks(),
                if layout.blocks() == 1 { "" } else { "s" }
            )?;
        }
        if layout.hidden > 0 {
            writeln!(
                f,
                "  head        {} hidden units, squared, drawn from seed {} before the first step",
                layout.hidden, self.schedule.seed
            )?;
        }
        if let Ok(set) = self.bootstrapping() {
            write!(
                f,
                "  ring        N = 2^{}, log2(QP) = {:.0}",
                layout.log_n,
                set.params().log_qp()
            )?;
            if let Some(cap) = security::hard_cap(layout.log_n) {
                write!(f, ", at most {cap} is 128-bit secure")?;
            }
            writeln!(f)?;
            writeln!(
                f,
                "  levels      {} between bootstraps, which fail with a probability of 2^{:.0}",
                self.data_level,
                set.log2_failure()
            )?;
        }
        writeln!(
            f,
            "  schedule    {} epochs of {} minibatches of up to {} records: {} steps, {} bootstraps",
            recipe.epochs,
            layout.batches(),
            layout.batch,
            self.schedule.steps.len(),
            self.bootstraps
        )?;
        writeln!(
            f,
            "  optimiser   Nesterov, learning rate {} falling to {:.2}, momentum up to {}, L2 {}",
            recipe.rate,
            recipe.rate * recipe.final_rate,
            recipe.momentum,
            recipe.l2,
        )?;
        let range = self.schedule.loss.range();
        match &self.schedule.loss {
            Loss::OneVsRest(sigmoid) => writeln!(
                f,
                "  loss        one-vs-rest, sigmoid of degree {} on [-{range}, {range}] within {:.3}",
                sigmoid.degree(),
                sigmoid.max_error
            )?,
            Loss::Softmax(softmax) => writeln!(
                f,
                "  loss        softmax on [-{range}, {range}], {} squarings, refreshed within each step",
                softmax.doublings
            )?,
        }
        writeln!(
            f,
            "  layout      tiles of {} rows x {} columns, {} a block of rows, {} of weights",
            layout.block_rows(),
            layout.columns,
            layout.tiles(),
            layout.leaves()
        )?;
        writeln!(f, "  keys        {}", self.keys.len())?;
        self.upload.write_line(self.shape.predict_rows, f)?;
        self.write_validation(f)?;
        writeln!(
            f,
            "  download    {:.2} MB a block of {} predictions",
            megabytes(self.download),
            layout.block_rows()
        )?;
        self.costs.write_lines(0, f)?;
        for other in &self.tradeoffs {
            write!(
                f,
                "\n  keys of     {:.0} MB: worker about {:.0} s{}",
                megabytes(other.key_bytes),
                other.worker_seconds,
                match (other.baby == self.choice.baby, other.allowed) {
                    (true, _) => ", chosen",
                    (false, true) => "",
                    (false, false) => ", beyond the limits",
                }
            )?;
        }
        Ok(())
    }
}

impl BootstrappedPlan {
    /// What validation adds, and what the worker sees of it.
    fn write_validation(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let validation = &self.validation;
        if validation.rows == 0 {
            return Ok(());
        }
        let points = validation.points.len();
        let scores = validation.outputs(&self.layout) as u64 * self.download;
        writeln!(
            f,
            "  validation  {} records set aside, {:.1} MB of the upload; their scores after {points} of the steps, {:.1} MB of download",
            validation.rows,
            megabytes(self.upload.validation),
            megabytes(scores),
        )?;
        writeln!(
            f,
            "              the worker sees how many records and after which steps, no class and no score; nothing goes back to it"
        )
    }
}
