//! Work of several threads: on the rayon pool with feature `parallel`, one after another without.

use crate::error::CkksError;

/// Both results; side by side where there are threads.
#[cfg(feature = "parallel")]
pub(crate) fn both<T: Send>(a: impl FnOnce() -> T + Send, b: impl FnOnce() -> T + Send) -> (T, T) {
    rayon::join(a, b)
}

/// Both results.
#[cfg(not(feature = "parallel"))]
pub(crate) fn both<T>(a: impl FnOnce() -> T, b: impl FnOnce() -> T) -> (T, T) {
    (a(), b())
}

/// What is made of each of `items`, in their order.
#[cfg(feature = "parallel")]
pub(crate) fn map<S: Sync, T: Send>(
    items: &[S],
    make: impl Fn(&S) -> Result<T, CkksError> + Sync + Send,
) -> Result<Vec<T>, CkksError> {
    use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
    items.par_iter().map(make).collect()
}

/// What is made of each of `items`, in their order.
#[cfg(not(feature = "parallel"))]
pub(crate) fn map<S, T>(
    items: &[S],
    make: impl Fn(&S) -> Result<T, CkksError>,
) -> Result<Vec<T>, CkksError> {
    items.iter().map(make).collect()
}
