//! The negacyclic transforms.
//!
//! Nodes number the butterflies' blocks as a binary heap: the whole array is node 1, and the halves of node
//! k after its stage are 2k and 2k + 1. The twiddle of node k is entry k of the table.
//!
//! The array is a matrix: its rows are the *blocks* of [`BLOCK`] words. The stages between rows run on *strips*,
//! a few columns of all rows, which fit the first-level cache together; those within a row run on the row.
//! So each word comes from and goes to memory twice, whatever the number of stages. Stages go in passes
//! of one to three. The last ones run on *squares* of as many vectors as a vector has words: first between the
//! vectors, then, transposed, within them.

mod forward;
mod inverse;

pub(super) use forward::{CANONICAL, FACTORS, Forward};
pub(super) use inverse::Inverse;

use crate::NttTable;
use crate::backend::arithmetic::Arithmetic;

/// Words of a block.
const BLOCK: usize = 4096;
/// Words of a strip.
const STRIP: usize = 4096;

/// Words of a block of an array of `n`.
pub(super) fn block_of(n: usize) -> usize {
    n.min(BLOCK)
}

/// Columns of a strip, copied from the rows: what is between the passes of one strip.
#[repr(align(64))]
pub(super) struct Strip(pub(super) [u64; STRIP]);

impl Strip {
    /// Zeros.
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self([0; STRIP])
    }
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

/// Cuts stages into as few passes as may be.
#[inline(always)]
fn passes<A: Arithmetic>(stages: u32, used: &mut u32) -> Passes {
    let mut all = [Pass {
        stages: 0,
        settle: false,
    }; 8];
    let count = stages.div_ceil(A::PASS_STAGES);
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

    /// Each `step`-th row only.
    #[inline(always)]
    fn every(self, step: usize) -> Self {
        Self {
            step: self.step * step,
            ..self
        }
    }

    /// From a row and a column on.
    ///
    /// # Safety
    /// The word must exist.
    #[inline(always)]
    unsafe fn from(self, row: usize, column: usize) -> Self {
        // SAFETY: the caller's.
        let data = unsafe { self.at(row, column) };
        Self { data, ..self }
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
    outer: Passes,
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
        let outer = passes::<A>((n / block).trailing_zeros(), &mut used);
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

    /// Columns of a strip.
    #[inline(always)]
    pub(super) fn columns(&self) -> usize {
        self.block.min(STRIP / self.blocks())
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
