//! Rotation and multiplication of poulpy-ckks over its backend for AVX-512 IFMA.
//!
//! Prints one JSON object a line. poulpy has no chain of primes: a ciphertext of k bits has the
//! modulus 2^k, all of which can be consumed, so k is set to the bits of our ciphertext modulus.
//! What its switching keys have beyond k stands for our special modulus, guard bits included.

use std::collections::HashMap;
use std::error::Error;

use clap::Parser;
use confide_peers::{median, times};
use poulpy_ckks::layouts::{CKKSCiphertextAlloc, CKKSCiphertextOwned, CKKSPlaintextAlloc};
use poulpy_ckks::prelude::*;
use poulpy_core::api::{
    GLWEAutomorphismKeyPreparedFactory, GLWESecretPreparedFactory, GLWESecretSampling,
    GLWETensorKeyPreparedFactory,
};
use poulpy_core::layouts::{
    GGLWEInfos, GGLWELayout, GLWEAutomorphismKeyAlloc, GLWEAutomorphismKeyLayout, GLWELayout,
    GLWESecretAlloc, GLWETensorKeyAlloc, GLWETensorKeyLayout, LWEInfos, ModuleCoreAlloc, Rank,
    prepared::GLWESecretPrepared,
};
use poulpy_core::{GLWEAutomorphismKeyEncryptSk, GLWETensorKeyEncryptSk};
use poulpy_cpu_avx512::{NTT3x42Ifma, NTT3x42IfmaRayon};
use poulpy_hal::AlignedBuf;
use poulpy_hal::api::{ModuleNew, ScratchOwnedAlloc, ScratchOwnedBorrow};
use poulpy_hal::layouts::{
    Backend, HostBackend, HostStaged, MaxBase2k, Module, ScratchOwned, Standard,
};
use poulpy_hal::source::Source;

/// Rotation and multiplication of poulpy-ckks
#[derive(Parser)]
struct Options {
    /// log2 of the degree
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(15..=16))]
    log_n: u32,
    /// Threads; beyond one, RAYON_NUM_THREADS has to say the same
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Bits of a ciphertext; as Confide's modulus has, to the last whole limb, when absent
    #[arg(long)]
    log_q: Option<usize>,
    /// Bits of a limb; the fastest known when absent
    #[arg(long)]
    base2k: Option<usize>,
    /// Bits of a gadget digit; likewise
    #[arg(long)]
    digit: Option<usize>,
    /// Timed runs of each operation
    #[arg(long, default_value_t = 15)]
    rounds: usize,
}

/// The chance of a wrong coefficient that a limb's width may leave, as -log2.
const FAILURE_BITS: usize = 128;
/// The largest error of a slot that is no fault. Slots are below 2 and scales have 41 bits or more.
const TOLERANCE: f64 = 1e-6;

/// Sizes of everything, in bits but for the degree.
#[derive(Clone, Copy)]
struct Sizes {
    n: usize,
    /// A ciphertext's modulus.
    k: usize,
    log_scale: usize,
    base2k: usize,
    digit: usize,
}

impl Sizes {
    /// As many bits as Confide's sets have, 1220 rounded down to whole limbs, and as many digits
    /// in a key: four. Limbs are what multiplies fastest: the widest that the modulus fills and
    /// digits consist of; a limb of a bit more or less costs a sixth.
    fn of(options: &Options) -> Self {
        let (k, log_scale, base2k, digit) = match options.log_n {
            15 => (660, 41, 55, 165),
            _ => (1219, 45, 53, 318),
        };
        Self {
            n: 1 << options.log_n,
            k: options.log_q.unwrap_or(k),
            log_scale,
            base2k: options.base2k.unwrap_or(base2k),
            digit: options.digit.unwrap_or(digit),
        }
    }

    fn ciphertext(&self, k: usize) -> GLWELayout {
        GLWELayout {
            n: self.n.into(),
            base2k: self.base2k.into(),
            k: k.into(),
            rank: Rank(1),
        }
    }

    fn plaintext(&self) -> CKKSLayout {
        CKKSLayout {
            // Ten bits beyond the scale hold the message.
            glwe_layout: self.ciphertext(self.log_scale + 10),
            meta: GLWEPlaintextMeta {
                scale: Scale::Log(self.log_scale),
                slots: SlotsKind::Complex,
                log_sparsity: 0,
            },
        }
    }

    /// Digits over the whole ciphertext, and log2(N) bits beyond them and one more digit, which
    /// keep the noise of a switch below the last bit of a ciphertext.
    fn rotation_key(&self) -> GLWEAutomorphismKeyLayout {
        let dnum = GGLWELayout::dnum_for_input(self.k.into(), self.digit.into());
        let beyond = dnum.as_usize() * self.digit - self.k;
        let noise = (self.n.ilog2() as usize).saturating_sub(beyond);
        GLWEAutomorphismKeyLayout {
            n: self.n.into(),
            base2k: self.base2k.into(),
            dnum,
            k_aux: (self.digit + noise).into(),
            rank: Rank(1),
            k_digit: self.digit.into(),
        }
    }

