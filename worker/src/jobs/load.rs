//! Keys and ciphertexts from the store, checked against the plan. Each object's size is checked
//! before it is read, and its bytes are gone before the next one's are there.

use confide_ckks::{
    Ciphertext, CkksError, EvaluationKeys, KeyKind, Parameters, SeededCiphertext,
    SeededSwitchingKey, SwitchingKey,
};
use confide_protocol::{Digest, WireError, code};
use confide_tensor::CkksEvaluator;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::{Objects, Stopped, Watch};
use crate::fault;

/// The keys that a job names.
#[derive(Clone, Copy)]
pub(super) struct Keys<'a> {
    pub relin: &'a Digest,
    pub galois: &'a [(u64, Digest)],
    /// Those to and from the sparse secret, in the plan's order.
    pub sparse: &'a [Digest],
}

/// Loads the keys of a job whose list of elements has been checked against the plan's `needed`.
pub(super) fn keys(
    needed: &[(KeyKind, usize)],
    params: &Parameters,
    named: Keys<'_>,
    objects: &dyn Objects,
    watch: &dyn Watch,
) -> Result<EvaluationKeys, Stopped> {
    let mut wanted = Vec::with_capacity(needed.len());
    let mut sparse = named.sparse.iter();
    for &(kind, level) in needed {
        let digest = match kind {
            KeyKind::Relin => Some(named.relin),
            KeyKind::Galois(element) => {
                let mut galois = named.galois.iter();
                galois
                    .find(|(other, _)| *other == element)
                    .map(|(_, digest)| digest)
            }
            KeyKind::ToSparse(_) | KeyKind::FromSparse(_) => sparse.next(),
        };
        let digest = digest.ok_or_else(|| {
            fault::client(
                code::JOB_OBJECTS,
                format!("the {kind} is missing"),
                "Send exactly the objects of the plan.",
            )
        })?;
        wanted.push((kind, level, digest));
    }
    load_keys(wanted, params, objects, watch)
}

/// Loads as many keys as are needed, in their order.
pub(super) fn keys_in_order(
    needed: &[(KeyKind, usize)],
    params: &Parameters,
    digests: &[Digest],
    objects: &dyn Objects,
    watch: &dyn Watch,
) -> Result<EvaluationKeys, Stopped> {
    let wanted = needed.iter().zip(digests);
    let wanted = wanted.map(|(&(kind, level), digest)| (kind, level, digest));
    load_keys(wanted.collect(), params, objects, watch)
}

fn load_keys(
    wanted: Vec<(KeyKind, usize, &Digest)>,
    params: &Parameters,
    objects: &dyn Objects,
    watch: &dyn Watch,
) -> Result<EvaluationKeys, Stopped> {
    let loaded: Vec<SwitchingKey> = wanted
        .into_par_iter()
        .map(|(kind, level, digest)| {
            stop_if_wanted(watch)?;
            key(params, kind, level, digest, objects)
        })
        .collect::<Result<_, Stopped>>()?;
    let mut keys = EvaluationKeys::new();
    loaded.into_iter().for_each(|key| keys.insert(key));
    Ok(keys)
}

fn key(
    params: &Parameters,
    kind: KeyKind,
    level: usize,
    digest: &Digest,
    objects: &dyn Objects,
) -> Result<SwitchingKey, Stopped> {
    let what = kind.to_string();
    let length = SeededSwitchingKey::encoded_len_of(params, kind, level)
        .map_err(|error| invalid(&what, digest, &error))?;
    let bytes = read(objects, &what, digest, length)?;
    let seeded = SeededSwitchingKey::from_bytes(params, &bytes)
        .map_err(|error| invalid(&what, digest, &error))?;
    drop(bytes);
    if seeded.kind() != kind || seeded.level() != level {
        return Err(wrong(
            &what,
            digest,
            &format!("the key for {} at level {level}", kind),
            &format!("the key for {} at level {}", seeded.kind(), seeded.level()),
        ));
    }
    seeded
        .expand(params)
        .map_err(|error| invalid(&what, digest, &error))
}

/// Loads ciphertexts that the client encrypted at `level`.
pub(super) fn fresh(
    what: &str,
    params: &Parameters,
    evaluator: &CkksEvaluator<'_>,
    level: usize,
    digests: &[Digest],
    objects: &dyn Objects,
    watch: &dyn Watch,
) -> Result<Vec<Ciphertext>, Stopped> {
    let length = SeededCiphertext::encoded_len(params, level);
    digests
        .into_par_iter()
        .map(|digest| {
            stop_if_wanted(watch)?;
            let bytes = read(objects, what, digest, length)?;
            let ciphertext = SeededCiphertext::from_bytes(params, &bytes)
                .and_then(|seeded| seeded.expand(params))
                .map_err(|error| invalid(what, digest, &error))?;
            check(what, evaluator, level, digest, &ciphertext)?;
            Ok(ciphertext)
        })
        .collect()
}

/// Loads a ciphertext that a job made at `level`.
pub(super) fn result(
    what: &str,
    params: &Parameters,
    evaluator: &CkksEvaluator<'_>,
    level: usize,
    digest: &Digest,
    objects: &dyn Objects,
) -> Result<Ciphertext, Stopped> {
    let length = Ciphertext::encoded_len(params, level, 2);
    let bytes = read(objects, what, digest, length)?;
    let ciphertext =
        Ciphertext::from_bytes(params, &bytes).map_err(|error| invalid(what, digest, &error))?;
    check(what, evaluator, level, digest, &ciphertext)?;
    Ok(ciphertext)
}

fn check(
    what: &str,
    evaluator: &CkksEvaluator<'_>,
    level: usize,
    digest: &Digest,
    ciphertext: &Ciphertext,
) -> Result<(), Stopped> {
    if ciphertext.level() != level {
        let (need, have) = (
            format!("level {level}"),
            format!("level {}", ciphertext.level()),
        );
        return Err(wrong(what, digest, &need, &have));
    }
    evaluator
        .check_canonical(ciphertext)
        .map_err(|error| invalid(what, digest, &error))
}

/// Reads an object whose length the plan gives.
fn read(
    objects: &dyn Objects,
    what: &str,
    digest: &Digest,
    length: usize,
) -> Result<Vec<u8>, Stopped> {
    let size = objects
        .size(digest)
        .ok_or_else(|| fault::unknown_object(digest))?;
    if size != length as u64 {
        let (need, have) = (format!("{length} bytes"), format!("{size} bytes"));
        return Err(wrong(what, digest, &need, &have));
    }
    Ok(objects.read(digest)?)
}

pub(super) fn stop_if_wanted(watch: &dyn Watch) -> Result<(), Stopped> {
    if watch.stop_wanted() {
        return Err(Stopped::Asked);
    }
    Ok(())
}

fn wrong(what: &str, digest: &Digest, need: &str, have: &str) -> Stopped {
    refused(format!(
        "{what} {}: {need} needed, {have} there",
        digest.short()
    ))
}

fn invalid(what: &str, digest: &Digest, error: &dyn std::error::Error) -> Stopped {
    refused(format!("{what} {}: {error}", digest.short()))
}

fn refused(message: String) -> Stopped {
    let error: WireError = fault::client(
        code::OBJECT_INVALID,
        message,
        "Make the object again under this plan and upload it.",
    );
    error.into()
}

/// A failure of the scheme on valid inputs.
pub(super) fn scheme(error: &CkksError) -> Stopped {
    Stopped::Failed(fault::worker(
        code::COMPUTE,
        format!("the computation failed: {error}"),
        "Report this with the plan.",
    ))
}
