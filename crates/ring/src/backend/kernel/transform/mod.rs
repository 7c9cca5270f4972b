//! The negacyclic transforms.
//!
//! Nodes number the butterflies' blocks as a binary heap: the whole array is node 1, and the halves of node
//! k after its stage are 2k and 2k + 1. The twiddle of node k is entry k of the table.
//!
//! The array is a matrix of up to eight rows, the *blocks*. The stages between blocks run on all of them at once, a few
//! columns at a time; then each block is transformed on its own, and a block that exceeds the first-level cache in
//! parts. So words come from afar two or three times, whatever the number of stages; and no more than eight
//! rows are visited in turn, because rows a large power of two apart compete for the same few places of the cache.
//! Stages go in passes of one to three. The last ones run on *squares* of as many vectors as a vector has words: first
//! between the vectors, then, transposed, within them.

mod forward;
mod inverse;

pub(super) use forward::{CANONICAL, FACTORS, Forward};
pub(super) use inverse::Inverse;

use crate::NttTable;
use crate::backend::arithmetic::Arithmetic;

/// Words that stay in the first-level cache.
const NEAR: usize = 4096;
/// Most blocks of an array.
const BLOCKS: usize = 8;

/// Words of a block of an array of `n`.
pub(super) fn block_of(n: usize) -> usize {
    n.min(NEAR).max(n / BLOCKS)
}

/// Stages that run at once.
#[derive(Clone, Copy)]
struct Pass {
    stages: u32,
    /// Whether its inputs have to be settled first.
    settle: bool,
}

/// Up to eight passes.
type Passes = ([Pass; 8], usize);

/// Cuts stages into passes of two or three, as the arithmetic likes.
#[inline(always)]
fn passes<A: Arithmetic>(stages: u32, used: &mut u32) -> Passes {
    let mut all = [Pass {
        stages: 0,
        settle: false,
    }; 8];
    let count = if A::LONG_PASSES {
        stages.div_ceil(3)
    } else {
        (stages / 2).max(stages.min(1))
    };
    let mut left = stages;
    for (p, pass) in all.iter_mut().enumerate().take(count as usize) {
        let stages = left.div_ceil(count - p as u32);
        *pass = Pass {
            stages,
            settle: settles::<A>(stages, used),
        };
        left -= stages;
    }
    (all, count as usize)
}

/// Whether the inputs of so many stages have to be settled, after those that are `used` since they last were.
#[inline(always)]
fn settles<A: Arithmetic>(stages: u32, used: &mut u32) -> bool {
    // Saturates where nothing ever has to be settled.
    let settle = used.saturating_add(stages) > A::FORWARD_STAGES;
    *used = if settle { stages } else { *used + stages };
    settle
}

/// Where the words of a pass are: row i at `data + i * step`.
#[derive(Clone, Copy)]
struct Rows {
    data: *mut u64,
    step: usize,
}

impl Rows {
    /// # Safety
    /// The word must exist.
    #[inline(always)]
    unsafe fn at(self, row: usize, column: usize) -> *mut u64 {
        // SAFETY: the caller's.
        unsafe { self.data.add(row * self.step + column) }
    }
}

/// A transform modulo one prime. The pointers cover `n` twiddles, the quotients only when the arithmetic has
/// any; `n` is a power of two of at least LANES^2 and 8.
#[derive(Clone, Copy)]
pub(super) struct Transform<A: Arithmetic> {
    pub(super) ar: A,
    values: *const u64,
    quotients: *const u64,
    /// Words of the whole array.
    n: usize,
    /// Words of a block.
    block: usize,
    /// Stages between blocks.
    outer: Pass,
    /// Stages within a block, down to squares.
    inner: Passes,
    /// Whether to settle before the stages between the vectors of a square, and before those within them.
    settle: [bool; 2],
}

// Safety of all methods: they run inside `dispatch`; `new` checked the lengths; nodes are below n by the
// heap numbering. Arrays passed in have `n` words, blocks `block` words.
impl<A: Arithmetic> Transform<A> {
    #[inline(always)]
    pub(super) unsafe fn new(table: &NttTable) -> Self {
        let n = table.values().len();
        assert!(n.is_power_of_two() && n >= (A::LANES * A::LANES).max(8));
        assert!(!A::QUOTIENTS || table.quotients().len() == n);
        let block = block_of(n);
        let mut used = A::FORWARD_STAGES - A::CANONICAL_STAGES;
        let stages = (n / block).trailing_zeros();
        let outer = Pass {
            stages,
            settle: settles::<A>(stages, &mut used),
        };
        let inner = passes::<A>(block.trailing_zeros() - 2 * A::LOG_LANES, &mut used);
        let settle = [0, 1].map(|_| settles::<A>(A::LOG_LANES, &mut used));
        Self {
            // SAFETY: runs inside `dispatch`.
            ar: unsafe { A::new(table.modulus()) },
            values: table.values().as_ptr(),
            quotients: table.quotients().as_ptr(),
            n,
            block,
            outer,
            inner,
            settle,
        }
    }

    /// Words of a block.
    #[inline(always)]
    pub(super) fn block(&self) -> usize {
        self.block
    }

    /// Blocks of the array.
    #[inline(always)]
    pub(super) fn blocks(&self) -> usize {
        self.n / self.block
    }

    /// Columns that stay in the first-level cache for all blocks.
    #[inline(always)]
    pub(super) fn columns(&self) -> usize {
        self.block.min(NEAR / self.blocks())
    }

    /// Parts that a block is transformed in, after its first pass.
    #[inline(always)]
    fn parts(&self) -> usize {
        if self.block > NEAR {
            1 << self.inner.0[0].stages
        } else {
            1
        }
    }

    /// The twiddle of a node in all lanes.
    #[inline(always)]
    unsafe fn twiddle(&self, node: usize) -> [A::V; 2] {
        // SAFETY: nodes are below n.
        unsafe {
            let value = A::splat(*self.values.add(node));
            [
                value,
                if A::QUOTIENTS {
                    A::splat(*self.quotients.add(node))
                } else {
                    value
                },
            ]
        }
    }

    /// A vector of interleaved twiddles.
    #[inline(always)]
    unsafe fn twiddles(&self, index: usize) -> [A::V; 2] {
        // SAFETY: the layout keeps LANES entries from every index that the last pass uses.
        unsafe {
            let value = A::load(self.values.add(index));
            [
                value,
                if A::QUOTIENTS {
                    A::load(self.quotients.add(index))
                } else {
                    value
                },
            ]
        }
    }
}
