//! A whole project in one file: the key's backup, and everything else sealed under that key.
//!
//! ```text
//! "confide-project 1\n" | length of the backup, u32 | backup ([`Vault::backup`]) | nonce, 24 bytes
//! | sections under XChaCha20-Poly1305
//! ```
//! The key of the seal is a BLAKE3 derivation of the secret's seed, so the passphrase of the backup guards the
//! file; what stands before the sections is authenticated with them. A section is
//! `length of its name, u32 | name | length, u64 | bytes`. All lengths are little-endian.

use crate::ClientError;
use crate::vault::{Vault, random};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

const FIRST_LINE: &[u8] = b"confide-project ";
const VERSION: &[u8] = b"1\n";
const NONCE: usize = 24;
/// A backup has about 500 bytes.
const LONGEST_BACKUP: usize = 16 * 1024;

/// What a file holds beside the key, by name.
pub type Sections = BTreeMap<String, Vec<u8>>;

/// Whether a file says that it is a project.
pub fn is_project(bytes: &[u8]) -> bool {
    bytes.starts_with(FIRST_LINE)
}

/// Seals the key under a passphrase, and the sections under the key.
///
/// # Errors
/// `CC-2003` when the passphrase is too short, `CC-2001` when there is no randomness.
pub fn seal(vault: &Vault, passphrase: &str, sections: &Sections) -> Result<Vec<u8>, ClientError> {
    let backup = vault.backup(passphrase)?;
    let mut bytes = [FIRST_LINE, VERSION].concat();
    bytes.extend((backup.len() as u32).to_le_bytes());
    bytes.extend(backup.as_bytes());
    let nonce: [u8; NONCE] = random()?;
    bytes.extend(nonce);
    let mut content = Zeroizing::new(Vec::new());
    for (name, section) in sections {
        content.extend((name.len() as u32).to_le_bytes());
        content.extend(name.as_bytes());
        content.extend((section.len() as u64).to_le_bytes());
        content.extend(section);
    }
    let payload = Payload {
        msg: &content,
        aad: &bytes,
    };
    let sealed = cipher(vault)
        .encrypt(XNonce::from_slice(&nonce), payload)
        .map_err(|_| damaged())?;
    bytes.extend(sealed);
    Ok(bytes)
}

/// Opens a file: the key, and the sections.
///
/// # Errors
/// `CC-2020` no project, `CC-2021` damaged, `CC-2022` made by a newer version, and those of [`Vault::restore`].
pub fn open(bytes: &[u8], passphrase: &str) -> Result<(Vault, Sections), ClientError> {
    let rest = bytes.strip_prefix(FIRST_LINE).ok_or_else(|| {
        ClientError::new(
            "CC-2020",
            "The file is not a Confide project.",
            "Choose the file that was saved when the project was exported.",
        )
    })?;
    let rest = rest.strip_prefix(VERSION).ok_or_else(|| {
        ClientError::new(
            "CC-2022",
            "The project was exported by another version of Confide.",
            "Use a newer version of Confide.",
        )
    })?;
    let mut reader = Reader(rest);
    let length = reader.length::<4>()?;
    if length > LONGEST_BACKUP {
        return Err(damaged());
    }
    let backup = std::str::from_utf8(reader.take(length)?).map_err(|_| damaged())?;
    let nonce = reader.take(NONCE)?;
    let sealed = reader.0;
    let vault = Vault::restore(backup, passphrase)?;
    let payload = Payload {
        msg: sealed,
        aad: &bytes[..bytes.len() - sealed.len()],
    };
    let content = cipher(&vault)
        .decrypt(XNonce::from_slice(nonce), payload)
        .map(Zeroizing::new)
        .map_err(|_| damaged())?;
    let mut reader = Reader(&content);
    let mut sections = Sections::new();
    while !reader.0.is_empty() {
        let length = reader.length::<4>()?;
        let name = std::str::from_utf8(reader.take(length)?).map_err(|_| damaged())?;
        let length = reader.length::<8>()?;
        sections.insert(name.to_owned(), reader.take(length)?.to_vec());
    }
    Ok((vault, sections))
}

fn cipher(vault: &Vault) -> XChaCha20Poly1305 {
    let key = Zeroizing::new(blake3::derive_key(
        "confide 2026 project file v1",
        vault.seed(),
    ));
    XChaCha20Poly1305::new((&*key).into())
}

fn damaged() -> ClientError {
    ClientError::new(
        "CC-2021",
        "The project file is damaged.",
        "Use another copy of it, or the backup of its key.",
    )
}

/// Reads from the front; whatever is missing is damage.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], ClientError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    /// A little-endian length of `N` bytes, at most 8.
    fn length<const N: usize>(&mut self) -> Result<usize, ClientError> {
        let mut bytes = [0; 8];
        bytes[..N].copy_from_slice(self.take(N)?);
        usize::try_from(u64::from_le_bytes(bytes)).map_err(|_| damaged())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSPHRASE: &str = "correct horse";

    fn project() -> (Vault, Sections) {
        let sections = [("records", b"age,ill\n50,1\n".as_slice()), ("result", b"")];
        let sections = sections.map(|(name, bytes)| (name.to_owned(), bytes.to_vec()));
        (Vault::generate("Ward 7").unwrap(), Sections::from(sections))
    }

    #[test]
    fn a_project_comes_back_whole_and_is_readable_nowhere() {
        let (vault, sections) = project();
        let file = seal(&vault, PASSPHRASE, &sections).unwrap();
        assert!(is_project(&file));
        assert!(!file.windows(7).any(|window| window == b"age,ill"));
        let (restored, found) = open(&file, PASSPHRASE).unwrap();
        assert_eq!(restored.seed(), vault.seed());
        assert_eq!(restored.token(), vault.token());
        assert_eq!(found, sections);
        assert_eq!(open(&file, "correct house").unwrap_err().code, "CC-2013");
    }

    #[test]
    fn damage_and_other_files_are_told_apart() {
        let (vault, sections) = project();
        let file = seal(&vault, PASSPHRASE, &sections).unwrap();
        let fault = |bytes: &[u8]| open(bytes, PASSPHRASE).unwrap_err().code;
        assert_eq!(fault(b"age,ill\n"), "CC-2020");
        assert_eq!(fault(b"confide-project 2\n"), "CC-2022");
        let start = FIRST_LINE.len() + VERSION.len();
        for end in [start, start + 3, start + 4, start + 30, file.len() - 1] {
            let code = fault(&file[..end]);
            assert!(code == "CC-2021" || code == "CC-2011", "{end}: {code}");
        }
        // The last byte, the nonce, and the length of the backup.
        for at in [file.len() - 1, file.len() - 60, start, start + 3] {
            let mut broken = file.clone();
            broken[at] ^= 0x40;
            let code = fault(&broken);
            let backup = at == start && code == "CC-2011";
            assert!(backup || code == "CC-2021", "at {at}: {code}");
        }
        // Sections of one project under the head of another.
        let other = seal(&project().0, PASSPHRASE, &sections).unwrap();
        let head = file.len() - 60;
        let mixed = [&other[..head], &file[head..]].concat();
        assert_eq!(fault(&mixed), "CC-2021");
    }
}
