//! Repeating an operation until its time is known.

use std::time::{Duration, Instant};

/// Median milliseconds of one run: after one run to warm up, at least `least` runs and as many as fit `budget`
/// (200 at most). The result of each run is dropped outside its time.
pub fn median_ms<T, E>(
    least: usize,
    budget: Duration,
    mut operation: impl FnMut() -> Result<T, E>,
) -> Result<f64, E> {
    operation()?;
    let begun = Instant::now();
    let mut times = Vec::new();
    while times.len() < least || (begun.elapsed() < budget && times.len() < 200) {
        let start = Instant::now();
        let result = operation()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        drop(result);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_that_of_the_runs() {
        let pauses = std::cell::Cell::new(0);
        let ms = median_ms::<_, ()>(3, Duration::ZERO, || {
            pauses.set(pauses.get() + 1);
            std::thread::sleep(Duration::from_millis(if pauses.get() == 2 {
                30
            } else {
                3
            }));
            Ok(())
        });
        assert_eq!(pauses.get(), 4);
        assert!((3.0..25.0).contains(&ms.unwrap()));
    }
}
