//! What the fused kernels of a key switch work on: one limb at a time, so that its parts stay in the cache.

use crate::{Constant, NttTable};

/// A limb that a digit is extended to.
pub struct Target<'a> {
    /// Table of the limb's prime.
    pub table: &'a NttTable,
    /// For each row, its weight modulo that prime, as [`Backend::convert`](super::Backend::convert) takes them.
    pub weights: &'a [Constant],
    /// Where the half transform goes: words in a format of the backend, for
    /// [`Backend::complete`](super::Backend::complete) or [`LimbSwitch`] only.
    pub out: &'a mut [u64],
}

/// One limb of a digit.
pub enum DigitLimb<'a> {
    /// Values: canonical ones, or what a former switch has made of a half transform.
    Values(&'a [u64]),
    /// A half transform, which the switch completes in place. It leaves what [`DigitLimb::Values`] takes, in a
    /// format of the backend.
    Half(&'a mut [u64]),
}

/// Division of a sum of products by a modulus, of which the remainder has been extended to this limb.
pub struct Division<'a> {
    /// Half transforms of the two remainders; overwritten.
    pub remainders: [&'a mut [u64]; 2],
    /// The inverse of the modulus.
    pub inverse: Constant,
}

/// One limb of a key switch: with s_k = sum over d of digit d * keys\[d\]\[k\], `out[k]` becomes
/// s_k, or (s_k - remainder k) * inverse, plus addend k * factor; then its words are put in order.
pub struct LimbSwitch<'a, 'd> {
    /// Table of the limb's prime.
    pub table: &'a NttTable,
    /// The digits.
    pub digits: &'a mut [DigitLimb<'d>],
    /// Both halves of the key of each digit, canonical.
    pub keys: &'a [[&'a [u64]; 2]],
    /// The division, if any.
    pub division: Option<Division<'a>>,
    /// What is added, canonical, times `factor`.
    pub addends: [Option<&'a [u64]>; 2],
    /// Factor of the addends.
    pub factor: Constant,
    /// Where each word of the output comes from: the table of an automorphism, which maps every aligned
    /// group of a power of two words to such a group.
    pub order: Option<&'a [u32]>,
    /// The canonical results.
    pub out: [&'a mut [u64]; 2],
}
