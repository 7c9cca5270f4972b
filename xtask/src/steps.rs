//! Named steps with their times, and a summary that is printed whatever happens.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// How a step ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
}

/// The steps so far.
#[derive(Default)]
pub struct Steps {
    done: Vec<(String, Outcome, Duration)>,
}

impl Steps {
    /// Runs one step under a heading.
    ///
    /// # Errors
    /// Those of the step, with its name.
    pub fn run<T>(&mut self, name: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        eprintln!("\n== {name}");
        let start = Instant::now();
        let result = step();
        let outcome = if result.is_ok() {
            Outcome::Passed
        } else {
            Outcome::Failed
        };
        self.done.push((name.to_owned(), outcome, start.elapsed()));
        result.with_context(|| format!("step `{name}`"))
    }

    /// Prints one line a step to standard output.
    pub fn print_summary(&self) {
        println!("\nSteps:");
        for (name, outcome, time) in &self.done {
            let word = match outcome {
                Outcome::Passed => "ok    ",
                Outcome::Failed => "FAILED",
            };
            println!("  {word} {:>7.1} s  {name}", time.as_secs_f64());
        }
        let total: Duration = self.done.iter().map(|(_, _, time)| *time).sum();
        println!("         {:>7.1} s  in all", total.as_secs_f64());
    }
}
