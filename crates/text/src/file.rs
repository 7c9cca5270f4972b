//! The file of a language model: safetensors with the names of the original, matrices as 8-bit whole numbers with a
//! scale for each row, the word list, and in the header what the tensors do not say.
//!
//! | tensor | type and shape |
//! | --- | --- |
//! | `<matrix>.weight`, `<matrix>.scale` | I8 `[outputs, inputs]`, F32 `[outputs]` |
//! | `<matrix>.bias`, `<norm>.weight`, `<norm>.bias` | F32 `[outputs]` |
//! | `embeddings.word_embeddings.weight`, `.scale` | I8 `[words, hidden]`, F32 `[words]` |
//! | `embeddings.position_embeddings.weight` | F32 `[positions, hidden]`, that of the first segment added |
//! | `vocabulary` | U8 `[bytes]`: the words, a line each |
//! | `heads` | U8 `[1]`: the number of attention heads |
//!
//! The header's one entry, `format`, is `confide-text-1`.

use crate::error::TextError;
use crate::lanes::LANES;
use crate::linear::{Linear, MAX_COLUMNS};
use crate::maths::Norm;
use safetensors::{Dtype, SafeTensors};

/// Name and version of the format.
pub const FORMAT: &str = "confide-text-1";
/// Entry of the header with the format.
pub const FORMAT_KEY: &str = "format";
/// Tensor with the number of attention heads.
pub const HEADS: &str = "heads";
/// Tensor of the words.
pub const VOCABULARY: &str = "vocabulary";
/// Tensors of the embedding of words and places.
pub const WORDS: &str = "embeddings.word_embeddings";
/// Tensor of the embedding of places.
pub const POSITIONS: &str = "embeddings.position_embeddings.weight";
/// Most layers of a model.
const MAX_LAYERS: usize = 64;

/// The embeddings of words, as whole numbers with a scale each.
pub struct Words {
    /// `hidden` numbers a word.
    pub weights: Vec<i8>,
    /// A scale for each word.
    pub scales: Vec<f32>,
}

/// One layer of the encoder.
pub struct Layer {
    /// Query, key and value of all heads.
    pub projections: Linear,
    /// Behind attention.
    pub output: Linear,
    /// After attention and residual.
    pub attention_norm: Norm,
    /// To the inner units.
    pub inner: Linear,
    /// Back from the inner units.
    pub outer: Linear,
    /// After the inner units and residual.
    pub norm: Norm,
}

/// All tensors of a model, checked.
pub struct Parts {
    /// Numbers a token.
    pub hidden: usize,
    /// Attention heads.
    pub heads: usize,
    /// Embeddings of words.
    pub words: Words,
    /// Embeddings of places, `hidden` numbers each.
    pub positions: Vec<f32>,
    /// After the embeddings.
    pub norm: Norm,
    /// The layers in order.
    pub layers: Vec<Layer>,
    /// The words, a line each.
    pub vocabulary: String,
}

/// Reads and checks a file.
///
/// # Errors
/// [`TextError::File`] or [`TextError::Tensor`].
pub fn read(bytes: &[u8]) -> Result<Parts, TextError> {
    let broken = |error: safetensors::SafeTensorError| TextError::File(error.to_string());
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
    let entries = header.metadata().as_ref();
    let format = entries.and_then(|entries| entries.get(FORMAT_KEY));
    let format = format.map_or("nothing", String::as_str);
    if format != FORMAT {
        return Err(TextError::tensor(FORMAT_KEY, FORMAT, format));
    }
    let file = Tensors(SafeTensors::deserialize(bytes).map_err(broken)?);
    let shape = file.shape(&format!("{WORDS}.weight"))?;
    let [words, hidden] = <[usize; 2]>::try_from(shape.as_slice())
        .map_err(|_| TextError::tensor(WORDS, "rows and columns", format!("{shape:?}")))?;
    let heads = file.take(HEADS, Dtype::U8, &[1])?.first().copied();
    let heads = heads.map_or(0, usize::from);
    if heads == 0 || hidden == 0 || hidden % (heads * LANES) != 0 {
        return Err(TextError::tensor(
            HEADS,
            format!("a number of heads that divides {hidden} into multiples of {LANES}"),
            heads,
        ));
    }
    let positions = file.shape(POSITIONS)?.first().copied().unwrap_or(0);
    if positions < 3 {
        return Err(TextError::tensor(POSITIONS, "3 rows or more", positions));
    }
    let vocabulary = file.take(VOCABULARY, Dtype::U8, &file.shape(VOCABULARY)?)?;
    let vocabulary = std::str::from_utf8(vocabulary)
        .map_err(|_| TextError::tensor(VOCABULARY, "UTF-8", "other bytes"))?;
    if vocabulary.lines().count() != words {
        let lines = vocabulary.lines().count();
        return Err(TextError::tensor(VOCABULARY, words, lines));
    }
    let (weights, scales) = file.matrix(WORDS, words, hidden)?;
    let mut layers = Vec::new();
    while layers.len() < MAX_LAYERS && file.has(&format!("encoder.layer.{}.", layers.len())) {
        layers.push(file.layer(layers.len(), hidden)?);
    }
    Ok(Parts {
        hidden,
        heads,
        words: Words { weights, scales },
        positions: file.numbers(POSITIONS, &[positions, hidden])?,
        norm: file.norm("embeddings.LayerNorm", hidden)?,
        layers,
        vocabulary: vocabulary.to_owned(),
    })
}

