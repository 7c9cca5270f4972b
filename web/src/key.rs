//! The key vault for the page.

use crate::bridge::{array32, throw};
use confide_client::vault::Vault;
use wasm_bindgen::prelude::*;
use zeroize::Zeroize;

/// The master secret while the page is open. Stored by the page as sealed bytes; shown to nobody.
#[wasm_bindgen]
pub struct Key {
    pub(crate) vault: Vault,
}

#[wasm_bindgen]
impl Key {
    /// A new key from the browser's randomness.
    ///
    /// # Errors
    /// When there is no randomness or the name is too long.
    pub fn generate(name: &str) -> Result<Key, JsValue> {
        Ok(Self {
            vault: Vault::generate(name).map_err(throw)?,
        })
    }

    /// The key of a backup file.
    ///
    /// # Errors
    /// For a wrong passphrase, and for a file that is no backup, damaged, or of a newer version.
    pub fn restore(text: &str, passphrase: &str) -> Result<Key, JsValue> {
        Ok(Self {
            vault: Vault::restore(text, passphrase).map_err(throw)?,
        })
    }

    /// The key from what [`Key::secret`] gave, which the page keeps sealed. The given bytes are wiped.
    ///
    /// # Errors
    /// When the bytes are no key.
    #[wasm_bindgen(js_name = fromSecret)]
    pub fn from_secret(mut secret: Vec<u8>, name: &str) -> Result<Key, JsValue> {
        let parts = (secret.get(..32).map(array32), secret.get(32..).map(array32));
        secret.zeroize();
        match parts {
            (Some(seed), Some(token)) => Ok(Self {
                vault: Vault::from_parts(seed?, token?, name).map_err(throw)?,
            }),
            _ => Err(crate::bridge::internal(
                "64 bytes of a key were expected",
                "",
            )),
        }
    }

    /// Seed and token, 64 bytes, to be kept sealed. The caller wipes them.
    pub fn secret(&self) -> Vec<u8> {
        [self.vault.seed().as_slice(), self.vault.token().as_slice()].concat()
    }

    /// The seed alone, 32 bytes, for the pool. The caller wipes it.
    pub fn seed(&self) -> Vec<u8> {
        self.vault.seed().to_vec()
    }

    /// The text of a backup file.
    ///
    /// # Errors
    /// When the passphrase is too short or there is no randomness.
    pub fn backup(&self, passphrase: &str) -> Result<String, JsValue> {
        self.vault.backup(passphrase).map_err(throw)
    }

    /// Tries a backup file: that it opens, and that this key is in it.
    ///
    /// # Errors
    /// For a wrong passphrase, a file that is no backup or damaged, and a backup of another key.
    #[wasm_bindgen(js_name = checkBackup)]
    pub fn check_backup(&self, text: &str, passphrase: &str) -> Result<(), JsValue> {
        self.vault.check_backup(text, passphrase).map_err(throw)
    }

    /// The name that the user gave.
    pub fn name(&self) -> String {
        self.vault.name().to_owned()
    }

    /// Changes the name, which backups carry.
    ///
    /// # Errors
    /// When it is too long.
    pub fn rename(&mut self, name: &str) -> Result<(), JsValue> {
        self.vault.rename(name).map_err(throw)
    }

    /// A short public mark, to tell keys apart.
    pub fn fingerprint(&self) -> String {
        self.vault.fingerprint()
    }
}
