//! Order of the twiddles of the last stages, whose butterflies lie within one vector.
//!
//! Those stages run on L groups of L words at once, transposed, so that lane g works on group g. The stage
//! with h twiddles a group (h = 1, 2, ..., L/2) needs, for each j < h, a vector of the j-th twiddles of
//! L consecutive groups. The table holds them in that order, so that each is one load.

use crate::backend::arithmetic::Arithmetic;

/// Whether vectors of `n` words are long enough for `A` itself; shorter ones use `A::Small` and the plain
/// order.
#[inline(always)]
pub(in crate::backend) fn fits<A: Arithmetic>(n: usize) -> bool {
    n >= A::LANES * A::LANES
}

/// From bit-reversed order to the order of this module.
pub(super) fn interleave<A: Arithmetic>(table: &mut [u64]) {
    let (n, lanes) = (table.len(), A::LANES);
    if !fits::<A>(n) {
        return;
    }
    let mut block = [0; 64];
    let mut h = 1;
    while h < lanes {
        // Entries of this stage start at the number of its twiddles.
        for chunk in table[n / lanes * h..2 * (n / lanes * h)].chunks_exact_mut(lanes * h) {
            for lane in 0..lanes {
                for j in 0..h {
                    block[j * lanes + lane] = chunk[lane * h + j];
                }
            }
            chunk.copy_from_slice(&block[..lanes * h]);
        }
        h *= 2;
    }
}