    fn product_key(&self) -> GLWETensorKeyLayout {
        let GLWEAutomorphismKeyLayout {
            n,
            base2k,
            dnum,
            k_aux,
            rank,
            k_digit,
        } = self.rotation_key();
        GLWETensorKeyLayout {
            n,
            base2k,
            dnum,
            k_aux,
            rank,
            k_digit,
        }
    }
}

/// The operations of poulpy's that this bench calls.
trait Operations<BE: Backend>:
    ModuleNew<BE>
    + ModuleCoreAlloc<OwnedBuf = BE::OwnedBuf, ZnxWord = BE::ZnxWord>
    + CKKSCiphertextAlloc<BE>
    + CKKSPlaintextAlloc<BE>
    + CKKSAllOpsTmpBytes<BE>
    + CKKSEncodingHostOps<BE, f64>
    + CKKSEncryptOps<BE>
    + CKKSDecryptOps<BE>
    + CKKSMulOps<BE>
    + CKKSRotateOps<BE>
    + GLWESecretSampling<BE>
    + GLWESecretPreparedFactory<BE>
    + GLWETensorKeyEncryptSk<BE>
    + GLWETensorKeyPreparedFactory<BE>
    + GLWEAutomorphismKeyEncryptSk<BE>
    + GLWEAutomorphismKeyPreparedFactory<BE>
{
}

impl<BE: Backend, M> Operations<BE> for M where
    M: ModuleNew<BE>
        + ModuleCoreAlloc<OwnedBuf = BE::OwnedBuf, ZnxWord = BE::ZnxWord>
        + CKKSCiphertextAlloc<BE>
        + CKKSPlaintextAlloc<BE>
        + CKKSAllOpsTmpBytes<BE>
        + CKKSEncodingHostOps<BE, f64>
        + CKKSEncryptOps<BE>
        + CKKSDecryptOps<BE>
        + CKKSMulOps<BE>
        + CKKSRotateOps<BE>
        + GLWESecretSampling<BE>
        + GLWESecretPreparedFactory<BE>
        + GLWETensorKeyEncryptSk<BE>
        + GLWETensorKeyPreparedFactory<BE>
        + GLWEAutomorphismKeyEncryptSk<BE>
        + GLWEAutomorphismKeyPreparedFactory<BE>
{
}

/// Real and imaginary parts of the slots.
type Slots = (Vec<f64>, Vec<f64>);

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    if options.threads == 1 {
        return measure::<NTT3x42Ifma>(&options);
    }
    let told = std::env::var("RAYON_NUM_THREADS").unwrap_or_default();
    if told != options.threads.to_string() {
        return Err(format!("RAYON_NUM_THREADS is not {}", options.threads).into());
    }
    measure::<NTT3x42IfmaRayon>(&options)
}

