//! Functions of single-precision numbers in plain additions and multiplications: the same to the bit on every machine,
//! and vectors of them where the compiler has such.

/// Numbers that are summed side by side.
const LANES: usize = 8;

/// e^x to 2 units in the last place; x is taken as at least -87 and at most 88. Range reduction and polynomial of the
/// Cephes library's `expf` (Moshier 1992).
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Adding and taking away 1.5 x 2^23 rounds to the nearest whole number.
    const ROUND: f32 = 12_582_912.0;
    let x = if x > -87.0 { x } else { -87.0 };
    let x = if x < 88.0 { x } else { 88.0 };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let x = x - whole * 0.693_359_4 + whole * 2.121_944_4e-4;
    let mut y = 1.987_569_1e-4;
    for factor in [
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        5.0e-1,
    ] {
        y = y * x + factor;
    }
    let y = y * (x * x) + x + 1.0;
    let exponent = (shifted.to_bits() << 23).wrapping_add(127 << 23);
    y * f32::from_bits(exponent)
}

/// x by the probability that a normal number is below x, error at most 2e-7 |x| (Hendrycks and Gimpel 2016; the error
/// function by Abramowitz and Stegun 7.1.26).
#[inline(always)]
pub fn gelu(x: f32) -> f32 {
    let size = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * size);
    let mut tail = 1.061_405_4;
    for factor in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        tail = tail * t + factor;
    }
    // Half of one minus the error function of the size.
    let tail = 0.5 * tail * t * exp(-size * size);
    x * if x < 0.0 { tail } else { 1.0 - tail }
}

/// The sum, in an order that does not depend on the machine.
pub fn sum(values: &[f32]) -> f32 {
    let (parts, rest) = values.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for part in parts {
        for (sum, value) in sums.iter_mut().zip(part) {
            *sum += value;
        }
    }
    sums.iter().chain(rest).sum()
}

/// The sum of squares.
pub fn square_sum(values: &[f32]) -> f32 {
    let (parts, rest) = values.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for part in parts {
        for (sum, value) in sums.iter_mut().zip(part) {
            *sum += value * value;
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|value| value * value).sum::<f32>()
}

/// Turns scores into weights that sum to one.
pub fn softmax(scores: &mut [f32]) {
    let most = scores.iter().fold(
        f32::NEG_INFINITY,
        |most, &score| {
            if score > most { score } else { most }
        },
    );
    for score in scores.iter_mut() {
        *score = exp(*score - most);
    }
    let factor = 1.0 / sum(scores);
    for score in scores {
        *score *= factor;
    }
}

/// What a layer norm learned.
pub struct Norm {
    /// A factor for each number.
    pub weight: Vec<f32>,
    /// Added to each number.
    pub bias: Vec<f32>,
}

impl Norm {
    /// Brings each vector to mean zero and variance one, then applies what was learned (Ba, Kiros, Hinton 2016).
    pub fn apply(&self, vectors: &mut [f32]) {
        let columns = self.weight.len();
        for vector in vectors.chunks_exact_mut(columns) {
            let mean = sum(vector) / columns as f32;
            for value in vector.iter_mut() {
                *value -= mean;
            }
            let variance = square_sum(vector) / columns as f32;
            let factor = 1.0 / (variance + 1e-12).sqrt();
            let learned = self.weight.iter().zip(&self.bias);
            for (value, (weight, bias)) in vector.iter_mut().zip(learned) {
                *value = *value * factor * weight + bias;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_and_gelu_are_close() {
        for i in -8700..=8800 {
            let x = i as f32 / 100.0;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) / exact - 1.0).abs() < 3e-7, "exp({x})");
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(-1e9) > 0.0 && exp(1e9).is_finite());
        // From scipy.special.ndtr.
        for (x, exact) in [
            (-6.0, -5.919_525e-9),
            (-3.0, -0.004_049_694),
            (-1.0, -0.158_655_25),
            (-0.1, -0.046_017_22),
            (0.0, 0.0),
            (0.5, 0.345_731_23),
            (1.0, 0.841_344_8),
            (2.5, 2.484_475_8),
            (8.0, 8.0),
        ] {
            assert!((gelu(x) - exact).abs() <= 2e-7 * x.abs().max(1.0), "{x}");
        }
    }

    #[test]
    fn weights_sum_to_one_and_norms_have_variance_one() {
        let mut scores: Vec<f32> = (0..37).map(|i| (i * i % 23) as f32 - 50.0).collect();
        softmax(&mut scores);
        assert!((scores.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        let mut vector: Vec<f32> = (0..24).map(|i| (i * 7 % 11) as f32).collect();
        let norm = Norm {
            weight: vec![2.0; 24],
            bias: vec![1.0; 24],
        };
        norm.apply(&mut vector);
        assert!((sum(&vector) / 24.0 - 1.0).abs() < 1e-6);
        let variance = vector.iter().map(|v| (v - 1.0).powi(2)).sum::<f32>() / 24.0;
        assert!((variance - 4.0).abs() < 1e-5);
    }
}