struct Tensors<'a>(SafeTensors<'a>);

impl<'a> Tensors<'a> {
    fn has(&self, start: &str) -> bool {
        self.0.names().iter().any(|name| name.starts_with(start))
    }

    fn shape(&self, name: &str) -> Result<Vec<usize>, TextError> {
        let tensor = self.0.tensor(name);
        let tensor = tensor.map_err(|_| TextError::tensor(name, "a tensor", "nothing"))?;
        Ok(tensor.shape().to_vec())
    }

    fn take(&self, name: &str, kind: Dtype, shape: &[usize]) -> Result<&'a [u8], TextError> {
        let tensor = self.0.tensor(name);
        let tensor = tensor.map_err(|_| TextError::tensor(name, "a tensor", "nothing"))?;
        if tensor.dtype() != kind || tensor.shape() != shape {
            return Err(TextError::tensor(
                name,
                format!("{kind:?} {shape:?}"),
                format!("{:?} {:?}", tensor.dtype(), tensor.shape()),
            ));
        }
        Ok(tensor.data())
    }

    fn numbers(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, TextError> {
        let bytes = self.take(name, Dtype::F32, shape)?.as_chunks::<4>().0;
        let numbers: Vec<f32> = bytes.iter().map(|four| f32::from_le_bytes(*four)).collect();
        match numbers.iter().all(|number| number.is_finite()) {
            true => Ok(numbers),
            false => Err(TextError::tensor(name, "finite numbers", "others")),
        }
    }

    fn matrix(
        &self,
        name: &str,
        rows: usize,
        columns: usize,
    ) -> Result<(Vec<i8>, Vec<f32>), TextError> {
        let weights = self.take(&format!("{name}.weight"), Dtype::I8, &[rows, columns])?;
        let weights = weights.iter().map(|&byte| byte as i8).collect();
        Ok((weights, self.numbers(&format!("{name}.scale"), &[rows])?))
    }

    fn linear(&self, name: &str, rows: usize, columns: usize) -> Result<Linear, TextError> {
        let (weights, scales) = self.matrix(name, rows, columns)?;
        let bias = self.numbers(&format!("{name}.bias"), &[rows])?;
        Ok(Linear::new(&weights, scales, bias))
    }

    fn norm(&self, name: &str, columns: usize) -> Result<Norm, TextError> {
        Ok(Norm {
            weight: self.numbers(&format!("{name}.weight"), &[columns])?,
            bias: self.numbers(&format!("{name}.bias"), &[columns])?,
        })
    }

    fn layer(&self, index: usize, hidden: usize) -> Result<Layer, TextError> {
        let name = |part: &str| format!("encoder.layer.{index}.{part}");
        let inner = name("intermediate.dense");
        let shape = self.shape(&format!("{inner}.weight"))?;
        let units = shape.first().copied().unwrap_or(0);
        if units == 0 || units % LANES != 0 || units.max(hidden) > MAX_COLUMNS {
            let needed = format!("a multiple of {LANES} up to {MAX_COLUMNS}");
            return Err(TextError::tensor(&inner, needed, units));
        }
        let projection = |which: &str| {
            let name = name(&format!("attention.self.{which}"));
            self.linear(&name, hidden, hidden)
        };
        Ok(Layer {
            projections: Linear::stack(vec![
                projection("query")?,
                projection("key")?,
                projection("value")?,
            ]),
            output: self.linear(&name("attention.output.dense"), hidden, hidden)?,
            attention_norm: self.norm(&name("attention.output.LayerNorm"), hidden)?,
            inner: self.linear(&inner, units, hidden)?,
            outer: self.linear(&name("output.dense"), hidden, units)?,
            norm: self.norm(&name("output.LayerNorm"), hidden)?,
        })
    }
}
