//! Word storage aligned to cache lines, so that vector loads never straddle two of them.

use core::ops::{Deref, DerefMut};

use zeroize::Zeroize;

/// Words of the padding that alignment may need.
const LINE: usize = 8;

/// A fixed-size vector of words that starts at a multiple of 64 bytes.
pub(crate) struct Buffer {
    raw: Vec<u64>,
    start: usize,
    len: usize,
}

impl Buffer {
    /// `len` zero words.
    pub(crate) fn zeroed(len: usize) -> Self {
        let raw = vec![0u64; len + LINE - 1];
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
        let mut copy = Self::zeroed(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
