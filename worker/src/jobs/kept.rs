//! Features that an earlier job made of images and that lie in the client's store.

use confide_ckks::{Ciphertext, EvaluationKeys};
use confide_protocol::Digest;
use confide_tensor::CkksEvaluator;
use confide_train::bootstrapped::KeptFeatures;

use super::{Objects, Stopped, Watch, load};

/// Reads them, under the parameters of their network.
pub(super) fn read(
    kept: &KeptFeatures,
    digests: &[Digest],
    objects: &dyn Objects,
    watch: &dyn Watch,
) -> Result<Vec<Ciphertext>, Stopped> {
    let (params, none) = (kept.parameters(), EvaluationKeys::new());
    let evaluator = CkksEvaluator::new(params, &none);
    let one = |digest| {
        load::stop_if_wanted(watch)?;
        let level = kept.level();
        load::result("image features", params, &evaluator, level, digest, objects)
    };
    digests.iter().map(one).collect()
}
