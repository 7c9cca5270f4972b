//! From the program's progress to the job's: news a few times a second, seconds by phase.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use confide_protocol::{WireError, code};
use confide_tensor::{Observer, TensorError};

use super::{Stopped, Watch};
use crate::fault;

/// Least time between two news.
const PACE: Duration = Duration::from_millis(50);

/// Watches a program for a job.
pub(super) struct Progress<'a> {
    watch: &'a dyn Watch,
    clock: Mutex<Clock>,
}

struct Clock {
    phase: String,
    since: Instant,
    told: Instant,
    seconds: Vec<(String, f64)>,
}

impl<'a> Progress<'a> {
    /// Starts with a phase of the job's own.
    pub(super) fn new(watch: &'a dyn Watch, phase: &str) -> Self {
        let now = Instant::now();
        watch.progress(phase, 0, 0);
        Self {
            watch,
            clock: Mutex::new(Clock {
                phase: phase.to_owned(),
                since: now,
                told: now,
                seconds: Vec::new(),
            }),
        }
    }

    /// Enters another phase of the job's own.
    pub(super) fn enter(&self, phase: &str) {
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        clock.enter(phase);
        drop(clock);
        self.watch.progress(phase, 0, 0);
    }

    /// Seconds by phase, the present one included.
    pub(super) fn seconds(self) -> Vec<(String, f64)> {
        let mut clock = self
            .clock
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        clock.enter("");
        clock.seconds
    }
}

impl Clock {
    fn enter(&mut self, phase: &str) {
        let now = Instant::now();
        let seconds = (now - self.since).as_secs_f64();
        let former = std::mem::replace(&mut self.phase, phase.to_owned());
        self.seconds.push((former, seconds));
        self.since = now;
    }
}

impl Observer for Progress<'_> {
    fn progress(&self, done: u64, total: u64, phase: &str) {
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        if clock.phase != phase {
            clock.enter(phase);
        } else if clock.told.elapsed() < PACE {
            return;
        }
        clock.told = Instant::now();
        self.watch.progress(phase, done, total);
    }

    fn cancelled(&self) -> bool {
        self.watch.stop_wanted()
    }
}

/// Why a program on checked inputs stopped.
pub(super) fn stopped(error: &TensorError) -> Stopped {
    if *error == TensorError::Cancelled {
        return Stopped::Asked;
    }
    let error: WireError = fault::worker(
        code::COMPUTE,
        format!("the computation failed: {error}"),
        "Report this with the plan.",
    );
    error.into()
}
