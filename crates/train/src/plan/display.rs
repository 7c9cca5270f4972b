//! The plan as text for the people who decide on it.

use std::fmt;

use confide_ckks::security;
use confide_tensor::Op;

use super::{Costs, Plan, UploadBytes};

pub(crate) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (layout, schedule, choice) = (&self.layout, &self.schedule, &self.choice);
        writeln!(f, "Training plan, version {}", self.version)?;
        writeln!(
            f,
            "  records     {} x {} features (bias included), {} classes in {} output{}",
            layout.rows,
            layout.features,
            layout.classes,
            layout.outputs(),
            if layout.outputs() == 1 { "" } else { "s" }
        )?;
        let log_q: u32 = self.params.log_q.iter().sum();
        let log_p: u32 = self.params.log_p.iter().sum();
        write!(
            f,
            "  ring        N = 2^{}, log2(QP) = {log_q} + {log_p}",
            choice.log_n
        )?;
        if let Some(cap) = security::hard_cap(choice.log_n) {
            write!(f, ", at most {cap} is 128-bit secure")?;
        }
        writeln!(f)?;
        writeln!(
            f,
            "  levels      {} of {} bits above a base of {}: 1 for the first iteration, {} for each other, 1 to predict",
            self.data_level,
            choice.scale_bits,
            choice.base_bits,
            1 + (choice.degree + 1).ilog2()
        )?;
        writeln!(
            f,
            "  schedule    {} Nesterov iterations, sigmoid of degree {} on [-{r}, {r}] within {:.3}, L2 {}",
            schedule.iterations,
            choice.degree,
            schedule.sigmoid.max_error,
            schedule.l2,
            r = schedule.sigmoid.range
        )?;
        writeln!(
            f,
            "  layout      {} block{} of {} rows x {} columns, {} pairs of features, {} in a ciphertext",
            layout.blocks,
            if layout.blocks == 1 { "" } else { "s" },
            layout.block_rows,
            layout.columns,
            layout.pairs,
            1u32 << layout.pack_steps
        )?;
        writeln!(
            f,
            "  keys        {} in {} digits: relinearisation and {} Galois, one for every {} rotation step{}",
            self.keys.len() + 1,
            (self.data_level + 1).div_ceil(choice.alpha),
            self.keys.len(),
            layout.key_stride,
            if layout.key_stride == 1 { "" } else { "s" }
        )?;
        self.upload.write_line(self.shape.predict_rows, f)?;
        writeln!(
            f,
            "  download    {:.2} MB a batch of predictions",
            megabytes(self.download)
        )?;
        self.costs.write_lines(1, f)
    }
}

impl UploadBytes {
    /// The line of a plan's text.
    pub(crate) fn write_line(
        &self,
        predict_rows: usize,
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        writeln!(
            f,
            "  upload      {:.1} MB: keys {:.1}, features {:.1}, labels {:.1}, {} records to predict {:.1}{}",
            megabytes(self.total()),
            megabytes(self.keys),
            megabytes(self.features),
            megabytes(self.labels),
            predict_rows,
            megabytes(self.prediction),
            match self.validation {
                0 => String::new(),
                bytes => format!(", validation {:.1}", megabytes(bytes)),
            }
        )
    }
}

impl Costs {
    /// The last lines of a plan's text, the worker's seconds with so many decimals.
    pub(crate) fn write_lines(&self, decimals: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  worker      about {:.decimals$} s on {} thread{}, {} key switches, {:.2} GB of memory",
            self.worker_seconds(),
            self.threads,
            if self.threads == 1 { "" } else { "s" },
            self.count(Op::KeySwitch) + self.count(Op::Relinearise),
            self.memory_bytes as f64 / 1e9
        )?;
        write!(
            f,
            "  data party  about {:.1} s for keys and encryption on one thread",
            self.client_seconds
        )
    }
}
