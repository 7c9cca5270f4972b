//! ChaCha20 in WebAssembly's 128-bit vectors: the same keystream as the crate `chacha20` gives, which has no vectors
//! for WebAssembly and takes two and a half times as long.

use core::arch::wasm32::*;

use zeroize::Zeroize;

/// Blocks that are computed at once, and their bytes.
const BLOCKS: usize = 4;
const BATCH: usize = 64 * BLOCKS;
/// One row of the state of each block.
type Rows = [v128; BLOCKS];
/// "expand 32-byte k".
const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

/// A keystream with a 64-bit block counter and a 64-bit stream number. Wiped on drop.
pub(super) struct ChaCha20 {
    /// The words of the state that do not change, in order: constants, key, and the stream.
    key: [u32; 8],
    stream: u64,
    /// The next block to compute.
    counter: u64,
    buffer: [u8; BATCH],
    /// Bytes of the buffer that are used up, a multiple of 4.
    used: usize,
}

impl ChaCha20 {
    pub(super) fn new(seed: [u8; 32], stream: u64) -> Self {
        let mut key = [0; 8];
        for (word, bytes) in key.iter_mut().zip(seed.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        Self {
            key,
            stream,
            counter: 0,
            buffer: [0; BATCH],
            used: BATCH,
        }
    }

    /// Whole words of keystream; the rest of a word that is used in part is skipped.
    pub(super) fn fill(&mut self, out: &mut [u8]) {
        let ready = out.len().min(BATCH - self.used);
        let (first, rest) = out.split_at_mut(ready);
        first.copy_from_slice(&self.buffer[self.used..self.used + ready]);
        self.used += ready.next_multiple_of(4);
        let (batches, last) = rest.as_chunks_mut::<BATCH>();
        for batch in batches {
            self.generate(batch);
        }
        if !last.is_empty() {
            let mut buffer = self.buffer;
            self.generate(&mut buffer);
            last.copy_from_slice(&buffer[..last.len()]);
            self.buffer = buffer;
            self.used = last.len().next_multiple_of(4);
            buffer.zeroize();
        }
    }

    /// The next four blocks, each as the four rows of its state: their chains of operations are independent, which
    /// keeps all ports busy, and nothing is transposed in the end.
    fn generate(&mut self, out: &mut [u8; BATCH]) {
        let row = |words: &[u32]| u32x4(words[0], words[1], words[2], words[3]);
        let start = [row(&CONSTANTS), row(&self.key[..4]), row(&self.key[4..])];
        let last = [0, 1, 2, 3].map(|i| u64x2(self.counter.wrapping_add(i), self.stream));
        self.counter = self.counter.wrapping_add(BLOCKS as u64);
        let [mut a, mut b, mut c] = start.map(|row| [row; BLOCKS]);
        let mut d = last;
        for _ in 0..10 {
            columns(&mut a, &mut b, &mut c, &mut d);
            for i in 0..BLOCKS {
                b[i] = turn_1(b[i]);
                c[i] = turn_2(c[i]);
                d[i] = turn_3(d[i]);
            }
            columns(&mut a, &mut b, &mut c, &mut d);
            for i in 0..BLOCKS {
                b[i] = turn_3(b[i]);
                c[i] = turn_2(c[i]);
                d[i] = turn_1(d[i]);
            }
        }
        for (i, block) in out.as_chunks_mut::<64>().0.iter_mut().enumerate() {
            let rows = [
                u32x4_add(a[i], start[0]),
                u32x4_add(b[i], start[1]),
                u32x4_add(c[i], start[2]),
                u32x4_add(d[i], last[i]),
            ];
            for (place, row) in block.as_chunks_mut::<16>().0.iter_mut().zip(rows) {
                // SAFETY: the place has the 16 bytes that are written; stores need no alignment.
                unsafe { v128_store(place.as_mut_ptr().cast(), row) };
            }
        }
    }
}

impl Drop for ChaCha20 {
    fn drop(&mut self) {
        self.key.zeroize();
        self.stream.zeroize();
        self.counter.zeroize();
        self.buffer.zeroize();
    }
}

/// Quarter rounds on the four columns of each block.
#[inline(always)]
fn columns(a: &mut Rows, b: &mut Rows, c: &mut Rows, d: &mut Rows) {
    for i in 0..BLOCKS {
        a[i] = u32x4_add(a[i], b[i]);
        d[i] = rotate_16(v128_xor(d[i], a[i]));
    }
    for i in 0..BLOCKS {
        c[i] = u32x4_add(c[i], d[i]);
        b[i] = rotate::<12, 20>(v128_xor(b[i], c[i]));
    }
    for i in 0..BLOCKS {
        a[i] = u32x4_add(a[i], b[i]);
        d[i] = rotate_8(v128_xor(d[i], a[i]));
    }
    for i in 0..BLOCKS {
        c[i] = u32x4_add(c[i], d[i]);
        b[i] = rotate::<7, 25>(v128_xor(b[i], c[i]));
    }
}

#[inline(always)]
fn rotate<const LEFT: u32, const RIGHT: u32>(v: v128) -> v128 {
    v128_or(u32x4_shl(v, LEFT), u32x4_shr(v, RIGHT))
}

/// Whole bytes rotate in one shuffle.
#[inline(always)]
fn rotate_16(v: v128) -> v128 {
    i8x16_shuffle::<2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13>(v, v)
}

#[inline(always)]
fn rotate_8(v: v128) -> v128 {
    i8x16_shuffle::<3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14>(v, v)
}

/// Turns a row by one word, so that diagonals become columns; likewise the others.
#[inline(always)]
fn turn_1(v: v128) -> v128 {
    i32x4_shuffle::<1, 2, 3, 0>(v, v)
}

#[inline(always)]
fn turn_2(v: v128) -> v128 {
    i32x4_shuffle::<2, 3, 0, 1>(v, v)
}

#[inline(always)]
fn turn_3(v: v128) -> v128 {
    i32x4_shuffle::<3, 0, 1, 2>(v, v)
}
