//! Distinguished names (RFC 4514): read in any spelling, compared by a normal form, written as each server does.

/// How a server spells a name that needs escapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// `\2C`, `\2B`: observed on slapd 2.5.
    Hex,
    /// `\,`, `\+`, but `\3B` and `\3D`: observed on Samba 4.17.
    Backslash,
}

/// One `type=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ava {
    pub(super) name: String,
    pub(super) value: Vec<u8>,
}

/// One level of a name; several pairs where `+` joins them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rdn(pub(super) Vec<Ava>);

/// A name, the leaf first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Dn(pub(super) Vec<Rdn>);

impl Dn {
    /// Reads a name; `None` where the syntax is wrong.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.trim().is_empty() {
            return Some(Self::default());
        }
        let mut rest = text.as_bytes();
        let mut rdns = vec![Rdn(Vec::new())];
        loop {
            let (ava, end, tail) = ava(rest)?;
            rdns.last_mut()?.0.push(ava);
            match end {
                None => return Some(Self(rdns)),
                Some(b'+') => {}
                Some(_) => rdns.push(Rdn(Vec::new())),
            }
            rest = tail;
        }
    }

    /// The form by which names are compared.
    pub(super) fn key(&self) -> String {
        let mut key = String::new();
        for (n, rdn) in self.0.iter().enumerate() {
            if n > 0 {
                key.push(',');
            }
            key.push_str(&rdn.key());
        }
        key
    }

    pub(super) fn text(&self, spelling: Spelling) -> String {
        self.0.iter().map(|rdn| rdn.text(spelling)).collect::<Vec<_>>().join(",")
    }

    pub(super) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn parent(&self) -> Self {
        Self(self.0.iter().skip(1).cloned().collect())
    }

    pub(super) fn child(&self, rdn: Rdn) -> Self {
        Self(std::iter::once(rdn).chain(self.0.iter().cloned()).collect())
    }
}

impl Rdn {
    pub(super) fn new(name: &str, value: &str) -> Self {
        Self(vec![Ava { name: name.to_owned(), value: value.as_bytes().to_vec() }])
    }

    /// Reads a name of one level.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut dn = Dn::parse(text)?;
        if dn.0.len() == 1 { dn.0.pop() } else { None }
    }

    pub(super) fn key(&self) -> String {
        let mut pairs: Vec<String> = self.0.iter().map(Ava::key).collect();
        pairs.sort();
        pairs.join("+")
    }

    pub(super) fn text(&self, spelling: Spelling) -> String {
        let pairs: Vec<String> =
            self.0.iter().map(|ava| format!("{}={}", ava.name, escape(&ava.value, spelling))).collect();
        pairs.join("+")
    }
}

impl Ava {
    fn key(&self) -> String {
        let mut key = canonical_type(&self.name.to_ascii_lowercase()).to_owned();
        key.push('=');
        for &byte in &fold(&self.value) {
            match byte {
                b',' | b'+' | b'=' | b'\\' | 0..0x20 | 0x80.. => key.push_str(&format!("\\{byte:02x}")),
                _ => key.push(char::from(byte)),
            }
        }
        key
    }
}

/// Long names and object identifiers of the types that occur in names (RFC 4519).
fn canonical_type(lower: &str) -> &str {
    match lower {
        "commonname" | "2.5.4.3" => "cn",
        "surname" | "2.5.4.4" => "sn",
        "countryname" | "2.5.4.6" => "c",
        "localityname" | "2.5.4.7" => "l",
        "organizationname" | "2.5.4.10" => "o",
        "organizationalunitname" | "2.5.4.11" => "ou",
        "domaincomponent" | "0.9.2342.19200300.100.1.25" => "dc",
        "userid" | "0.9.2342.19200300.100.1.1" => "uid",
        other => other,
    }
}

/// Lower case, outer spaces off, inner runs of spaces as one (caseIgnoreMatch, RFC 4518); bytes that are no text stay.
pub(super) fn fold(value: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(value) else { return value.to_vec() };
    let mut out = String::with_capacity(text.len());
    let mut gap = false;
    for letter in text.trim_matches(' ').chars() {
        if letter == ' ' {
            gap = true;
            continue;
        }
        if gap {
            out.push(' ');
            gap = false;
        }
        if letter.is_ascii() { out.push(letter.to_ascii_lowercase()) } else { out.extend(letter.to_lowercase()) }
    }
    out.into_bytes()
}

