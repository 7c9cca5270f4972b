//! Values and errors on their way between Rust and JavaScript.

use confide_client::ClientError;
use confide_protocol::{Blame, WireError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;
use zeroize::Zeroize;

/// An error as JavaScript gets it.
#[derive(Serialize)]
pub(crate) struct Fault {
    code: String,
    blame: &'static str,
    message: String,
    remedy: String,
    detail: String,
}

impl From<ClientError> for Fault {
    fn from(error: ClientError) -> Self {
        Self {
            code: error.code,
            blame: "Client",
            message: error.message,
            remedy: error.remedy,
            detail: String::new(),
        }
    }
}

impl From<WireError> for Fault {
    fn from(error: WireError) -> Self {
        let blame = match error.blame {
            Blame::Client => "Client",
            Blame::Worker => "Worker",
            Blame::Network => "Network",
        };
        Self {
            code: error.code,
            blame,
            message: error.message,
            remedy: error.remedy,
            detail: String::new(),
        }
    }
}

/// Any error as a value to throw.
pub(crate) fn throw(error: impl Into<Fault>) -> JsValue {
    to_js(&error.into()).unwrap_or_else(|_| JsValue::from_str("an error that cannot be described"))
}

/// A value as a plain JavaScript object.
pub(crate) fn to_js(value: &impl Serialize) -> Result<JsValue, JsValue> {
    value
        .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
        .map_err(|error| internal("a value cannot be handed to the page", &error.to_string()))
}

/// A plain JavaScript object as a value.
pub(crate) fn from_js<T: DeserializeOwned>(value: JsValue) -> Result<T, JsValue> {
    serde_wasm_bindgen::from_value(value).map_err(|error| {
        internal(
            "the page gave a value of the wrong shape",
            &error.to_string(),
        )
    })
}

/// A fault of this program, with what helps whoever mends it.
pub(crate) fn internal(message: &str, detail: &str) -> JsValue {
    let fault = Fault {
        code: "CF-0004".to_owned(),
        blame: "Client",
        message: format!("The page made a mistake: {message}."),
        remedy: "Reload the page; nothing is lost.".to_owned(),
        detail: detail.to_owned(),
    };
    to_js(&fault).unwrap_or_else(|_| JsValue::from_str(message))
}

/// Hands the key's seed to `take` and wipes it, the given bytes too.
pub(crate) fn with_seed<T>(
    seed: &mut [u8],
    take: impl FnOnce(&[u8; 32]) -> Result<T, ClientError>,
) -> Result<T, JsValue> {
    let taken = array32(seed);
    seed.zeroize();
    let mut taken = taken?;
    let made = take(&taken).map_err(throw);
    taken.zeroize();
    made
}

/// Exactly 32 bytes.
pub(crate) fn array32(bytes: &[u8]) -> Result<[u8; 32], JsValue> {
    bytes
        .try_into()
        .map_err(|_| internal("32 bytes were expected", &format!("{} given", bytes.len())))
}
