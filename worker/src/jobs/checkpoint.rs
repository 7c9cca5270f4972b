//! Where a training with bootstraps stands, as bytes: the state's ciphertexts, what it took and what it made so far.

use confide_ckks::{Ciphertext, Parameters};
use confide_protocol::{Output, code, from_bytes, to_bytes};
use confide_tensor::{CkksEvaluator, Op};
use confide_train::minibatch::TrainingState;
use serde::{Deserialize, Serialize};

use super::{Stopped, load};
use crate::fault;

const VERSION: u32 = 2;

/// A state, and what led to it.
#[derive(Default)]
pub(super) struct Checkpoint {
    pub state: TrainingState<Ciphertext>,
    /// Progress in the plan's units.
    pub done: u64,
    /// Operations so far.
    pub counts: Vec<(Op, u64)>,
    /// Scores of the validation records so far; they were stored before this.
    pub outputs: Vec<Output>,
}

/// What stands before the ciphertexts in a file: `BLAKE3 of the rest | length of the header, u32 | header |
/// ciphertexts`.
#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    step: usize,
    halved: bool,
    done: u64,
    counts: Vec<(Op, u64)>,
    outputs: Vec<Output>,
    /// Bytes of each ciphertext.
    parts: Vec<usize>,
}

impl Checkpoint {
    /// Bytes of a state, of its progress, of the operations and of the scores so far.
    pub(super) fn write(
        state: &TrainingState<Ciphertext>,
        (done, counts, outputs): (u64, Vec<(Op, u64)>, &[Output]),
        params: &Parameters,
    ) -> Result<Vec<u8>, Stopped> {
        let parts = state.parts().map(|part| part.to_bytes(params));
        let parts: Vec<Vec<u8>> = parts
            .collect::<Result<_, _>>()
            .map_err(|error| load::scheme(&error))?;
        let header = to_bytes(&Header {
            version: VERSION,
            step: state.step,
            halved: state.halved,
            done,
            counts,
            outputs: outputs.to_vec(),
            parts: parts.iter().map(Vec::len).collect(),
        })
        .map_err(|error| {
            let message = format!("a checkpoint cannot be written: {error}");
            Stopped::Failed(fault::worker(code::INTERNAL, message, "Report this."))
        })?;
        let mut bytes = vec![0; blake3::OUT_LEN];
        bytes.extend((header.len() as u32).to_le_bytes());
        bytes.extend(header);
        parts.iter().for_each(|part| bytes.extend(part));
        let hash = blake3::hash(&bytes[blake3::OUT_LEN..]);
        bytes[..blake3::OUT_LEN].copy_from_slice(hash.as_bytes());
        Ok(bytes)
    }

    /// What a file holds. One that cannot be used is left alone: the run then begins anew.
    pub(super) fn restore(
        bytes: &[u8],
        params: &Parameters,
        evaluator: &CkksEvaluator<'_>,
    ) -> Option<Self> {
        match Self::read(bytes, params, evaluator) {
            Ok(checkpoint) => {
                let step = checkpoint.state.step;
                tracing::info!(step, "training goes on from a checkpoint");
                Some(checkpoint)
            }
            Err(reason) => {
                tracing::error!(reason, "a checkpoint cannot be used, training begins anew");
                None
            }
        }
    }

    fn read(
        bytes: &[u8],
        params: &Parameters,
        evaluator: &CkksEvaluator<'_>,
    ) -> Result<Self, String> {
        let (hash, bytes) = bytes
            .split_first_chunk::<{ blake3::OUT_LEN }>()
            .ok_or("it is too short")?;
        if blake3::hash(bytes) != *hash {
            return Err("its checksum is wrong".to_owned());
        }
        let (length, bytes) = bytes.split_first_chunk().ok_or("it is too short")?;
        let (header, mut rest) = bytes
            .split_at_checked(u32::from_le_bytes(*length) as usize)
            .ok_or("it is too short")?;
        let header: Header = from_bytes(header).map_err(|error| error.to_string())?;
        if header.version != VERSION {
            return Err(format!("it has version {}", header.version));
        }
        let mut parts = Vec::with_capacity(header.parts.len().min(2));
        for &length in &header.parts {
            let (part, more) = rest.split_at_checked(length).ok_or("it is too short")?;
            rest = more;
            let part = Ciphertext::from_bytes(params, part).map_err(|error| error.to_string())?;
            evaluator
                .check_canonical(&part)
                .map_err(|error| error.to_string())?;
            parts.push(part);
        }
        let state = TrainingState::from_parts(header.step, header.halved, parts)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            state,
            done: header.done,
            counts: header.counts,
            outputs: header.outputs,
        })
    }
}
