//! Distinguished names: parsed, normalised and compared, as RFC 4514 writes them and RFC 4518 compares them.
//!
//! Servers spell one DN in several ways (`\,` or `\2C`, other case, other spaces), so DNs are never compared as text.
//! This does not know attribute syntaxes: every value is compared as `caseIgnoreMatch` does, which suits naming
//! attributes of people, groups and containers.

use std::fmt;

use sha2::{Digest as _, Sha256};
use unicode_normalization::UnicodeNormalization as _;

use super::id::Malformed;

/// A DN as its server spelled it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dn(String);

/// What two spellings of one DN share: 16 bytes of SHA-256 over the normal form, small enough to keep by the million.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnKey([u8; 16]);

impl DnKey {
    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Longest DN that is parsed, in bytes.
pub const DN_BYTES_MAX: usize = 8 * 1024;

impl Dn {
    /// Takes a DN as a server or the configuration gave it.
    ///
    /// # Errors
    /// When RFC 4514 can't parse it or it is longer than [`DN_BYTES_MAX`].
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        rdns(text)?;
        Ok(Self(text.to_owned()))
    }

    /// The DN as it was spelled.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What all spellings of this DN share.
    pub fn key(&self) -> DnKey {
        // The text was parsed when it was taken; a text that can't be parsed has a key of its own.
        let normal = normalise(&self.0).unwrap_or_else(|_| self.0.clone());
        let hash: [u8; 32] = Sha256::digest(normal.as_bytes()).into();
        let mut key = [0; 16];
        key.copy_from_slice(&hash[..16]);
        DnKey(key)
    }

    /// The value of the first RDN, for people: `Support` of `cn=Support,ou=groups,dc=example`.
    pub fn leaf(&self) -> String {
        rdns(&self.0)
            .ok()
            .and_then(|rdns| rdns.into_iter().next())
            .and_then(|rdn| rdn.into_iter().next())
            .map_or_else(|| self.0.clone(), |(_, value)| String::from_utf8_lossy(&value).into_owned())
    }

    /// Whether the DN is `ancestor` or lies below it.
    pub fn lies_within(&self, ancestor: &Self) -> bool {
        let (Ok(mine), Ok(theirs)) = (normal_rdns(&self.0), normal_rdns(&ancestor.0)) else { return false };
        mine.ends_with(&theirs)
    }
}

impl fmt::Display for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// The normal form: lower-case types, folded values, RDNs joined by `,`, parts of an RDN sorted and joined by `+`.
///
/// # Errors
/// When the DN can't be parsed.
pub fn normalise(text: &str) -> Result<String, Malformed> {
    Ok(normal_rdns(text)?.join(","))
}

fn normal_rdns(text: &str) -> Result<Vec<String>, Malformed> {
    let fold = |(kind, value): (String, Vec<u8>)| {
        let value = match std::str::from_utf8(&value) {
            Ok(text) => fold_value(text),
            Err(_) => value.iter().map(|byte| format!("\\{byte:02x}")).collect(),
        };
        format!("{}={value}", kind.to_ascii_lowercase())
    };
    let normal = |rdn: Vec<(String, Vec<u8>)>| {
        let mut parts: Vec<String> = rdn.into_iter().map(fold).collect();
        parts.sort();
        parts.join("+")
    };
    Ok(rdns(text)?.into_iter().map(normal).collect())
}

/// Folds a value as `caseIgnoreMatch` prepares it: NFKC, lower case, runs of spaces as one, none at the ends.
/// Separators are escaped, so that the joined form can't be read in two ways.
fn fold_value(text: &str) -> String {
    // NFKC leaves ASCII as it is.
    let folded =
        if text.is_ascii() { text.to_ascii_lowercase() } else { text.nfkc().collect::<String>().to_lowercase() };
    let mut out = String::with_capacity(folded.len());
    for word in folded.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        for c in word.chars() {
            if matches!(c, ',' | '+' | '=' | '\\') {
                out.push('\\');
            }
            out.push(c);
        }
    }
    out
}

/// One RDN: its attribute types with their raw values.
type Rdn = Vec<(String, Vec<u8>)>;

/// Parses RFC 4514 (and the `;` that RFC 2253 tolerated) into RDNs of type and raw value.
fn rdns(text: &str) -> Result<Vec<Rdn>, Malformed> {
    if text.len() > DN_BYTES_MAX {
        return Err(Malformed(format!("a DN of {} bytes is longer than {DN_BYTES_MAX}", text.len())));
    }
    let mut rest = text.trim();
    let mut rdns = Vec::new();
    if rest.is_empty() {
        return Ok(rdns);
    }
    let malformed = |why: &str| Malformed(format!("{text:?} is not a DN: {why}"));
    let mut rdn = Rdn::new();
    loop {
        let (kind, after) = rest.split_once('=').ok_or_else(|| malformed("a part has no '='"))?;
        let kind = kind.trim();
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ';');
        if kind.is_empty() || !kind.chars().all(fits) {
            return Err(malformed("an attribute type is missing or has other characters than letters, digits, '-'"));
        }
        let (value, end) = value(after).map_err(malformed)?;
        rdn.push((kind.to_owned(), value));
        let mut following = after[end..].chars();
        let separator = following.next();
        rest = following.as_str();
        if separator != Some('+') {
            rdns.push(std::mem::take(&mut rdn));
        }
        if separator.is_none() {
            return Ok(rdns);
        }
    }
}

