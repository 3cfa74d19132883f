//! Values of the configuration, each from its text, with what is wrong with it and what to do.
//!
//! Nothing here knows where in the file a text stood.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::settings::SecretPlace;

/// Longest filter, in bytes, and how deep its parentheses may be: a parser that recurses must not overflow.
const FILTER_BYTES_MAX: usize = 4 * 1024;
const FILTER_DEPTH_MAX: usize = 32;
/// Longest text that a message repeats, in characters.
const SHOWN_CHARS_MAX: usize = 80;

/// A value that can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub what: String,
    pub remedy: String,
}

impl Wrong {
    /// What is wrong, and what to do.
    pub fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }
}

/// A text in quotes, escaped and shortened.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// One of several words.
pub(super) fn one_of<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, Wrong> {
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let all: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
    let what = format!("{} is none of {}", shown(text), all.join(", "));
    let remedy = match closest(text, words.iter().map(|(word, _)| *word)) {
        Some(word) => format!("did you mean \"{word}\"?"),
        None => format!("write one of {}", all.join(", ")),
    };
    Err(Wrong::new(what, remedy))
}

/// The candidate that a word was probably meant to be.
pub(super) fn closest<'c>(word: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let word = word.to_lowercase();
    let far = |candidate: &&str| (word.chars().count().max(candidate.chars().count()) / 3).max(1);
    candidates
        .filter(|candidate| distance(&word, &candidate.to_lowercase()) <= far(candidate))
        .min_by_key(|candidate| distance(&word, &candidate.to_lowercase()))
}

