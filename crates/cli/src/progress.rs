//! Progress on standard error. A terminal gets bars; anything else gets a line at each phase.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Shows one phase after the other and keeps their times.
pub struct Progress {
    bar: ProgressBar,
    terminal: bool,
    phase: Option<(String, Instant)>,
    seconds: Vec<(String, f64)>,
}

impl Progress {
    /// Draws on standard error.
    pub fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if terminal {
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(8));
        }
        Self {
            bar,
            terminal,
            phase: None,
            seconds: Vec::new(),
        }
    }

    /// Begins a phase: `key` names its time in reports, `text` is for people. `total` is zero where unknown.
    pub fn phase(&mut self, key: &str, text: &str, total: u64, bytes: bool) {
        self.end_phase();
        self.phase = Some((key.to_owned(), Instant::now()));
        let template = match (total, bytes) {
            (0, _) => "{spinner} {msg}",
            (_, true) => "{msg:<34} [{bar:30}] {bytes}/{total_bytes}, {eta} left",
            (_, false) => "{msg:<34} [{bar:30}] {percent:>3} %{prefix}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style.progress_chars("=> "));
        }
        self.bar.reset();
        self.bar.set_prefix("");
        self.bar.set_length(total);
        self.bar.set_message(text.to_owned());
        self.bar.enable_steady_tick(Duration::from_millis(200));
        if !self.terminal {
            eprintln!("{text}");
        }
    }

    /// Where the phase stands; `remaining` in milliseconds where somebody knows it better than the bar.
    pub fn set(&self, done: u64, total: u64, remaining_ms: Option<u64>) {
        self.bar.set_length(total);
        self.bar.set_position(done);
        if let Some(ms) = remaining_ms {
            self.bar
                .set_prefix(format!(", {} left", human_seconds(ms as f64 / 1e3)));
        }
    }

    /// Changes the text of the phase.
    pub fn say(&self, text: &str) {
        self.bar.set_message(text.to_owned());
    }

    /// A line that stays.
    pub fn note(&self, text: &str) {
        if self.terminal {
            self.bar.suspend(|| eprintln!("{text}"));
        } else {
            eprintln!("{text}");
        }
    }

    /// Ends the last phase and gives the seconds of all, those of one key added up.
    pub fn finish(&mut self) -> Vec<(String, f64)> {
        self.end_phase();
        self.bar.finish_and_clear();
        std::mem::take(&mut self.seconds)
    }

    fn end_phase(&mut self) {
        if let Some((key, since)) = self.phase.take() {
            let seconds = since.elapsed().as_secs_f64();
            match self.seconds.iter_mut().find(|(other, _)| *other == key) {
                Some((_, sum)) => *sum += seconds,
                None => self.seconds.push((key, seconds)),
            }
        }
    }
}

/// `4 s`, `3 min 20 s`.
pub fn human_seconds(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    if seconds < 90.0 {
        format!("{seconds:.0} s")
    } else {
        format!(
            "{:.0} min {:.0} s",
            (seconds / 60.0).floor(),
            seconds % 60.0
        )
    }
}

/// `12.3 MB`.
pub fn human_bytes(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        b if b < 1e3 => format!("{b:.0} B"),
        b if b < 1e6 => format!("{:.1} kB", b / 1e3),
        b if b < 1e9 => format!("{:.1} MB", b / 1e6),
        b => format!("{:.2} GB", b / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_of_one_key_add_up() {
        let mut progress = Progress::new();
        for key in ["upload", "train", "upload"] {
            progress.phase(key, key, 0, false);
            std::thread::sleep(Duration::from_millis(5));
        }
        let seconds = progress.finish();
        assert_eq!(
            seconds
                .iter()
                .map(|(key, _)| key.as_str())
                .collect::<Vec<_>>(),
            ["upload", "train"]
        );
        assert!(seconds[0].1 > seconds[1].1 && seconds[1].1 >= 0.005);
    }

    #[test]
    fn amounts_are_readable() {
        assert_eq!(human_bytes(999), "999 B");
        assert_eq!(human_bytes(108_000_000), "108.0 MB");
        assert_eq!(human_seconds(4.4), "4 s");
        assert_eq!(human_seconds(200.0), "3 min 20 s");
    }
}
