//! A project as one file.

use crate::bridge::throw;
use crate::key::Key;
use confide_client::archive::{Sections, is_project, open, seal};
use wasm_bindgen::prelude::*;

/// A project on its way into a file or out of one.
#[wasm_bindgen]
#[derive(Default)]
pub struct ProjectFile {
    key: Option<Key>,
    sections: Sections,
}

#[wasm_bindgen]
impl ProjectFile {
    /// A project with nothing in it.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a file says that it is a project.
    #[wasm_bindgen(js_name = isProject)]
    pub fn is_project(bytes: &[u8]) -> bool {
        is_project(bytes)
    }

    /// Opens a file.
    ///
    /// # Errors
    /// For a wrong passphrase, and for a file that is no project, damaged, or of another version.
    pub fn open(bytes: &[u8], passphrase: &str) -> Result<ProjectFile, JsValue> {
        let (vault, sections) = open(bytes, passphrase).map_err(throw)?;
        Ok(Self {
            key: Some(Key { vault }),
            sections,
        })
    }

    /// Puts something in.
    pub fn put(&mut self, name: String, bytes: Vec<u8>) {
        self.sections.insert(name, bytes);
    }

    /// The names of all that is in it.
    pub fn names(&self) -> Vec<String> {
        self.sections.keys().cloned().collect()
    }

    /// Takes something out.
    pub fn take(&mut self, name: &str) -> Option<Vec<u8>> {
        self.sections.remove(name)
    }

    /// Takes the key out of a file that was opened.
    #[wasm_bindgen(js_name = takeKey)]
    pub fn take_key(&mut self) -> Option<Key> {
        self.key.take()
    }

    /// The file: the key under the passphrase, the rest under the key.
    ///
    /// # Errors
    /// When the passphrase is too short or there is no randomness.
    pub fn seal(&self, key: &Key, passphrase: &str) -> Result<Vec<u8>, JsValue> {
        seal(&key.vault, passphrase, &self.sections).map_err(throw)
    }
}
