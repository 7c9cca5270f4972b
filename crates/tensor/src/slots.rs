//! The ring's slots: which root each one is, and what rotations and monomials do to them.

/// Slot structure of the ring of degree `N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotRing {
    log_n: u32,
}

impl SlotRing {
    /// The ring of degree `2^log_n`; degrees outside `2^2 ..= 2^30` are clamped to that range.
    pub fn new(log_n: u32) -> Self {
        Self {
            log_n: log_n.clamp(2, 30),
        }
    }

    /// log2 of the degree.
    pub fn log_n(&self) -> u32 {
        self.log_n
    }

    /// Degree `N`.
    pub fn degree(&self) -> usize {
        1 << self.log_n
    }

    /// Slots, `N/2`.
    pub fn slots(&self) -> usize {
        1 << (self.log_n - 1)
    }

    /// `k` modulo `2N`.
    pub fn exponent(&self, k: i64) -> usize {
        // 2N fits in 31 bits.
        k.rem_euclid(2 << self.log_n) as usize
    }

    /// Galois element `5^k mod 2N` of the rotation by `k`.
    pub fn rotation(&self, k: i64) -> u64 {
        let mask = (2u64 << self.log_n) - 1;
        let mut exponent = k.rem_euclid(self.slots() as i64) as u64;
        let (mut result, mut base) = (1u64, 5u64);
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = (result * base) & mask;
            }
            base = (base * base) & mask;
            exponent >>= 1;
        }
        result
    }

    /// Galois element `2N - 1` of the conjugation.
    pub fn conjugation(&self) -> u64 {
        (2u64 << self.log_n) - 1
    }

    /// `5^s mod 2N` for every slot `s`.
    pub fn powers_of_five(&self) -> Vec<usize> {
        let mask = (2usize << self.log_n) - 1;
        let mut power = 1;
        (0..self.slots())
            .map(|_| {
                let current = power;
                power = (power * 5) & mask;
                current
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotations_form_the_group_of_powers_of_five() {
        let ring = SlotRing::new(6);
        let powers = ring.powers_of_five();
        for (s, &power) in powers.iter().enumerate() {
            assert_eq!(ring.rotation(s as i64), power as u64);
        }
        assert_eq!(ring.rotation(-1) * 5 % 128, 1);
        assert_eq!(ring.conjugation(), 127);
    }
}
