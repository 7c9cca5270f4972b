//! The memory that the worker holds, as the kernel counts it.

use std::fs;

/// Makes the peak count from now on, where the kernel permits it.
pub fn reset_peak() {
    // 5 resets VmHWM, see proc_pid_clear_refs(5). Without the right to, the peak is the process's.
    if let Err(error) = fs::write("/proc/self/clear_refs", "5") {
        tracing::debug!(%error, "the peak of memory counts from the worker's start");
    }
}

/// Most memory held since [`reset_peak`], in bytes; `None` where the system does not say.
#[must_use]
pub fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn the_peak_sees_an_allocation() {
        super::reset_peak();
        let before = super::peak().unwrap();
        let block = std::hint::black_box(vec![1u8; 64 << 20]);
        let after = super::peak().unwrap();
        assert!(after >= before + (60 << 20), "{before} {after}");
        drop(block);
    }
}