/// How many letters must be put in, taken out, changed or swapped with their neighbour.
pub(super) fn distance(a: &str, b: &str) -> usize {
    const LETTERS_MAX: usize = 64;
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(LETTERS_MAX).collect(), b.chars().take(LETTERS_MAX).collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = changed.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// A duration: `"90s"`, `"10m"`, `"400d"`.
pub(super) fn duration(text: &str, bounds: &RangeInclusive<Duration>) -> Result<Duration, Wrong> {
    let remedy = || {
        let text = |duration: &Duration| humantime::format_duration(*duration).to_string();
        format!(
            "write a duration from {} to {}, like \"30s\", \"10m\" or \"7d\"",
            text(bounds.start()),
            text(bounds.end())
        )
    };
    let duration = humantime::parse_duration(text)
        .map_err(|why| Wrong::new(format!("{} is not a duration: {why}", shown(text)), remedy()))?;
    if bounds.contains(&duration) {
        return Ok(duration);
    }
    let side = if duration < *bounds.start() { "short" } else { "long" };
    Err(Wrong::new(format!("{} is too {side}", shown(text)), remedy()))
}

/// A size: `"50 MiB"`, in bytes.
pub(super) fn size(text: &str, bounds: &RangeInclusive<u64>) -> Result<u64, Wrong> {
    let remedy = || {
        let text = |bytes: &u64| bytesize::ByteSize(*bytes).display().iec().to_string();
        format!("write a size from {} to {}, like \"50 MiB\"", text(bounds.start()), text(bounds.end()))
    };
    let size: bytesize::ByteSize =
        text.trim().parse().map_err(|_| Wrong::new(format!("{} is not a size", shown(text)), remedy()))?;
    if bounds.contains(&size.as_u64()) {
        return Ok(size.as_u64());
    }
    let side = if size.as_u64() < *bounds.start() { "small" } else { "large" };
    Err(Wrong::new(format!("{} is too {side}", shown(text)), remedy()))
}

/// A share: `"75%"`, 1 to 100.
pub(super) fn percent(text: &str) -> Result<u8, Wrong> {
    let number = text.strip_suffix('%').and_then(|number| number.trim_end().parse().ok());
    number.filter(|number| (1..=100).contains(number)).ok_or_else(|| {
        Wrong::new(format!("{} is not a share from 1% to 100%", shown(text)), "write it like \"75%\" or 75")
    })
}

/// A path from the root.
pub(super) fn absolute_path(text: &str) -> Result<PathBuf, Wrong> {
    if !text.starts_with('/') {
        let what = format!("{} is not an absolute path", shown(text));
        let remedy = "write the path from the root, beginning with '/': the service's working directory is not yours";
        return Err(Wrong::new(what, remedy));
    }
    if text.chars().any(char::is_control) {
        return Err(Wrong::new("the path has control characters", "take them out"));
    }
    Ok(PathBuf::from(text))
}

/// The path of a file.
pub(super) fn file_path(text: &str) -> Result<PathBuf, Wrong> {
    if text.starts_with('/') && text.ends_with('/') {
        return Err(Wrong::new(format!("{} is a directory's path", shown(text)), "name a file"));
    }
    absolute_path(text)
}

/// Where a secret lies. The text is never repeated: it might be the secret.
pub(super) fn secret_place(text: &str) -> Result<SecretPlace, Wrong> {
    let remedy = "name a file by its absolute path (chmod 600), or a systemd credential as \"credential:NAME\"; the secret itself is never written here";
    if let Some(name) = text.strip_prefix("credential:") {
        if super::secrets::is_credential_name(name) {
            return Ok(SecretPlace::Credential(name.to_owned()));
        }
        let what = "the name of a credential has other characters than letters, digits, '.', '_' and '-', or none";
        return Err(Wrong::new(what, remedy));
    }
    file_path(text).map(SecretPlace::File).map_err(|_| Wrong::new("this doesn't name a file", remedy))
}

/// A name that is shown elsewhere: not empty, no spaces at its ends, no control characters.
pub(super) fn neat(text: &str) -> Result<String, Wrong> {
    if text.trim().is_empty() {
        return Err(Wrong::new("this is empty", "write a name, or take it out"));
    }
    if text.trim() != text || text.chars().any(char::is_control) {
        let what = format!("{} has spaces at its ends, or control characters", shown(text));
        return Err(Wrong::new(what, format!("write {}", shown(text.trim()))));
    }
    Ok(text.to_owned())
}

/// A tag. Zendesk keeps tags in lower case and parts them at spaces, so that others would never compare equal.
pub(super) fn tag(text: &str) -> Result<String, Wrong> {
    let apart = |c: char| c.is_whitespace() || c.is_control() || matches!(c, ',' | '"' | '\'');
    if text.is_empty() || text.chars().any(apart) || text.to_lowercase() != text {
        let proposed = text.trim().to_lowercase().replace(apart, "_");
        let what =
            format!("{} is not a tag: it is empty, or has spaces, commas, quotes or capital letters", shown(text));
        let remedy = if proposed.is_empty() { "take it out".to_owned() } else { format!("write {}", shown(&proposed)) };
        return Err(Wrong::new(what, remedy));
    }
    Ok(text.to_owned())
}

/// A mail domain, in lower case.
pub(super) fn domain(text: &str) -> Result<String, Wrong> {
    let domain = text.trim_start_matches('@').to_lowercase();
    let label = |label: &str| {
        let fits = |c: char| c.is_alphanumeric() || c == '-';
        !label.is_empty() && label.chars().all(fits) && !label.starts_with('-') && !label.ends_with('-')
    };
    let valid = domain.contains('.') && domain.split('.').all(label);
    if valid && !text.starts_with('@') {
        return Ok(domain);
    }
    let remedy = if valid { format!("write \"{domain}\"") } else { "write a domain like \"example.org\"".to_owned() };
    Err(Wrong::new(format!("{} is not a mail domain", shown(text)), remedy))
}

/// The name of an attribute (RFC 4512 section 1.4: a descriptor or a dotted number), without options.
pub(super) fn attribute(text: &str) -> Result<String, Wrong> {
    let name = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let number = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    let oid = text.contains('.') && text.split('.').all(number);
    if (name || oid) && text.len() <= 128 {
        return Ok(text.to_owned());
    }
    let what = format!("{} is not the name of an attribute", shown(text));
    Err(Wrong::new(what, "write a name of letters, digits and '-', like \"entryUUID\""))
}

/// A search filter (RFC 4515), in parentheses so that it can stand inside another.
pub(super) fn filter(text: &str) -> Result<String, Wrong> {
    let wrong = |why: &str, remedy: &str| Err(Wrong::new(format!("{} is not a filter: {why}", shown(text)), remedy));
    if text.len() > FILTER_BYTES_MAX {
        return wrong(&format!("it has more than {FILTER_BYTES_MAX} bytes"), "shorten it");
    }
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => return wrong("a ')' has no '('", "take it out, or write it as \\29 in a value"),
            ')' => depth -= 1,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    if depth > 0 {
        return wrong(&format!("{depth} of its '(' are not closed"), "close each '(' with a ')'");
    }
    if deepest > FILTER_DEPTH_MAX {
        return wrong(&format!("its parentheses are more than {FILTER_DEPTH_MAX} deep"), "simplify it");
    }
    if !text.starts_with('(') {
        return wrong(
            "it doesn't begin with '('",
            &format!("write it in parentheses: {}", shown(&format!("({})", text.trim()))),
        );
    }
    if ldap3::parse_filter(text).is_err() {
        return wrong("RFC 4515 doesn't allow it", "compare it with (&(objectClass=person)(!(employeeType=test)))");
    }
    Ok(text.to_owned())
}

/// An OAuth scope: `read`, `users:write`.
pub(super) fn scope(text: &str) -> Result<String, Wrong> {
    let word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let fits = match text.split_once(':') {
        Some((resource, right)) => word(resource) && matches!(right, "read" | "write"),
        None => matches!(text, "read" | "write"),
    };
    if fits {
        return Ok(text.to_owned());
    }
    let what = format!("{} is not a scope", shown(text));
    // Zendesk gives a token for an unknown scope too, and then refuses every call.
    Err(Wrong::new(what, "write \"read\", \"write\" or a finer one like \"users:read\""))
}
