//! Word storage aligned to cache lines, so that vector loads never straddle two of them.

use core::ops::{Deref, DerefMut};

use zeroize::Zeroize;

/// Words of the padding that alignment may need.
const LINE: usize = 8;

/// A fixed-size vector of words that starts at a multiple of 64 bytes. Dropped buffers go to the [`pool`].
pub(crate) struct Buffer {
    raw: Vec<u64>,
    start: usize,
    len: usize,
}

impl Buffer {
    /// `len` zero words.
    pub(crate) fn zeroed(len: usize) -> Self {
        match pool::take(len + LINE - 1) {
            Some(raw) => {
                let mut buffer = Self::of(raw, len);
                buffer.fill(0);
                buffer
            }
            None => Self::of(fresh(len + LINE - 1), len),
        }
    }

    /// `len` words of any content, for callers that overwrite all of them.
    pub(crate) fn scratch(len: usize) -> Self {
        Self::of(
            pool::take(len + LINE - 1).unwrap_or_else(|| fresh(len + LINE - 1)),
            len,
        )
    }

    fn of(raw: Vec<u64>, len: usize) -> Self {
        // `align_offset` may refuse to answer; then the buffer is merely not aligned.
        let start = raw.as_ptr().align_offset(64).min(LINE - 1);
        Self { raw, start, len }
    }

    /// Overwrites every word, padding included.
    pub(crate) fn zeroize(&mut self) {
        self.raw.as_mut_slice().zeroize();
    }
}

impl Deref for Buffer {
    type Target = [u64];
    fn deref(&self) -> &[u64] {
        &self.raw[self.start..self.start + self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u64] {
        &mut self.raw[self.start..self.start + self.len]
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        let mut copy = Self::scratch(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        pool::give(core::mem::take(&mut self.raw));
    }
}

/// Zeros. The system is asked for huge pages, without which the processor's page table cache is too small for the
/// polynomials of a key switch: that costs it a twelfth of its time.
fn fresh(len: usize) -> Vec<u64> {
    let words = vec![0; len];
    #[cfg(target_os = "linux")]
    {
        const HUGE: usize = 2 << 20;
        let range = words.as_ptr_range();
        let start = (range.start as usize).next_multiple_of(HUGE);
        let end = range.end as usize / HUGE * HUGE;
        if start < end {
            // SAFETY: advice on whole pages of `words` alone. It changes no content, and a refusal no more than speed.
            unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_HUGEPAGE) };
        }
    }
    words
}

/// How long the system takes to hand out memory of so many bytes, as polynomials get it, until it has been written. On virtual
/// machines that is up to ten times as long as on others.
#[cfg(not(target_arch = "wasm32"))]
pub fn hand_out(bytes: usize) -> std::time::Duration {
    let begun = std::time::Instant::now();
    // 4 KiB, the smallest page.
    const PAGE: usize = 512;
    let mut words = fresh(bytes / size_of::<u64>());
    words.iter_mut().step_by(PAGE).for_each(|word| *word = 1);
    std::hint::black_box(&words);
    begun.elapsed()
}

/// Freed memory for the next polynomial. Allocators hand blocks of this size back to the system, and
/// getting them again page by page costs 40 % of a key switch.
#[cfg(not(target_arch = "wasm32"))]
mod pool {
    use std::collections::BTreeMap;
    use std::sync::{Mutex, PoisonError};

    /// Words of the smallest block worth keeping.
    const SMALLEST: usize = 1 << 13;
    /// Words kept at most: 1 GiB, the sums of a linear transform at N = 2^16 and then some.
    const LIMIT: usize = 1 << 27;

    /// Blocks of one size.
    struct Class {
        blocks: Vec<Vec<u64>>,
        /// The pool's clock when one was last taken or given.
        used: u64,
    }

    /// Blocks by their words.
    pub(super) struct Pool {
        classes: BTreeMap<usize, Class>,
        words: usize,
        clock: u64,
    }

    impl Pool {
        pub(super) const fn new() -> Self {
            Self {
                classes: BTreeMap::new(),
                words: 0,
                clock: 0,
            }
        }

        /// A block of at least `len` words and at most an eighth more: ciphertexts of a low level that lived in blocks
        /// of a higher one would take the memory of that level.
        pub(super) fn take(&mut self, len: usize) -> Option<Vec<u64>> {
            self.clock += 1;
            let (&size, class) = self.classes.range_mut(len..=len + len / 8).next()?;
            class.used = self.clock;
            let block = class.blocks.pop();
            if class.blocks.is_empty() {
                self.classes.remove(&size);
            }
            self.words -= size;
            block
        }

