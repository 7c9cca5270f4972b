//! What left this device, in which form.

use serde::{Deserialize, Serialize};

/// In which form something left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Encrypted under the key that stays here.
    Ciphertext,
    /// A public key that lets the worker compute and decrypts nothing.
    EvaluationKey,
    /// Readable by the worker; the text says what it is.
    Plain(String),
}

/// One thing that left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Milliseconds of the caller's clock.
    pub time_ms: u64,
    /// What it was, for example `features 1`.
    pub name: String,
    /// Bytes on the wire.
    pub bytes: u64,
    /// In which form.
    pub form: Form,
}

/// Bytes and number of things by form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerSummary {
    /// Ciphertexts.
    pub ciphertexts: u64,
    /// Bytes of ciphertexts.
    pub ciphertext_bytes: u64,
    /// Evaluation keys.
    pub evaluation_keys: u64,
    /// Bytes of evaluation keys.
    pub evaluation_key_bytes: u64,
    /// Things that the worker could read.
    pub plain: u64,
    /// Bytes that the worker could read.
    pub plain_bytes: u64,
}

/// Everything that left, in order. Control messages of one kind that follow each other are one entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// The entries.
    pub entries: Vec<Entry>,
}

impl Ledger {
    /// Records something that left.
    pub fn record(&mut self, entry: Entry) {
        if let (Some(last), Form::Plain(_)) = (self.entries.last_mut(), &entry.form)
            && last.form == entry.form
            && last.name == entry.name
        {
            last.bytes += entry.bytes;
            return;
        }
        self.entries.push(entry);
    }

    /// Bytes by form.
    pub fn summary(&self) -> LedgerSummary {
        let mut summary = LedgerSummary::default();
        for entry in &self.entries {
            let (count, bytes) = match entry.form {
                Form::Ciphertext => (&mut summary.ciphertexts, &mut summary.ciphertext_bytes),
                Form::EvaluationKey => (
                    &mut summary.evaluation_keys,
                    &mut summary.evaluation_key_bytes,
                ),
                Form::Plain(_) => (&mut summary.plain, &mut summary.plain_bytes),
            };
            *count += 1;
            *bytes += entry.bytes;
        }
        summary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_by_form_and_joins_repeated_control_messages() {
        let mut ledger = Ledger::default();
        let entry = |name: &str, bytes, form| Entry {
            time_ms: 5,
            name: name.into(),
            bytes,
            form,
        };
        let plain = || Form::Plain("sizes and digests".into());
        ledger.record(entry("upload", 10, plain()));
        ledger.record(entry("upload", 5, plain()));
        ledger.record(entry("features 1", 100, Form::Ciphertext));
        ledger.record(entry("features 1", 100, Form::Ciphertext));
        ledger.record(entry("key", 70, Form::EvaluationKey));
        assert_eq!(ledger.entries.len(), 4);
        let summary = ledger.summary();
        assert_eq!((summary.plain, summary.plain_bytes), (1, 15));
        assert_eq!((summary.ciphertexts, summary.ciphertext_bytes), (2, 200));
        assert_eq!(
            (summary.evaluation_keys, summary.evaluation_key_bytes),
            (1, 70)
        );
    }
}
