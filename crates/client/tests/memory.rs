//! Keys are made one by one: memory does not grow with their number.
#![cfg(target_os = "linux")]

mod key_set;

use confide_ckks::ParametersLiteral;

/// The largest resident memory so far, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().nth(1));
    1024 * kibibytes
        .and_then(|text| text.parse::<usize>().ok())
        .expect("a number")
}

#[test]
fn a_hundred_keys_need_no_more_than_four() {
    let literal = key_set::small();
    let factory = key_set::factory(&literal);
    key_set::make(&factory, &literal, 1..5);
    let before = peak();
    let bytes = key_set::make(&factory, &literal, 5..100);
    let grown = peak() - before;
    assert!(
        bytes > 280_000_000 && grown < 4_000_000,
        "{bytes} bytes of keys, {grown} more at the peak"
    );
}

/// N = 2^16 with 27 + 7 primes: 1.8 GB of keys. Takes a while.
#[test]
#[ignore = "for the figure in the documentation: run with --ignored --nocapture, in release"]
fn a_set_of_forty_large_keys_stays_below_a_gibibyte() {
    let mut log_q = vec![50];
    log_q.resize(27, 45);
    let literal = ParametersLiteral {
        log_n: 16,
        log_q,
        log_p: vec![50; 7],
        log_scale: 45,
        dnum_alpha: 7,
    };
    let factory = key_set::factory(&literal);
    let tables = peak();
    let bytes = key_set::make(&factory, &literal, 1..41);
    println!(
        "{bytes} bytes of keys, peak {} bytes, {tables} before the first",
        peak()
    );
    assert!(bytes > 1_700_000_000 && peak() < 1 << 30);
}
