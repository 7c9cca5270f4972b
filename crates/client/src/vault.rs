//! The master secret of a data party and its backup file.
//!
//! A backup is text: a first line that names it, then hexadecimal digits. The bytes are a header (version, cost
//! of the passphrase hash, salt, nonce), the secret sealed with XChaCha20-Poly1305 under a key that Argon2id
//! makes from the passphrase (RFC 9106), and a BLAKE3 checksum, which tells a damaged file from a wrong
//! passphrase. The header is authenticated with the secret.

use crate::ClientError;
use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::{Zeroize, Zeroizing};

const FIRST_LINE: &str = "confide-key-backup";
const VERSION: u16 = 1;
const HEADER: usize = 2 + 12 + 16 + 24;
const CHECKSUM: usize = 32;
const LONGEST_NAME: usize = 128;
/// Shortest passphrase that a backup is made with, in characters.
pub const SHORTEST_PASSPHRASE: usize = 8;

/// The master secret: all keys and all encryption randomness derive from its seed, and the token names and
/// guards this party's store on the worker. Wiped from memory when dropped; never leaves unsealed.
pub struct Vault {
    seed: [u8; 32],
    token: [u8; 32],
    name: String,
}

impl Drop for Vault {
    fn drop(&mut self) {
        self.seed.zeroize();
        self.token.zeroize();
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Vault {
    /// A new secret from the randomness of the operating system or browser.
    ///
    /// # Errors
    /// `CC-2001` when there is no randomness, `CC-2002` when the name is longer than 128 bytes.
    pub fn generate(name: &str) -> Result<Self, ClientError> {
        let mut vault = Self {
            seed: random()?,
            token: random()?,
            name: String::new(),
        };
        vault.rename(name)?;
        Ok(vault)
    }

    /// A secret that the caller kept sealed itself, as a browser does.
    ///
    /// # Errors
    /// `CC-2002` when the name is longer than 128 bytes.
    pub fn from_parts(seed: [u8; 32], token: [u8; 32], name: &str) -> Result<Self, ClientError> {
        let mut vault = Self {
            seed,
            token,
            name: String::new(),
        };
        vault.rename(name)?;
        Ok(vault)
    }

    /// Changes the name.
    ///
    /// # Errors
    /// `CC-2002` when it is longer than 128 bytes.
    pub fn rename(&mut self, name: &str) -> Result<(), ClientError> {
        if name.len() > LONGEST_NAME {
            return Err(ClientError::new(
                "CC-2002",
                "The name of the key is too long.",
                "Choose a shorter name.",
            ));
        }
        self.name = name.to_owned();
        Ok(())
    }

    /// Seed of all keys. Secret.
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// Token for the worker. Secret towards everybody but the worker.
    pub fn token(&self) -> &[u8; 32] {
        &self.token
    }

    /// Name given by the user.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Short public mark of this secret, to tell keys apart: 16 hexadecimal digits of a one-way function of it.
    pub fn fingerprint(&self) -> String {
        let hash = blake3::derive_key("confide 2026 key fingerprint v1", &self.seed);
        to_hex(&hash[..8])
    }

    /// Seals the secret with a passphrase (Argon2id with 64 MiB, 3 passes, 4 lanes).
    ///
    /// # Errors
    /// `CC-2003` when the passphrase is shorter than 8 characters, `CC-2001` when there is no randomness.
    pub fn backup(&self, passphrase: &str) -> Result<String, ClientError> {
        if passphrase.chars().count() < SHORTEST_PASSPHRASE {
            return Err(ClientError::new(
                "CC-2003",
                format!("The passphrase has fewer than {SHORTEST_PASSPHRASE} characters."),
                "Choose a longer one, for example four words.",
            ));
        }
        let mut bytes = Vec::with_capacity(HEADER + 256);
        bytes.extend(VERSION.to_le_bytes());
        for cost in [64 * 1024, 3, 4u32] {
            bytes.extend(cost.to_le_bytes());
        }
        bytes.extend(random::<16>()?);
        bytes.extend(random::<24>()?);
        let mut secret = Zeroizing::new(Vec::with_capacity(64 + self.name.len()));
        secret.extend(self.seed);
        secret.extend(self.token);
        secret.extend(self.name.as_bytes());
        let sealed = cipher(&bytes, passphrase)?
            .encrypt(
                XNonce::from_slice(&bytes[HEADER - 24..]),
                Payload {
                    msg: &secret,
                    aad: &bytes,
                },
            )
            .map_err(|_| damaged())?;
        bytes.extend(sealed);
        let checksum = blake3::hash(&bytes);
        bytes.extend(checksum.as_bytes());
        let mut text = format!("{FIRST_LINE} {VERSION}\n");
        for line in bytes.chunks(32) {
            text.push_str(&to_hex(line));
            text.push('\n');
        }
        Ok(text)
    }

    /// Opens a backup.
    ///
    /// # Errors
    /// `CC-2010` not a backup, `CC-2011` damaged, `CC-2012` made by a newer version, `CC-2013` wrong passphrase.
    pub fn restore(text: &str, passphrase: &str) -> Result<Self, ClientError> {
        let mut lines = text.trim().lines();
        let first = lines.next().unwrap_or_default().trim();
        let Some(version) = first.strip_prefix(FIRST_LINE) else {
            return Err(ClientError::new(
                "CC-2010",
                "The file is not a Confide key backup.",
                "Choose the file that was saved when the key was made.",
            ));
        };
        let version: u16 = version.trim().parse().map_err(|_| damaged())?;
        if version > VERSION {
            return Err(ClientError::new(
                "CC-2012",
                format!("The backup has format {version}; this program reads up to {VERSION}."),
                "Use a newer version of Confide.",
            ));
        }
        let bytes = from_hex(lines)?;
        if bytes.len() < HEADER + 64 + 16 + CHECKSUM {
            return Err(damaged());
        }
        let (content, checksum) = bytes.split_at(bytes.len() - CHECKSUM);
        // Blake3 hashes compare in constant time; nothing here is secret, though.
        if blake3::hash(content).as_bytes() != checksum || content[..2] != version.to_le_bytes() {
            return Err(damaged());
        }
        let (header, sealed) = content.split_at(HEADER);
        let secret = cipher(header, passphrase)?
            .decrypt(
                XNonce::from_slice(&header[HEADER - 24..]),
                Payload {
                    msg: sealed,
                    aad: header,
                },
            )
            .map(Zeroizing::new)
            .map_err(|_| {
                ClientError::new(
                    "CC-2013",
                    "The passphrase is wrong.",
                    "Try again; the file itself is undamaged.",
                )
            })?;
        let mut vault = Self {
            seed: [0; 32],
            token: [0; 32],
            name: String::new(),
        };
        vault.seed.copy_from_slice(&secret[..32]);
        vault.token.copy_from_slice(&secret[32..64]);
        vault.rename(std::str::from_utf8(&secret[64..]).map_err(|_| damaged())?)?;
        Ok(vault)
    }

    /// Tries a backup: that it opens, and that this secret is in it.
    ///
    /// # Errors
    /// Those of [`Vault::restore`], and `CC-2014` when it holds another key.
    pub fn check_backup(&self, text: &str, passphrase: &str) -> Result<(), ClientError> {
        let found = Self::restore(text, passphrase)?;
        if found.seed == self.seed && found.token == self.token {
            return Ok(());
        }
        Err(ClientError::new(
            "CC-2014",
            "The backup opens, but it holds another key.",
            "Choose the file that was saved for this key, or save another backup.",
        ))
    }
}

/// The cipher for a header and passphrase. The costs in the header are limited: a file must not exhaust memory.
fn cipher(header: &[u8], passphrase: &str) -> Result<XChaCha20Poly1305, ClientError> {
    let cost = |at: usize| {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&header[at..at + 4]);
        u32::from_le_bytes(bytes)
    };
    let (memory, passes, lanes) = (cost(2), cost(6), cost(10));
    if memory > 256 * 1024 || passes > 16 || lanes > 16 {
        return Err(damaged());
    }
    let params = Params::new(memory, passes, lanes, Some(32)).map_err(|_| damaged())?;
    let mut key = Zeroizing::new([0u8; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), &header[14..30], key.as_mut())
        .map_err(|_| damaged())?;
    XChaCha20Poly1305::new_from_slice(key.as_ref()).map_err(|_| damaged())
}

fn damaged() -> ClientError {
    ClientError::new(
        "CC-2011",
        "The backup file is damaged.",
        "Use another copy of it; every character counts.",
    )
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], ClientError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| {
        ClientError::new(
            "CC-2001",
            "This device gives no secure randomness.",
            "Use an up-to-date system or browser.",
        )
    })?;
    Ok(bytes)
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Vec<u8>, ClientError> {
    let mut digits = Vec::new();
    for sign in lines
        .flat_map(str::chars)
        .filter(|sign| !sign.is_whitespace())
    {
        digits.push(sign.to_digit(16).ok_or_else(damaged)? as u8);
        if digits.len() > 4096 {
            return Err(damaged());
        }
    }
    if digits.len() % 2 == 1 {
        return Err(damaged());
    }
    Ok(digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect())
}

#[cfg(test)]
#[path = "vault_tests.rs"]
mod tests;
