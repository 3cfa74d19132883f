//! Where a document holds what looks like a secret, so that no fault shows it.
//!
//! Secrets don't belong in the file, and a person who put one there is told so; the telling must not put it into a
//! terminal's history or the journal. This errs on the side of hiding.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::secrets::is_credential_name;

/// Parts of a key that say that its value is a secret.
const WORDS: [&str; 8] = ["password", "passwd", "passphrase", "secret", "token", "api_key", "apikey", "bind_pw"];
/// How a file with a secret is named.
const FILE_SUFFIX: &str = "_file";

/// Whether a key names a secret itself, not a file that holds one.
pub(super) fn names_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    !key.ends_with(FILE_SUFFIX) && (key == "pw" || WORDS.iter().any(|word| key.contains(word)))
}

/// The ranges of all values that look like secrets.
pub(super) fn in_document(document: &DeTable<'_>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (key, value) in document {
        in_value(key.get_ref(), value, &mut found);
    }
    found
}

fn in_value(key: &str, value: &Spanned<DeValue<'_>>, found: &mut Vec<Range<usize>>) {
    match value.get_ref() {
        DeValue::Table(table) => table.iter().for_each(|(inner, value)| {
            // What lies below `password = { … }` is as secret as what its own key names.
            let key = if names_secret(key) { key } else { inner.get_ref() };
            in_value(key, value, found);
        }),
        DeValue::Array(array) => array.iter().for_each(|one| in_value(key, one, found)),
        DeValue::String(text) => {
            // A file's name that is none may be the secret itself, put at the wrong key.
            let place = text.starts_with('/') || text.strip_prefix("credential:").is_some_and(is_credential_name);
            let folded = key.to_lowercase();
            let misplaced = folded.ends_with(FILE_SUFFIX) && folded != "ca_file" && !place;
            let login = text.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
            if names_secret(key) || misplaced || login {
                found.push(within_quotes(value.span()));
            }
        }
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {
            if names_secret(key) {
                found.push(value.span());
            }
        }
    }
}

/// The ranges that may be secrets in a text that can't be parsed: the rest of each line that speaks of one.
pub(super) fn in_lines(source: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut begin = 0;
    for line in source.split_inclusive('\n') {
        // The length of a character may change with its case, those of ASCII don't.
        let folded = line.to_ascii_lowercase();
        let word = WORDS.iter().filter_map(|word| folded.find(word)).min();
        let login = folded.find("://").filter(|at| folded[*at..].contains('@'));
        let from = match word {
            Some(word) => folded[word..].find('=').map(|equals| word + equals + 1),
            None => login.map(|at| at + 3),
        };
        if let Some(from) = from {
            found.push(begin + from..begin + line.trim_end().len().max(from));
        }
        begin += line.len();
    }
    found
}

const fn within_quotes(span: Range<usize>) -> Range<usize> {
    if span.end - span.start > 2 { span.start + 1..span.end - 1 } else { span }
}