fn measure<BE>(options: &Options) -> Result<(), Box<dyn Error>>
where
    BE: Backend<OwnedBuf = AlignedBuf, ZnxWord = i64, Ring = Standard>
        + HostBackend
        + HostStaged
        + MaxBase2k,
    Module<BE>: Operations<BE>,
    ScratchOwned<BE>: ScratchOwnedAlloc<BE> + ScratchOwnedBorrow<BE>,
{
    let sizes = Sizes::of(options);
    // A limb of a product is a sum over two pairs of components and all limbs of one of them.
    let terms = 2 * sizes.k.div_ceil(sizes.base2k);
    let widest = Module::<BE>::max_base2k(sizes.n, terms, FAILURE_BITS, false);
    if sizes.base2k > widest {
        return Err(format!("limbs of {} bits overflow; {widest} at most", sizes.base2k).into());
    }
    let module = Module::<BE>::new(sizes.n as u64);
    let (layout, plaintext) = (sizes.ciphertext(sizes.k), sizes.plaintext());
    let (rotation_key, product_key) = (sizes.rotation_key(), sizes.product_key());
    let new = |k: usize| module.ckks_ciphertext_alloc_from_glwe_infos(&sizes.ciphertext(k));

    let mut input = new(sizes.k);
    input.set_meta(plaintext.meta);
    let scratch = module
        .ckks_all_ops_with_atk_tmp_bytes(&input, &plaintext, &product_key, &rotation_key)
        .max(module.ckks_encoding_host_tmp_bytes(sizes.n / 2));
    let mut scratch = ScratchOwned::<BE>::alloc(scratch);
    let mut masks = Source::new([1; 32]);
    let mut errors = Source::new([2; 32]);

    let mut raw = module.glwe_secret_alloc_from_infos(&layout);
    module.glwe_secret_fill_ternary_prob(&mut raw, 2.0 / 3.0, &mut Source::new([3; 32]));
    let mut secret = module.glwe_secret_prepared_alloc_from_infos(&layout);
    module.glwe_secret_prepare(&mut secret, &raw);

    let element = module.ckks_galois_element(1);
    let mut key = module.glwe_automorphism_key_alloc_from_infos(&rotation_key);
    module.glwe_automorphism_key_encrypt_sk(
        &mut key,
        element,
        &raw,
        &mut errors,
        &mut masks,
        &mut scratch.borrow(),
    );
    let mut prepared = module.glwe_automorphism_key_prepared_alloc_from_infos(&rotation_key);
    module.glwe_automorphism_key_prepare(&mut prepared, &key, &mut scratch.borrow());
    let rotations = HashMap::from([(element, prepared)]);

    let mut key = module.glwe_tensor_key_alloc_from_infos(&product_key);
    module.glwe_tensor_key_encrypt_sk(
        &mut key,
        &raw,
        &mut errors,
        &mut masks,
        &mut scratch.borrow(),
    );
    let mut relinearisation = module.glwe_tensor_key_prepared_alloc_from_infos(&product_key);
    module.glwe_tensor_key_prepare(&mut relinearisation, &key, &mut scratch.borrow());

    let (re, im): Slots = (0..sizes.n / 2)
        .map(|i| ((i % 17) as f64 / 17.0, 0.5 - (i % 5) as f64 / 5.0))
        .unzip();
    let mut encoded = module.ckks_plaintext_alloc_from_infos(&plaintext);
    module.ckks_encode_slots_host_into(&mut encoded, &re, &im, &mut scratch.borrow())?;
    module.ckks_encrypt_sk(
        &mut input,
        &encoded,
        &secret,
        &mut errors,
        &mut masks,
        &mut scratch.borrow(),
    )?;

    let report = |op: &str, ms: f64| {
        let line = serde_json::json!({
            "op": op, "n": sizes.n, "log_q": sizes.k,
            "log_p": rotation_key.k().as_usize() - sizes.k, "threads": options.threads,
            "peer": "poulpy-ckks 0.10", "peer_ms": ms,
            "note": format!(
                "equal residual bits, guard bits as P; {} digits of {} bits in limbs of {}",
                rotation_key.dnum().as_usize(), sizes.digit, sizes.base2k
            ),
        });
        println!("{line}");
    };
    let next = |i: usize| (i + 1) % re.len();

    let mut rotated = new(sizes.k);
    let ms = median_ms(options.rounds, || {
        module.ckks_rotate_into(1, &mut rotated, &input, &rotations, &mut scratch.borrow())
    })?;
    let wanted: Slots = (0..re.len()).map(|i| (re[next(i)], im[next(i)])).unzip();
    check(&module, &sizes, &rotated, &secret, &mut scratch, &wanted)?;
    report("rotate", ms);

    // The product comes out a scale narrower, as a rescaled one.
    let mut product = new(sizes.k - sizes.log_scale);
    let ms = median_ms(options.rounds, || {
        module.ckks_mul_into(
            &mut product,
            &input,
            &rotated,
            &relinearisation,
            &mut scratch.borrow(),
        )
    })?;
    let wanted: Slots = (0..re.len())
        .map(|i| {
            let (a, b, c, d) = (re[i], im[i], re[next(i)], im[next(i)]);
            (a * c - b * d, a * d + b * c)
        })
        .unzip();
    check(&module, &sizes, &product, &secret, &mut scratch, &wanted)?;
    report("mul_relin_rescale", ms);
    Ok(())
}

/// The median of that many runs, after one that touches fresh memory.
fn median_ms(rounds: usize, mut run: impl FnMut() -> CKKSResult<()>) -> CKKSResult<f64> {
    run()?;
    let mut failed = Ok(());
    let mut samples = times(rounds.max(1), || {
        if let Err(error) = run() {
            failed = Err(error);
        }
    });
    failed.map(|()| median(&mut samples))
}

/// The slots of a result are the wanted ones.
fn check<BE>(
    module: &Module<BE>,
    sizes: &Sizes,
    result: &CKKSCiphertextOwned<BE>,
    secret: &GLWESecretPrepared<BE::OwnedBuf, BE>,
    scratch: &mut ScratchOwned<BE>,
    wanted: &Slots,
) -> Result<(), Box<dyn Error>>
where
    BE: Backend<OwnedBuf = AlignedBuf, ZnxWord = i64, Ring = Standard> + HostBackend + HostStaged,
    Module<BE>: Operations<BE>,
    ScratchOwned<BE>: ScratchOwnedAlloc<BE> + ScratchOwnedBorrow<BE>,
{
    let mut decrypted = module.ckks_plaintext_alloc_from_infos(&sizes.plaintext());
    module.ckks_decrypt(&mut decrypted, result, secret, &mut scratch.borrow())?;
    let (mut re, mut im) = (vec![0.0; sizes.n / 2], vec![0.0; sizes.n / 2]);
    module.ckks_decode_slots_host_into(&decrypted, &mut re, &mut im, &mut scratch.borrow())?;
    let errors: Vec<f64> = re
        .iter()
        .zip(&wanted.0)
        .chain(im.iter().zip(&wanted.1))
        .map(|(found, wanted)| (found - wanted).abs())
        .collect();
    let worst = errors.iter().copied().fold(0.0, f64::max);
    // Not by `worst`, which passes over what is not a number.
    if !errors.iter().all(|error| *error < TOLERANCE) {
        return Err(format!("a slot is wrong by {worst:e}").into());
    }
    let bits = result.k().as_usize();
    eprintln!("largest error 2^{:.1}, {bits} bits left", worst.log2());
    Ok(())
}
