//! Packing of residues at the bit length of their prime, little endian in bits and bytes.

/// Appends the low `bits` bits of each residue. `residues.len() * bits` must be a multiple of 8 and each residue
/// below `2^bits`.
pub(super) fn pack(residues: &[u64], bits: u32, out: &mut Vec<u8>) {
    debug_assert!(
        (1..64).contains(&bits) && (residues.len() as u64 * u64::from(bits)).is_multiple_of(8)
    );
    let mut word = 0;
    let mut filled = 0;
    for &residue in residues {
        word |= residue << filled;
        filled += bits;
        if filled >= 64 {
            out.extend_from_slice(&word.to_le_bytes());
            filled -= 64;
            // The bits that did not fit; none if the word ended exactly here.
            word = residue >> (bits - filled);
        }
    }
    out.extend_from_slice(&word.to_le_bytes()[..filled as usize / 8]);
}

/// The inverse. The error is the index of the first residue that is not below `bound`; all have been written then.
///
/// `packed` must hold `residues.len() * bits` bits and `bits` be at most 57, so that a residue lies within the 8
/// bytes from its first one on.
pub(super) fn unpack(
    packed: &[u8],
    bits: u32,
    bound: u64,
    residues: &mut [u64],
) -> Result<(), usize> {
    debug_assert!(bits <= 57 && packed.len() * 8 == residues.len() * bits as usize);
    let mask = (1 << bits) - 1;
    let mut position = 0;
    let mut valid = true;
    for residue in residues.iter_mut() {
        let value = (word_at(packed, position / 8) >> (position % 8)) & mask;
        valid &= value < bound;
        *residue = value;
        position += bits as usize;
    }
    if valid {
        Ok(())
    } else {
        Err(residues
            .iter()
            .position(|&residue| residue >= bound)
            .unwrap_or(0))
    }
}

/// The 8 bytes from `start` on, zeros beyond the end.
fn word_at(bytes: &[u8], start: usize) -> u64 {
    let rest = &bytes[start..];
    match rest.first_chunk::<8>() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => rest
            .iter()
            .rev()
            .fold(0, |word, &byte| word << 8 | u64::from(byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn unpack_inverts_pack(bits in 20_u32..=50, seeds in proptest::collection::vec(any::<u64>(), 16..=16), copies in 1_usize..5) {
            let residues: Vec<u64> = seeds.repeat(copies).into_iter().map(|seed| seed >> (64 - bits)).collect();
            let mut packed = vec![0xAA];
            pack(&residues, bits, &mut packed);
            prop_assert_eq!(packed.len(), 1 + residues.len() * bits as usize / 8);
            let mut back = vec![0; residues.len()];
            prop_assert_eq!(unpack(&packed[1..], bits, 1 << bits, &mut back), Ok(()));
            prop_assert_eq!(back, residues);
        }

        #[test]
        fn the_first_residue_out_of_range_is_found(index in 0_usize..16, bound in 1_u64..(1 << 30)) {
            let mut residues = vec![bound - 1; 16];
            residues[index] = bound;
            residues[15] = bound;
            let mut packed = Vec::new();
            pack(&residues, 31, &mut packed);
            prop_assert_eq!(unpack(&packed, 31, bound, &mut [0; 16]), Err(index));
        }
    }

    #[test]
    fn bits_are_little_endian() {
        let mut packed = Vec::new();
        pack(&[1, 2, 3, 4, 0, 0, 0, 0xF_FFFF], 20, &mut packed);
        assert_eq!(
            packed,
            [
                1, 0, 0x20, 0, 0, 3, 0, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xF0, 0xFF, 0xFF
            ]
        );
    }
}
