//! Where a network that is deeper than a chain of levels is refreshed, and how its tensors are stored for that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use confide_ckks::KeyKind;
use confide_ckks::bootstrap::{BootstrapLiteral, BootstrapParameters, BootstrapWork};
use confide_tensor::RefreshLevels;

use crate::error::{ModelError, layer, layout};
use crate::network::{INPUT, Layer, Network, Op};

/// log2 of the ring degree of networks with bootstraps.
pub const LOG_N: u32 = 16;
/// log2 of the ring degree of tests, without any security.
#[cfg(any(test, feature = "insecure-test-parameters"))]
pub const INSECURE_LOG_N: u32 = 10;

/// Baby steps of the bootstraps' matrices. Half of the preset's: a plan for ResNet-20 takes a tenth longer, but its keys are
/// 1.2 GB instead of 1.7 to upload.
const BABY: usize = 4;

/// Refuses a ring degree for which there is no set.
///
/// # Errors
/// [`ModelError::Layout`].
pub(crate) fn ring(log_n: u32) -> Result<(), ModelError> {
    #[cfg(any(test, feature = "insecure-test-parameters"))]
    if log_n == INSECURE_LOG_N {
        return Ok(());
    }
    match log_n {
        LOG_N => Ok(()),
        _ => Err(layout("log2 of the ring degree", LOG_N, log_n)),
    }
}

/// The checked set for networks with bootstraps: [`BootstrapLiteral::n16`] with fewer keys.
///
/// # Errors
/// [`ModelError::Layout`] for a ring degree without such a set.
pub fn parameters(log_n: u32) -> Result<BootstrapParameters, ModelError> {
    ring(log_n)?;
    let set = BootstrapLiteral {
        baby: BABY,
        ..BootstrapLiteral::n16()
    };
    #[cfg(any(test, feature = "insecure-test-parameters"))]
    if log_n == INSECURE_LOG_N {
        let program = confide_ckks::ParametersLiteral {
            log_n,
            ..set.program.clone()
        };
        let literal = BootstrapLiteral { program, ..set };
        return Ok(BootstrapParameters::new_insecure_for_tests(literal)?);
    }
    Ok(BootstrapParameters::new(set)?)
}

/// What bootstraps of vectors with all slots in use need.
#[derive(Debug, Clone)]
pub struct BootstrapNeeds {
    /// Between which levels vectors are refreshed.
    pub levels: RefreshLevels,
    /// Keys with their levels.
    pub keys: Vec<(KeyKind, usize)>,
    /// Bytes of the matrices.
    pub matrix_bytes: u64,
    /// What a bootstrap consists of.
    pub work: BootstrapWork,
    /// Limbs that it holds at most beside input and result.
    pub limbs: usize,
}

impl BootstrapNeeds {
    /// Those of the set for a ring degree. Found once: that computes all factors of the transforms, and planners ask often.
    ///
    /// # Errors
    /// As [`parameters`].
    pub fn of_ring(log_n: u32) -> Result<Self, ModelError> {
        static SECURE: OnceLock<BootstrapNeeds> = OnceLock::new();
        if log_n != LOG_N {
            return Self::of(&parameters(log_n)?);
        }
        if let Some(known) = SECURE.get() {
            return Ok(known.clone());
        }
        let made = Self::of(&parameters(log_n)?)?;
        Ok(SECURE.get_or_init(|| made).clone())
    }

    /// Those of a set.
    ///
    /// # Errors
    /// [`ModelError::Evaluation`], which does not happen for a checked set.
    pub fn of(set: &BootstrapParameters) -> Result<Self, ModelError> {
        let (params, literal) = (set.params(), set.literal());
        let log_slots = params.log_slots();
        // The widest moment: baby steps and giant sums of the first matrix over Q P, of real and imaginary part.
        let top = params.max_level() + 1 + literal.program.log_p.len();
        Ok(Self {
            levels: RefreshLevels::of(set, log_slots),
            keys: set.keys(log_slots)?,
            matrix_bytes: set.matrix_bytes(log_slots)?,
            work: set.work(log_slots)?,
            limbs: 2 * 2 * (2 * literal.baby + 4) * top,
        })
    }
}

