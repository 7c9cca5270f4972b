//! Weights by name.

use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensors};

use crate::error::ModelError;
use crate::network::Network;

/// The tensors of a network, flat in row-major order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Weights(BTreeMap<String, Vec<f64>>);

impl Weights {
    /// Reads 32-bit tensors and checks their names and shapes against the network, and that all are finite.
    ///
    /// # Errors
    /// [`ModelError::Weights`] or [`ModelError::Tensor`].
    pub fn read(network: &Network, bytes: &[u8]) -> Result<Self, ModelError> {
        let file = SafeTensors::deserialize(bytes)
            .map_err(|error| ModelError::Weights(error.to_string()))?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            if view.dtype() != Dtype::F32 {
                return Err(wrong(name, "F32", format!("{:?}", view.dtype())));
            }
            let values = view.data().as_chunks::<4>().0.iter();
            let values = values.map(|four| f64::from(f32::from_le_bytes(*four)));
            tensors.insert(name.to_owned(), (view.shape().to_vec(), values.collect()));
        }
        Self::new(network, tensors)
    }

    /// From shapes and values by name; checks as [`Weights::read`].
    ///
    /// # Errors
    /// [`ModelError::Tensor`].
    pub fn new(
        network: &Network,
        mut tensors: BTreeMap<String, (Vec<usize>, Vec<f64>)>,
    ) -> Result<Self, ModelError> {
        let mut found = BTreeMap::new();
        for (name, shape) in network.tensor_shapes() {
            let Some((given, values)) = tensors.remove(&name) else {
                return Err(wrong(&name, format!("{shape:?}"), "nothing"));
            };
            if given != shape || values.len() != shape.iter().product::<usize>() {
                return Err(wrong(&name, format!("{shape:?}"), format!("{given:?}")));
            }
            if !values.iter().all(|v| v.is_finite()) {
                return Err(wrong(&name, "finite numbers", "others"));
            }
            found.insert(name, values);
        }
        match tensors.keys().next() {
            Some(name) => Err(wrong(name, "nothing", "a tensor of no layer")),
            None => Ok(Self(found)),
        }
    }

    /// Those of a network that has some of the layers.
    pub(crate) fn only(&self, network: &Network) -> Self {
        let names = network.tensor_shapes().into_keys();
        Self(
            names
                .filter_map(|name| self.0.get_key_value(&name))
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect(),
        )
    }

    /// The tensor `layer.key`; empty if the network has none such.
    pub(crate) fn get(&self, layer: &str, key: &str) -> &[f64] {
        self.0
            .get(&format!("{layer}.{key}"))
            .map_or(&[], Vec::as_slice)
    }
}

fn wrong(name: &str, needed: impl ToString, available: impl ToString) -> ModelError {
    ModelError::Tensor {
        name: name.to_owned(),
        needed: needed.to_string(),
        available: available.to_string(),
    }
}
