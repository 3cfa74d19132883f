//! Escaping: nothing that a directory sent may act on a terminal, end a line, or turn the reading direction.
//!
//! A record is one line of JSON with such characters as `\uXXXX`, so that `tail -F` is safe; a view for people shows
//! them as `\u{..}`.

use std::io;

use serde::Serialize;

/// Whether a character could act instead of being shown: C0, DEL and C1 controls, line and paragraph separators, the
/// bidirectional controls (UAX #9), byte order mark, interlinear annotation, tag characters.
pub fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A text as a terminal may show it: what could act is visible instead, `\u{1b}`.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// A value as one line of JSON without the line's end.
///
/// # Errors
/// When the value has no JSON form.
pub fn json(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut bytes = Vec::with_capacity(1_024);
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, Compact))?;
    String::from_utf8(bytes).map_err(serde::ser::Error::custom)
}

/// A line of JSON that somebody else may have written, made safe to show; a line of ours stays as it is.
///
/// JSON has such characters only in strings, where the escape says the same.
pub fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| if acts(c) { units(c).for_each(|unit| out.push_str(&unit)) } else { out.push(c) });
    out
}

/// `\uXXXX`, twice for what lies outside the basic plane (RFC 8259 7).
fn units(c: char) -> impl Iterator<Item = String> {
    c.encode_utf16(&mut [0; 2]).to_vec().into_iter().map(|unit| format!("\\u{unit:04x}"))
}

/// serde_json's compact form, which leaves C1, bidi and U+2028 as they are; they are escaped too here.
struct Compact;

impl serde_json::ser::Formatter for Compact {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut from = 0;
        for (at, c) in fragment.char_indices().filter(|(_, c)| acts(*c)) {
            writer.write_all(&fragment.as_bytes()[from..at])?;
            for unit in units(c) {
                writer.write_all(unit.as_bytes())?;
            }
            from = at + c.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[from..])
    }
}