/// The tensors of a network that are refreshed as soon as they are made.
///
/// Only those are that everything after them is made of, so that nothing else has to wait at a lower level: the outputs
/// of residual blocks. Their values have to be at most 1 in size, so they are stored divided by their promised bounds,
/// at no cost: the activation before makes them so.
#[derive(Debug, Clone, Default)]
pub struct Refreshes {
    /// What each one is multiplied by.
    factors: BTreeMap<String, f64>,
}

impl Refreshes {
    /// No refresh: for networks that the levels suffice for.
    pub fn none() -> Self {
        Self::default()
    }

    /// The places where the fewest values are refreshed in all, for images that come at level `entry`. The network's own
    /// output is at the input level of refreshes plus `spare` or above. `bounds` are of the largest absolute values by layer
    /// ([`crate::card::Ranges::bound`]).
    ///
    /// # Errors
    /// [`ModelError::Layer`] for a part of a network that is too deep and has no such tensor; [`ModelError::Card`] for one
    /// without a bound.
    pub fn place(
        network: &Network,
        bounds: &BTreeMap<String, f64>,
        levels: RefreshLevels,
        (entry, spare): (usize, usize),
    ) -> Result<Self, ModelError> {
        let span = levels.output - levels.input;
        let spans = [entry.saturating_sub(levels.input), span];
        let depths = network.depths();
        let depth = |name: &str| depths.get(name).copied().unwrap_or(0);
        let sizes = network.shapes()?;
        let mut places = vec![Place::start()];
        for one in cuts(network) {
            let values = sizes.get(one).map_or(0, |shape| shape.iter().product());
            let reached = reach(&places, depth(one), spans);
            if let Some((before, spent)) = reached {
                places.push(Place {
                    name: one,
                    depth: depth(one),
                    spent: spent + values,
                    before,
                });
            }
        }
        let end = depth(network.output()) + spare;
        let Some((mut at, _)) = reach(&places, end, spans) else {
            let last = places.last().map_or(INPUT, |place| place.name);
            let needed = format!("at most {span} levels to the next tensor that can be refreshed");
            return Err(layer(last, "depth", needed, "more"));
        };
        let mut factors = BTreeMap::new();
        while at > 0 {
            let place = &places[at];
            factors.insert(place.name.to_owned(), factor(place.name, bounds)?);
            at = place.before;
        }
        Ok(Self { factors })
    }

    /// Number of refreshed tensors.
    pub fn len(&self) -> usize {
        self.factors.len()
    }

    /// Whether nothing is refreshed.
    pub fn is_empty(&self) -> bool {
        self.factors.is_empty()
    }

    /// Names of the refreshed tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.factors.keys().map(String::as_str)
    }

    /// What a tensor is stored times if it is refreshed.
    pub(crate) fn factor(&self, name: &str) -> Option<f64> {
        self.factors.get(name).copied()
    }
}

/// A tensor that may be refreshed, and the cheapest way to it.
struct Place<'a> {
    name: &'a str,
    depth: usize,
    /// Values that have been refreshed up to and with this one.
    spent: usize,
    /// Number of the place before.
    before: usize,
}

impl Place<'_> {
    fn start() -> Self {
        Self {
            name: INPUT,
            depth: 0,
            spent: 0,
            before: 0,
        }
    }
}

