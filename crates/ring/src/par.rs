//! Work over limbs: on the rayon pool with feature `parallel`, one after another without.

/// Runs `f(index, chunk)` for the chunks of `len` words of `words`.
#[cfg(feature = "parallel")]
pub(crate) fn for_each_chunk(
    words: &mut [u64],
    len: usize,
    f: impl Fn(usize, &mut [u64]) + Send + Sync,
) {
    use rayon::prelude::*;
    words
        .par_chunks_exact_mut(len)
        .enumerate()
        .for_each(|(i, c)| f(i, c));
}

/// Runs `f(index, chunk)` for the chunks of `len` words of `words`.
#[cfg(not(feature = "parallel"))]
pub(crate) fn for_each_chunk(
    words: &mut [u64],
    len: usize,
    f: impl Fn(usize, &mut [u64]) + Send + Sync,
) {
    words
        .chunks_exact_mut(len)
        .enumerate()
        .for_each(|(i, c)| f(i, c));
}

/// Runs `f(index, chunk of a, chunk of b)` over two vectors of the same length.
#[cfg(feature = "parallel")]
pub(crate) fn for_each_chunk_pair(
    a: &mut [u64],
    b: &mut [u64],
    len: usize,
    f: impl Fn(usize, &mut [u64], &mut [u64]) + Send + Sync,
) {
    use rayon::prelude::*;
    a.par_chunks_exact_mut(len)
        .zip(b.par_chunks_exact_mut(len))
        .enumerate()
        .for_each(|(i, (x, y))| f(i, x, y));
}

/// Runs `f(index, chunk of a, chunk of b)` over two vectors of the same length.
#[cfg(not(feature = "parallel"))]
pub(crate) fn for_each_chunk_pair(
    a: &mut [u64],
    b: &mut [u64],
    len: usize,
    f: impl Fn(usize, &mut [u64], &mut [u64]) + Send + Sync,
) {
    a.chunks_exact_mut(len)
        .zip(b.chunks_exact_mut(len))
        .enumerate()
        .for_each(|(i, (x, y))| f(i, x, y));
}

/// `f(0), ..., f(count - 1)` in order.
#[cfg(feature = "parallel")]
pub(crate) fn map<T: Send>(count: usize, f: impl Fn(usize) -> T + Send + Sync) -> Vec<T> {
    use rayon::prelude::*;
    (0..count).into_par_iter().map(f).collect()
}

/// `f(0), ..., f(count - 1)` in order.
#[cfg(not(feature = "parallel"))]
pub(crate) fn map<T: Send>(count: usize, f: impl Fn(usize) -> T + Send + Sync) -> Vec<T> {
    (0..count).map(f).collect()
}

/// Runs `f` on each of `items`.
#[cfg(feature = "parallel")]
pub(crate) fn for_each<T: Send>(items: Vec<T>, f: impl Fn(T) + Send + Sync) {
    use rayon::prelude::*;
    items.into_par_iter().for_each(f);
}

/// Runs `f` on each of `items`.
#[cfg(not(feature = "parallel"))]
pub(crate) fn for_each<T: Send>(items: Vec<T>, f: impl Fn(T) + Send + Sync) {
    items.into_iter().for_each(f);
}

/// Threads that work at once.
#[cfg(feature = "parallel")]
pub(crate) fn threads() -> usize {
    rayon::current_num_threads()
}

/// Threads that work at once.
#[cfg(not(feature = "parallel"))]
pub(crate) fn threads() -> usize {
    1
}

/// Runs `f` on each of `items`, in place.
#[cfg(feature = "parallel")]
pub(crate) fn for_each_mut<T: Send>(items: &mut [T], f: impl Fn(&mut T) + Send + Sync) {
    use rayon::prelude::*;
    items.par_iter_mut().for_each(f);
}

/// Runs `f` on each of `items`, in place.
#[cfg(not(feature = "parallel"))]
pub(crate) fn for_each_mut<T: Send>(items: &mut [T], f: impl Fn(&mut T) + Send + Sync) {
    items.iter_mut().for_each(f);
}