/// Reads `type=value` up to a separator; gives the separator and what follows it.
fn ava(text: &[u8]) -> Option<(Ava, Option<u8>, &[u8])> {
    let equals = text.iter().position(|&byte| byte == b'=')?;
    let name = std::str::from_utf8(&text[..equals]).ok()?.trim();
    let name = name.strip_prefix("OID.").or_else(|| name.strip_prefix("oid.")).unwrap_or(name);
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b';')) {
        return None;
    }
    let mut rest = &text[equals + 1..];
    while let [b' ', tail @ ..] = rest {
        rest = tail;
    }
    let (value, rest) = match rest.first() {
        Some(b'"') => quoted(&rest[1..])?,
        Some(b'#') => hexadecimal(&rest[1..])?,
        _ => plain(rest)?,
    };
    let ava = Ava { name: name.to_owned(), value };
    match rest {
        [] => Some((ava, None, rest)),
        [end @ (b',' | b';' | b'+'), tail @ ..] => Some((ava, Some(*end), tail)),
        _ => None,
    }
}

/// One escaped character after a backslash, and its length in the text.
fn unescape(rest: &[u8]) -> Option<(u8, usize)> {
    let digit = |at: usize| rest.get(at).and_then(|&byte| char::from(byte).to_digit(16));
    if let (Some(high), Some(low)) = (digit(0), digit(1)) {
        return Some((u8::try_from(high * 16 + low).ok()?, 2));
    }
    match rest.first()? {
        byte @ (b' ' | b'#' | b'=' | b'"' | b'+' | b',' | b';' | b'<' | b'>' | b'\\') => Some((*byte, 1)),
        _ => None,
    }
}

fn plain(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut value = Vec::new();
    // Spaces at the end count only when they are escaped.
    let mut keep = 0;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b',' | b';' | b'+' => break,
            b'\\' => {
                let (byte, length) = unescape(&text[at + 1..])?;
                value.push(byte);
                keep = value.len();
                at += 1 + length;
            }
            b'"' => return None,
            _ => {
                value.push(byte);
                if byte != b' ' {
                    keep = value.len();
                }
                at += 1;
            }
        }
    }
    value.truncate(keep);
    Some((value, &text[at..]))
}

fn quoted(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut value = Vec::new();
    let mut at = 0;
    loop {
        match *text.get(at)? {
            b'"' => break,
            b'\\' => {
                let (byte, length) = unescape(&text[at + 1..])?;
                value.push(byte);
                at += 1 + length;
            }
            byte => {
                value.push(byte);
                at += 1;
            }
        }
    }
    let mut rest = &text[at + 1..];
    while let [b' ', tail @ ..] = rest {
        rest = tail;
    }
    Some((value, rest))
}

/// `#` and the hexadecimal BER of the value; its header is left out.
fn hexadecimal(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let length = text.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let digits = std::str::from_utf8(&text[..length]).ok()?;
    let bytes = (0..length / 2)
        .map(|n| u8::from_str_radix(digits.get(2 * n..2 * n + 2)?, 16).ok())
        .collect::<Option<Vec<u8>>>()?;
    if length % 2 != 0 || bytes.len() < 2 || bytes[1] >= 0x80 {
        return None;
    }
    Some((bytes[2..].to_vec(), &text[length..]))
}

fn escape(value: &[u8], spelling: Spelling) -> String {
    let Ok(text) = std::str::from_utf8(value) else {
        return value.iter().map(|byte| format!("\\{byte:02X}")).collect();
    };
    let last = text.len().saturating_sub(1);
    let mut out = String::with_capacity(text.len());
    for (at, letter) in text.char_indices() {
        let edge = (letter == ' ' && (at == 0 || at == last)) || (letter == '#' && at == 0);
        let special = matches!(letter, ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=');
        if !edge && !special && !letter.is_ascii_control() {
            out.push(letter);
            continue;
        }
        let by_hex = match spelling {
            Spelling::Hex => true,
            Spelling::Backslash => letter.is_ascii_control() || matches!(letter, ';' | '='),
        };
        if by_hex {
            out.push_str(&format!("\\{:02X}", u32::from(letter)));
        } else {
            out.push('\\');
            out.push(letter);
        }
    }
    out
}