/// Reads one attribute value; answers its bytes and where in `text` it ended (at a separator or the end).
fn value(text: &str) -> Result<(Vec<u8>, usize), &'static str> {
    let skipped = text.len() - text.trim_start().len();
    let body = &text[skipped..];
    if let Some(hex) = body.strip_prefix('#') {
        let end = hex.find([',', '+', ';']).unwrap_or(hex.len());
        let digits = hex[..end].trim_end();
        if digits.is_empty() || digits.len() % 2 != 0 {
            return Err("a '#' value needs pairs of hexadecimal digits");
        }
        let byte = |i: usize| digits.get(i..i + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let bytes = (0..digits.len()).step_by(2).map(byte).collect::<Option<Vec<u8>>>();
        return Ok((bytes.ok_or("a '#' value has other characters than hexadecimal digits")?, skipped + 1 + end));
    }
    let mut bytes = Vec::new();
    // Trailing spaces count only when escaped: remember where the last meaningful byte ended.
    let mut meaningful = 0;
    let mut quoted = false;
    let mut chars = body.char_indices();
    let mut end = body.len();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                let pair = body.get(at + 1..at + 3).filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()));
                if let Some(byte) = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
                    bytes.push(byte);
                    chars.nth(1);
                } else {
                    let (_, escaped) = chars.next().ok_or("it ends in a lone backslash")?;
                    bytes.extend(escaped.encode_utf8(&mut [0; 4]).as_bytes());
                }
                meaningful = bytes.len();
            }
            '"' => quoted = !quoted,
            ',' | '+' | ';' if !quoted => {
                end = at;
                break;
            }
            c => {
                bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
                if quoted || c != ' ' {
                    meaningful = bytes.len();
                }
            }
        }
    }
    if quoted {
        return Err("a quote is not closed");
    }
    bytes.truncate(meaningful);
    Ok((bytes, skipped + end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_dn_in_many_spellings_has_one_key() {
        let spellings = [
            r"cn=Müller\2C Jürgen,ou=People,dc=example,dc=org",
            r"CN=Müller\, Jürgen, OU=people, DC=Example,DC=org",
            r"cn=M\c3\bcller\,  J\C3\BCrgen ,ou=People,dc=example,dc=org",
            "cn=\"Müller, Jürgen\",ou=People,dc=example,dc=org",
            "cn=Mu\u{308}ller\\, Ju\u{308}rgen;ou=People,dc=example,dc=org",
        ];
        let first = Dn::parse(spellings[0]).unwrap().key();
        for spelling in spellings {
            assert_eq!(Dn::parse(spelling).unwrap().key(), first, "{spelling}");
        }
    }

    #[test]
    fn different_names_differ() {
        let keys: std::collections::BTreeSet<DnKey> =
            ["cn=a,dc=b", r"cn=a\,dc\=b", "cn=a+dc=b", "cn=a", "", "cn=a,dc=b,dc=c", r"cn=\#a,dc=b", r"cn=a\ ,dc=c"]
                .iter()
                .map(|text| Dn::parse(text).unwrap().key())
                .collect();
        assert_eq!(keys.len(), 8);
    }

    #[test]
    fn parts_of_a_multi_valued_rdn_have_no_order() {
        assert_eq!(normalise("uid=x+CN=y,dc=z").unwrap(), normalise("cn=Y+uid=X,dc=z").unwrap());
    }

    #[test]
    fn what_is_no_dn_is_refused() {
        for text in ["Support", "=x", "cn=a,", "cn=a\\", "cn=\"a", "cn=#f", "cn=#zz", "c n=a"] {
            assert!(Dn::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn leaf_and_ancestry() {
        let dn = Dn::parse(r"cn=Tier\, 1,ou=Groups,dc=example").unwrap();
        assert_eq!(dn.leaf(), "Tier, 1");
        assert!(dn.lies_within(&Dn::parse("OU=groups, DC=example").unwrap()));
        assert!(!dn.lies_within(&Dn::parse("ou=people,dc=example").unwrap()));
        assert!(
            !Dn::parse("cn=x,ou=my groups,dc=example")
                .unwrap()
                .lies_within(&Dn::parse("ou=groups,dc=example").unwrap())
        );
    }
}
