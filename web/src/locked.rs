//! Pictures of a list that a network of the worker is to read encrypted: nothing but their encryption is computed here.

use crate::base_model::Refused;
use crate::bridge::{from_js, internal, throw};
use crate::workbench::{Choices, Chosen, SourceView, Workbench};
use confide_client::ClientError;
use confide_client::intake::PictureSource;
use confide_client::workflow::classify::NamedImage;
use confide_client::workflow::images::{ImageOptions, ImageSetup};
use confide_train::minibatch::LossKind;
use wasm_bindgen::prelude::*;

/// Pictures at the size of a network.
pub(crate) struct Locked {
    /// The network's card as it came.
    card: Vec<u8>,
    /// By place in the list; those of refused pictures are of no use.
    images: Vec<NamedImage>,
}

impl Choices {
    /// What is decided for the training on encrypted pictures of a dataset.
    fn image_options(&self, chosen: &Chosen) -> ImageOptions {
        let classes = &chosen.dataset.classes;
        let usual = ImageOptions::default();
        ImageOptions {
            test_fraction: self.test_fraction,
            seed: u64::from(self.seed),
            positive: (classes.len() == 2).then(|| classes[chosen.positive].name.clone()),
            epochs: self.epochs.map_or(usual.epochs, |epochs| epochs as usize),
            loss: match self.softmax && classes.len() > 2 {
                true => LossKind::Softmax,
                false => LossKind::OneVsRest,
            },
            ..usual
        }
    }
}

#[wasm_bindgen]
impl Workbench {
    /// Takes the list's pictures at the size of a network of the worker, which is to read them encrypted: `pixels` one after the
    /// other, and which were refused. `source` is the network's name and the digest of its card, `card` the card itself.
    ///
    /// # Errors
    /// When no picture can be used.
    #[wasm_bindgen(js_name = setImages)]
    pub fn set_images(
        &mut self,
        source: JsValue,
        card: &[u8],
        pixels: &[u8],
        refused: JsValue,
    ) -> Result<(), JsValue> {
        let SourceView { name, card: digest } = from_js(source)?;
        let refused: Vec<Refused> = from_js(refused)?;
        let refused = refused.into_iter().map(|one| (one.place, one.error));
        self.take_images((name, digest), card, pixels, refused)
            .map_err(throw)
    }

    /// Whether the pictures are to be read encrypted.
    #[wasm_bindgen(getter)]
    pub fn locked(&self) -> bool {
        self.locked.is_some()
    }

    /// The card of the network that is to read the pictures encrypted.
    #[wasm_bindgen(js_name = networkCard)]
    pub fn network_card(&self) -> Option<Vec<u8>> {
        self.locked.as_ref().map(|locked| locked.card.clone())
    }

    /// Whether the user wants the comparison with a training on readable pictures.
    #[wasm_bindgen(getter)]
    pub fn compares(&self) -> bool {
        self.choices.compare && self.locked.is_some()
    }

    /// The pixels of the pictures that train or test, one after the other, in the order of the training's images.
    ///
    /// # Errors
    /// When the choices do not fit the pictures.
    #[wasm_bindgen(js_name = usedPixels)]
    pub fn used_pixels(&self) -> Result<Vec<u8>, JsValue> {
        let (Some(chosen), Some(locked)) = (&self.chosen, &self.locked) else {
            return Err(internal("the pictures are not ready", ""));
        };
        let places = chosen.dataset.image_places().into_iter();
        let images = places.filter_map(|place| locked.images.get(place));
        Ok(images.flat_map(|image| image.pixels.clone()).collect())
    }

    /// How many they are.
    #[wasm_bindgen(js_name = usedCount)]
    pub fn used_count(&self) -> usize {
        let chosen = self.chosen.as_ref();
        chosen.map_or(0, |chosen| chosen.dataset.records.rows())
    }
}

impl Workbench {
    /// Takes pixels, and refusals by place.
    fn take_images(
        &mut self,
        (name, digest): (String, String),
        card: &[u8],
        pixels: &[u8],
        refused: impl Iterator<Item = (usize, ClientError)>,
    ) -> Result<(), ClientError> {
        let (index, column) = self.picture_column().ok_or_else(|| {
            ClientError::new(
                "CC-1022",
                "The table names no pictures.",
                "Choose a list of pictures.",
            )
        })?;
        let names = self.table.texts(&column)?.to_vec();
        let mut read: Vec<Result<(), ClientError>> = vec![Ok(()); names.len()];
        for (place, error) in refused {
            if let Some(one) = read.get_mut(place) {
                *one = Err(error);
            }
        }
        let size = (pixels.len() / names.len().max(1)).max(1);
        let images = names.into_iter().zip(pixels.chunks(size));
        let images = images.map(|(name, pixels)| NamedImage {
            name,
            pixels: pixels.to_vec(),
            class: None,
        });
        let images = images.collect();
        let source = PictureSource {
            column,
            name,
            card: digest,
        };
        let mut table = self.table.clone();
        table.with_images(source, &read)?;
        self.read = Some((index, table));
        self.locked = Some(Locked {
            card: card.to_vec(),
            images,
        });
        let epochs = ImageOptions::default().epochs;
        self.choices.epochs = self.choices.epochs.or(u32::try_from(epochs).ok());
        Ok(())
    }

    /// The training on encrypted pictures as chosen.
    pub(crate) fn image_setup(&self) -> Result<ImageSetup, ClientError> {
        let (Some(chosen), Some(locked)) = (&self.chosen, &self.locked) else {
            return Err(ClientError::new(
                "CC-1017",
                "The pictures are not ready.",
                "Choose the pictures again.",
            ));
        };
        let options = self.choices.image_options(chosen);
        ImageSetup::of_dataset(
            &locked.card,
            &locked.images,
            chosen.dataset.clone(),
            options,
        )
    }
}
