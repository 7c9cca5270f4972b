use super::*;

#[test]
fn a_backup_restores_the_same_secret() {
    let vault = Vault::generate("Ward 7, Köln").unwrap();
    let text = vault.backup("four plain words here").unwrap();
    let restored = Vault::restore(
        &format!("\r\n{}\r\n", text.replace('\n', "\r\n")),
        "four plain words here",
    )
    .unwrap();
    assert_eq!(restored.seed(), vault.seed());
    assert_eq!(restored.token(), vault.token());
    assert_eq!(restored.name(), "Ward 7, Köln");
    assert_eq!(restored.fingerprint(), vault.fingerprint());
    assert_ne!(
        text,
        vault.backup("four plain words here").unwrap(),
        "salt and nonce are fresh"
    );
    assert!(!text.contains(&to_hex(&vault.seed()[..8])));
    assert!(!format!("{vault:?}").contains(&to_hex(&vault.seed()[..4])));
}

#[test]
fn a_backup_is_tried_against_the_key_that_is_here() {
    let vault = Vault::generate("k").unwrap();
    let own = vault.backup("correct horse").unwrap();
    vault.check_backup(&own, "correct horse").unwrap();
    let fault = |text: &str, word: &str| vault.check_backup(text, word).unwrap_err().code;
    assert_eq!(fault(&own, "correct house"), "CC-2013");
    // A secret with the same seed and another token opens nothing at the worker.
    let other = Vault::from_parts(*vault.seed(), [0; 32], "k").unwrap();
    let other = other.backup("correct horse").unwrap();
    assert_eq!(fault(&other, "correct horse"), "CC-2014");
}

#[test]
fn a_wrong_passphrase_is_not_a_damaged_file() {
    let text = Vault::generate("k")
        .unwrap()
        .backup("correct horse")
        .unwrap();
    assert_eq!(
        Vault::restore(&text, "correct house").unwrap_err().code,
        "CC-2013"
    );
}

#[test]
fn every_kind_of_damage_is_noticed() {
    let text = Vault::generate("k")
        .unwrap()
        .backup("correct horse")
        .unwrap();
    let start = text.find('\n').unwrap() + 1;
    for at in (start..text.len() - 1).step_by(7) {
        let mut broken = text.clone().into_bytes();
        broken[at] = match broken[at] {
            b'\n' => continue,
            b'0' => b'1',
            _ => b'0',
        };
        let broken = String::from_utf8(broken).unwrap();
        assert_eq!(
            Vault::restore(&broken, "correct horse").unwrap_err().code,
            "CC-2011",
            "at {at}"
        );
    }
    for broken in [
        &text[..text.len() / 2],
        &text[..start],
        &format!("{}{}", &text[..start], text[start..].replace('a', "x")),
        &format!("{text}00"),
    ] {
        assert_eq!(
            Vault::restore(broken, "correct horse").unwrap_err().code,
            "CC-2011"
        );
    }
}

#[test]
fn other_files_and_newer_versions_are_named_as_such() {
    assert_eq!(Vault::restore("", "x").unwrap_err().code, "CC-2010");
    assert_eq!(
        Vault::restore("a,b\n1,2\n", "x").unwrap_err().code,
        "CC-2010"
    );
    assert_eq!(
        Vault::restore("confide-key-backup 9\n00\n", "x")
            .unwrap_err()
            .code,
        "CC-2012"
    );
    assert_eq!(
        Vault::restore("confide-key-backup one\n00\n", "x")
            .unwrap_err()
            .code,
        "CC-2011"
    );
}

#[test]
fn a_file_cannot_ask_for_all_memory() {
    let text = Vault::generate("k")
        .unwrap()
        .backup("correct horse")
        .unwrap();
    let mut bytes = from_hex(text.lines().skip(1)).unwrap();
    bytes[2..6].copy_from_slice(&u32::MAX.to_le_bytes());
    let end = bytes.len() - CHECKSUM;
    let checksum = *blake3::hash(&bytes[..end]).as_bytes();
    bytes[end..].copy_from_slice(&checksum);
    let text = format!("{FIRST_LINE} 1\n{}", to_hex(&bytes));
    assert_eq!(
        Vault::restore(&text, "correct horse").unwrap_err().code,
        "CC-2011"
    );
}

#[test]
fn short_passphrases_and_long_names_are_refused() {
    assert_eq!(
        Vault::generate("k")
            .unwrap()
            .backup("short")
            .unwrap_err()
            .code,
        "CC-2003"
    );
    assert_eq!(
        Vault::generate(&"n".repeat(200)).unwrap_err().code,
        "CC-2002"
    );
}
