//! The plan as text for the people who decide on it.

use std::fmt;

use confide_ckks::security;

use super::{InferencePlan, costs::gigabytes};
use crate::plan::chain;

impl fmt::Display for InferencePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (choice, task, costs) = (&self.choice, &self.task, &self.costs);
        writeln!(f, "Inference plan, version {}", self.version)?;
        let (jobs, runs) = (self.jobs(), choice.images.div_ceil(choice.batch));
        writeln!(
            f,
            "  images      {} in {jobs} job{} of at most {}",
            task.images,
            plural(jobs),
            choice.images
        )?;
        match (&task.until, &task.gathering) {
            (None, _) => {}
            (Some(layer), None) => {
                writeln!(f, "  result      the output of {layer}, kept encrypted")?;
            }
            (Some(layer), Some(gathering)) => writeln!(
                f,
                "  result      features of {layer} in rows of {} slots, kept encrypted at the worker",
                gathering.columns
            )?,
        }
        let log_p: u32 = self.params.log_p.iter().sum();
        let mut log_q: u32 = self.params.log_q.iter().sum();
        if let Ok(Some(set)) = self.bootstraps() {
            // Those above the images' too.
            let all = chain(set.params(), set.params().max_level()).log_q;
            log_q = all.iter().sum();
        }
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
            "  levels      {}, {}; results at level {}",
            self.params.log_q.len() - 1,
            match choice.entry {
                None => "no bootstrap",
                Some(_) => "then bootstraps where blocks of the network end",
            },
            self.output_level
        )?;
        writeln!(
            f,
            "  layout      {} images in a ciphertext, {}",
            choice.batch,
            match runs {
                1 => "one run".to_owned(),
                _ => format!("{runs} runs one after another, merged four to one where maps shrink"),
            }
        )?;
        if choice.fold {
            writeln!(
                f,
                "              channels take the places that shrinking maps leave"
            )?;
        }
        let levels = self.keys.iter().map(|key| key.level);
        writeln!(
            f,
            "  keys        {}, each up to the level at which it is used: {} to {}, {}",
            self.keys.len(),
            levels.clone().min().unwrap_or(0),
            levels.max().unwrap_or(0),
            gigabytes(self.bytes.keys)
        )?;
        writeln!(
            f,
            "  a job       {} ciphertexts of images, {}; {} of results, {}",
            self.inputs,
            gigabytes(self.bytes.images),
            self.outputs,
            gigabytes(self.bytes.results)
        )?;
        let (seconds, [keys, vectors]) = (costs.worker_seconds(), costs.memory_parts);
        writeln!(
            f,
            "  worker      about {seconds:.0} s on {} thread{}, {:.2} s an image; {} of memory (keys {}, ciphertexts {})",
            costs.threads,
            plural(costs.threads),
            seconds / task.images as f64,
            gigabytes(costs.memory_bytes),
            gigabytes(keys),
            gigabytes(vectors)
        )?;
        let phases = costs.phases.iter();
        let phases: Vec<String> = phases
            .map(|phase| format!("{} {:.1}", phase.name, phase.seconds))
            .collect();
        writeln!(f, "  seconds     {}", phases.join(", "))?;
        let operations = costs.operations.iter().filter(|(_, count)| *count > 0);
        let operations: Vec<String> = operations
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        writeln!(f, "  operations  {}", operations.join(", "))?;
        write!(
            f,
            "  data party  about {:.0} s for keys and encryption on one thread",
            costs.client_seconds
        )
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
