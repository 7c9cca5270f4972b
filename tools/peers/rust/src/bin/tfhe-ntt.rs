//! One transform modulo one 50-bit prime: tfhe-ntt's and ours in one process, in turn.
//!
//! Prints one JSON object a line with both times.

use clap::Parser;
use confide_peers::{aligned, median, times};
use confide_ring::{Backend, Modulus, NttTable, backend, ntt_primes};
use tfhe_ntt::prime64::Plan;

/// The transform of tfhe-ntt beside ours
#[derive(Parser)]
struct Options {
    /// log2 of the degree
    #[arg(long, default_value_t = 15)]
    log_n: u32,
    /// Blocks of ours and theirs in turn
    #[arg(long, default_value_t = 20)]
    blocks: usize,
    /// Transforms in a block
    #[arg(long, default_value_t = 100)]
    count: usize,
}

/// Both sides at one degree and prime.
struct Sides {
    backend: &'static dyn Backend,
    table: NttTable,
    plan: Plan,
}

fn main() {
    let options = Options::parse();
    let n = 1usize << options.log_n;
    let prime = ntt_primes(options.log_n, 50, 1, &[]).expect("primes of 50 bits exist")[0];
    let modulus = Modulus::new(prime).expect("a prime");
    let backend = backend();
    let sides = Sides {
        backend,
        table: NttTable::new(modulus, options.log_n, backend).expect("a prime of 1 modulo 2N"),
        plan: Plan::try_new(n, prime).expect("a prime of 1 modulo 2N"),
    };
    let (mut mine, mut theirs) = (Vec::new(), Vec::new());
    let (mine, theirs) = (aligned(&mut mine, n), aligned(&mut theirs, n));
    fill(mine, prime);
    theirs.copy_from_slice(mine);
    check(&sides, mine, theirs);

    pair(
        &options,
        &sides,
        "ntt",
        || backend.ntt(&sides.table, mine),
        || sides.plan.fwd(theirs),
    );
    // Both divide by N: ours inside its last stage, tfhe-ntt in a pass of its own.
    let scale = sides.table.inverse_degree();
    pair(
        &options,
        &sides,
        "intt",
        || backend.intt(&sides.table, mine, scale),
        || {
            sides.plan.inv(theirs);
            sides.plan.normalize(theirs);
        },
    );
}

/// Residues without a pattern.
fn fill(a: &mut [u64], prime: u64) {
    let mut state = 1u64;
    for x in a {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        *x = (state >> 8) % prime;
    }
}

/// Both transforms give the values at the same points, in whichever order, and come back.
fn check(sides: &Sides, mine: &mut [u64], theirs: &mut [u64]) {
    let before = mine.to_vec();
    sides.backend.ntt(&sides.table, mine);
    sides.plan.fwd(theirs);
    let sorted = |a: &[u64]| {
        let mut a = a.to_vec();
        a.sort_unstable();
        a
    };
    assert_eq!(sorted(mine), sorted(theirs), "the transforms differ");
    let scale = sides.table.inverse_degree();
    sides.backend.intt(&sides.table, mine, scale);
    sides.plan.inv(theirs);
    sides.plan.normalize(theirs);
    assert_eq!(mine, before, "our inverse does not come back");
    assert_eq!(theirs, before, "their inverse does not come back");
}

/// Blocks of ours and theirs in turn, the first ones to warm up; prints the medians.
fn pair(
    options: &Options,
    sides: &Sides,
    op: &str,
    mut ours: impl FnMut(),
    mut theirs: impl FnMut(),
) {
    let (mut ours_ms, mut peer_ms) = (Vec::new(), Vec::new());
    for block in 0..=options.blocks {
        let mine = times(options.count, &mut ours);
        let other = times(options.count, &mut theirs);
        if block > 0 {
            ours_ms.extend(mine);
            peer_ms.extend(other);
        }
    }
    let line = serde_json::json!({
        "op": op, "n": sides.plan.ntt_size(), "log_q": 50, "log_p": 0, "threads": 1,
        "ours_ms": median(&mut ours_ms), "backend": sides.backend.name(),
        "peer": "tfhe-ntt 0.7", "peer_ms": median(&mut peer_ms),
        // tfhe-ntt has these kernels for primes below 2^50 only, and runs them where this is true.
        "note": format!("one 50-bit prime, one process; IFMA kernels of tfhe-ntt: {}", sides.plan.use_ifma()),
    });
    println!("{line}");
}
