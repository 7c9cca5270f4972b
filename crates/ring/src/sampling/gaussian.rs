//! Discrete Gaussian errors by a cumulative table.

use zeroize::Zeroize;

use super::Prng;

/// Standard deviation of the errors.
pub const SIGMA: f64 = 3.19;

/// round(2^64 P(|x| <= k)) for k = 0, 1, ...: the magnitude is the number of entries at or below a uniform
/// 64-bit number. Beyond 28 (8.9 standard deviations) less than 2^-64 remains, which falls to 29.
pub(super) const CUMULATIVE: [u64; 29] = [
    0x2003_f343_6595_28d1,
    0x5cf9_e7de_0f06_d96c,
    0x9194_fd0b_b069_4af4,
    0xbaba_a2ef_1eec_1101,
    0xd7e6_ab30_aa08_4360,
    0xeaa5_b921_00f7_7dac,
    0xf591_040a_c349_92ea,
    0xfb54_cb2c_a496_fffa,
    0xfe17_0229_7749_d972,
    0xff49_53f8_bd4a_e9d1,
    0xffc1_c20e_f5de_7234,
    0xffec_ac7f_021e_2ba0,
    0xfffa_8921_3337_8b2a,
    0xfffe_9810_099a_70db,
    0xffff_abc3_1cff_b430,
    0xffff_ee13_8cf3_85dc,
    0xffff_fc88_b8f2_1ed8,
    0xffff_ff64_1ef5_4a95,
    0xffff_ffe7_207a_46bb,
    0xffff_fffc_6560_da3b,
    0xffff_ffff_86a2_4b99,
    0xffff_ffff_f182_2ec9,
    0xffff_ffff_fe6d_fc67,
    0xffff_ffff_ffd8_77f0,
    0xffff_ffff_fffc_7916,
    0xffff_ffff_ffff_b6eb,
    0xffff_ffff_ffff_faa2,
    0xffff_ffff_ffff_ffa5,
    0xffff_ffff_ffff_fffa,
];

/// `n` independent coefficients of the discrete Gaussian over the integers with standard deviation
/// parameter [`SIGMA`], to a statistical distance below 2^-58 each. Time and memory access do not depend on
/// them: every entry of the table is compared every time.
pub fn gaussian(n: usize, rng: &mut Prng) -> Vec<i8> {
    let mut out = Vec::with_capacity(n);
    let (mut bytes, mut signs) = ([0u8; 512], [0u8; 8]);
    while out.len() < n {
        rng.fill(&mut bytes);
        rng.fill(&mut signs);
        let signs = u64::from_le_bytes(signs);
        for (i, word) in bytes
            .as_chunks::<8>()
            .0
            .iter()
            .take(n - out.len())
            .enumerate()
        {
            let r = u64::from_le_bytes(*word);
            let magnitude = CUMULATIVE
                .iter()
                .fold(0i8, |k, &bound| k + i8::from(r >= bound));
            // All ones for a negative sign: (m ^ -1) + 1 = -m.
            let sign = -(((signs >> i) & 1) as i8);
            out.push((magnitude ^ sign) - sign);
        }
    }
    bytes.zeroize();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_cumulative_distribution() {
        let weight = |k: usize| (-((k * k) as f64) / (2.0 * SIGMA * SIGMA)).exp();
        let total = weight(0) + 2.0 * (1..60).map(weight).sum::<f64>();
        let mut sum = 0.0;
        for (k, &entry) in CUMULATIVE.iter().enumerate() {
            sum += weight(k) * if k == 0 { 1.0 } else { 2.0 };
            let error = entry as f64 / 2f64.powi(64) - sum / total;
            assert!(error.abs() < 1e-14, "entry {k}: {error}");
        }
        assert!(CUMULATIVE.is_sorted());
        assert!((CUMULATIVE.len() - 1) as f64 > 6.0 * SIGMA);
        // What the table leaves for 29: less than the weight of its rounding.
        assert!(u64::MAX - CUMULATIVE[28] < 8);
    }
}