        /// Keeps a block of at most `limit` words. What makes room for it is returned, to be freed: blocks of the sizes
        /// that have not been asked for the longest, or the block itself.
        pub(super) fn give(&mut self, block: Vec<u64>, limit: usize) -> Vec<Vec<u64>> {
            self.clock += 1;
            let size = block.len();
            if size > limit {
                return vec![block];
            }
            let mut freed = Vec::new();
            while self.words + size > limit {
                let others = self.classes.iter().filter(|(other, _)| **other != size);
                let Some((&oldest, _)) = others.min_by_key(|(_, class)| class.used) else {
                    freed.push(block);
                    return freed;
                };
                let stale = self.classes.remove(&oldest);
                let blocks = stale.map_or_else(Vec::new, |class| class.blocks);
                self.words -= oldest * blocks.len();
                freed.extend(blocks);
            }
            self.words += size;
            let class = self.classes.entry(size).or_insert(Class {
                blocks: Vec::new(),
                used: 0,
            });
            class.used = self.clock;
            class.blocks.push(block);
            freed
        }
    }

    static POOL: Mutex<Pool> = Mutex::new(Pool::new());

    /// A block of at least `len` words. Its content is what its last owner left.
    pub(super) fn take(len: usize) -> Option<Vec<u64>> {
        if len < SMALLEST {
            return None;
        }
        // A poisoned lock only means that another thread panicked; counts are consistent at every unlock.
        POOL.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(len)
    }

    /// Keeps a block, if it is worth it.
    pub(super) fn give(block: Vec<u64>) {
        if block.len() < SMALLEST {
            return;
        }
        let freed = POOL
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .give(block, LIMIT);
        // Freeing takes a while: not under the lock.
        drop(freed);
    }
}

/// Nothing: the memory of a WebAssembly module never goes back to the system.
#[cfg(target_arch = "wasm32")]
mod pool {
    pub(super) fn take(_: usize) -> Option<Vec<u64>> {
        None
    }

    pub(super) fn give(_: Vec<u64>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reused_buffers_are_zero_where_asked() {
        for _ in 0..4 {
            let mut a = Buffer::scratch(50_000);
            assert_eq!(a.len(), 50_000);
            a.fill(7);
            drop(a);
            assert!(Buffer::zeroed(49_000).iter().all(|&x| x == 0));
        }
    }

    #[cfg(not(target_arch = "wasm32"))]
    #[test]
    fn handing_out_memory_takes_time() {
        assert!(hand_out(8 << 20) > std::time::Duration::ZERO);
        assert!(hand_out(0) < std::time::Duration::from_secs(1));
    }

    #[cfg(not(target_arch = "wasm32"))]
    #[test]
    fn the_pool_keeps_the_sizes_in_use_and_hands_out_no_larger_ones() {
        let mut pool = pool::Pool::new();
        let block = |len: usize| vec![0; len];
        assert!(pool.give(block(800), 2000).is_empty());
        assert!(pool.give(block(400), 2000).is_empty());
        // A block of twice the size stays where it is.
        assert_eq!(pool.take(380).map(|block| block.len()), Some(400));
        assert!(pool.take(380).is_none());
        assert!(pool.give(block(400), 2000).is_empty());
        assert!(pool.give(block(400), 2000).is_empty());
        // 1,600 of 2,000 words are taken: the size that was asked for least recently goes.
        let freed = pool.give(block(450), 2000);
        assert_eq!(freed.iter().map(Vec::len).collect::<Vec<_>>(), [800]);
        let freed = pool.give(block(3000), 2000);
        assert_eq!(freed.iter().map(Vec::len).collect::<Vec<_>>(), [3000]);
    }

    #[test]
    fn buffers_are_aligned_and_clone_their_words() {
        for len in [0, 8, 24, 4096, 1 << 16] {
            let mut a = Buffer::zeroed(len);
            assert_eq!(a.as_ptr() as usize % 64, 0);
            a.iter_mut().zip(1..).for_each(|(x, i)| *x = i);
            let mut b = a.clone();
            assert_eq!(b.as_ptr() as usize % 64, 0);
            assert_eq!(a[..], b[..]);
            b.zeroize();
            assert!(b.iter().all(|&x| x == 0));
        }
    }
}