/// The cheapest of the places from which a depth is reached, and what it has cost; the later one of two that cost the same. So many
/// levels go on from the input, and so many from others.
fn reach(places: &[Place<'_>], depth: usize, [first, span]: [usize; 2]) -> Option<(usize, usize)> {
    let near = places.iter().enumerate().filter(|(at, place)| {
        let levels = if *at == 0 { first } else { span };
        depth.saturating_sub(place.depth) <= levels
    });
    let best = near.min_by_key(|(at, place)| (place.spent, usize::MAX - at));
    best.map(|(at, place)| (at, place.spent))
}

/// Tensors that everything after them is made of, in order. Not those that an activation or a pooling reads or a pooling makes: their
/// scale is not free, or they are made on the way.
fn cuts(network: &Network) -> impl Iterator<Item = &str> {
    let mut alive = BTreeSet::from([INPUT]);
    let layers = &network.layers;
    layers.iter().enumerate().filter_map(move |(at, one)| {
        alive.insert(&one.name);
        let later = &layers[at + 1..];
        alive.retain(|name| later.iter().any(|next| next.reads(name)));
        let free = |next: &Layer| !matches!(next.op, Op::Activation { .. });
        let fits = network.readers(&one.name).all(free);
        let alone = alive.len() == 1 && alive.contains(one.name.as_str());
        (alone && fits && one.op != Op::Pool).then_some(one.name.as_str())
    })
}

fn factor(name: &str, bounds: &BTreeMap<String, f64>) -> Result<f64, ModelError> {
    match bounds.get(name) {
        Some(&bound) if bound.is_normal() && bound > 0.0 => Ok(1.0 / bound),
        _ => Err(ModelError::Card(format!("no bound of {name} is promised"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{Placement, resnet};

    const LEVELS: RefreshLevels = RefreshLevels {
        input: 2,
        output: 15,
    };

    fn bounds(network: &Network) -> BTreeMap<String, f64> {
        let names = network.layers.iter().map(|one| one.name.clone());
        names.map(|name| (name, 4.0)).collect()
    }

    fn placed(blocks: usize, placement: Placement) -> Vec<String> {
        let network = resnet([3, 32, 32], &[16, 32, 64], blocks, 10, placement);
        let placed = Refreshes::place(&network, &bounds(&network), LEVELS, (LEVELS.output, 0))
            .expect("places");
        placed.names().map(str::to_owned).collect()
    }

    #[test]
    fn no_path_between_refreshes_is_too_long_and_narrow_maps_are_preferred() {
        // Depths: the stem 2, each block 4, the dense layer 1.
        assert_eq!(
            placed(3, Placement::Branch),
            [
                "stage1.block2.add",
                "stage2.block2.add",
                "stage3.block2.add"
            ]
        );
        // 63 levels: the fewest refreshes are five.
        let found = placed(5, Placement::Branch);
        assert_eq!(found.len(), 5, "{found:?}");
    }

    #[test]
    fn more_levels_at_the_input_spare_refreshes() {
        let network = resnet([3, 32, 32], &[16, 32, 64], 3, 10, Placement::Branch);
        let placed =
            Refreshes::place(&network, &bounds(&network), LEVELS, (27, 0)).expect("places");
        let names: Vec<&str> = placed.names().collect();
        assert_eq!(names, ["stage2.block2.add", "stage3.block2.add"]);
        let placed =
            Refreshes::place(&network, &bounds(&network), LEVELS, (41, 0)).expect("places");
        assert!(placed.is_empty());
    }

    #[test]
    fn what_an_activation_reads_is_not_refreshed() {
        for name in placed(3, Placement::Sum) {
            assert!(name.ends_with("act2"), "{name}");
        }
    }

    #[test]
    fn a_part_that_is_too_deep_is_named() {
        let network = resnet([3, 32, 32], &[16], 1, 10, Placement::Branch);
        let short = RefreshLevels {
            input: 2,
            output: 5,
        };
        let error = Refreshes::place(&network, &bounds(&network), short, (short.output, 0))
            .expect_err("too deep");
        assert!(error.to_string().contains("at most 3 levels"), "{error}");
    }

    #[test]
    fn a_tensor_without_a_bound_is_named() {
        let network = resnet([3, 32, 32], &[16, 32, 64], 3, 10, Placement::Branch);
        let error = Refreshes::place(&network, &BTreeMap::new(), LEVELS, (LEVELS.output, 0))
            .expect_err("no bound");
        assert!(error.to_string().contains("stage"), "{error}");
    }

    #[test]
    fn a_shallow_network_needs_none() {
        let network = resnet([3, 8, 8], &[4], 2, 10, Placement::Branch);
        let placed = Refreshes::place(&network, &bounds(&network), LEVELS, (LEVELS.output, 0))
            .expect("places");
        assert!(placed.is_empty());
    }
}
