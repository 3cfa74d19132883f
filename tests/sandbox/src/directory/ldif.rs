//! Reading LDIF (RFC 2849): content records and change records.
//!
//! `attr:< URL` is refused: the sandbox reads no further files.

use std::fmt;

use base64::Engine as _;

use super::message::{Attributes, ModKind, Modification, Rename};

/// A fault in an LDIF text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LdifError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for LdifError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl std::error::Error for LdifError {}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    /// Without `changetype`.
    Content {
        dn: String,
        attributes: Attributes,
    },
    Add {
        dn: String,
        attributes: Attributes,
    },
    Modify {
        dn: String,
        changes: Vec<Modification>,
    },
    Delete {
        dn: String,
    },
    Rename(Rename),
}

struct Line {
    number: usize,
    name: String,
    value: Vec<u8>,
}

impl Line {
    fn fault(&self, why: impl Into<String>) -> LdifError {
        LdifError { line: self.number, why: why.into() }
    }

    fn text(&self) -> Result<String, LdifError> {
        String::from_utf8(self.value.clone()).map_err(|_| self.fault("not UTF-8"))
    }

    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// Reads every record, each with the line at which it starts.
pub(super) fn parse(text: &str) -> Result<Vec<(usize, Record)>, LdifError> {
    let mut records = Vec::new();
    let mut block: Vec<(usize, String)> = Vec::new();
    let mut in_comment = false;
    for (n, raw) in text.lines().chain(std::iter::once("")).enumerate() {
        let raw = raw.strip_suffix('\r').unwrap_or(raw);
        if let Some(more) = raw.strip_prefix(' ') {
            match block.last_mut() {
                _ if in_comment => {}
                Some((_, line)) => line.push_str(more),
                None => return Err(LdifError { line: n + 1, why: "continues no line".to_owned() }),
            }
            continue;
        }
        in_comment = raw.starts_with('#');
        if in_comment {
            continue;
        }
        if !raw.is_empty() {
            block.push((n + 1, raw.to_owned()));
        } else if !block.is_empty() {
            let lines = block.drain(..).map(|(number, line)| split(number, &line)).collect::<Result<Vec<_>, _>>()?;
            records.extend(record(lines)?);
        }
    }
    Ok(records)
}

fn split(number: usize, line: &str) -> Result<Line, LdifError> {
    let fault = |why: &str| LdifError { line: number, why: why.to_owned() };
    if line == "-" {
        return Ok(Line { number, name: "-".to_owned(), value: Vec::new() });
    }
    let (name, rest) = line.split_once(':').ok_or_else(|| fault("has no colon"))?;
    let value = if let Some(encoded) = rest.strip_prefix(':') {
        base64::engine::general_purpose::STANDARD.decode(encoded.trim()).map_err(|_| fault("is not base64"))?
    } else if rest.starts_with('<') {
        return Err(fault("values from a URL are not read"));
    } else {
        rest.trim_start_matches(' ').as_bytes().to_vec()
    };
    Ok(Line { number, name: name.to_owned(), value })
}

fn record(lines: Vec<Line>) -> Result<Option<(usize, Record)>, LdifError> {
    let mut lines = lines.into_iter().peekable();
    while lines.next_if(|line| line.is("version")).is_some() {}
    let Some(first) = lines.next() else { return Ok(None) };
    if !first.is("dn") {
        return Err(first.fault("a record starts with dn:"));
    }
    let dn = first.text()?;
    while lines.next_if(|line| line.is("control")).is_some() {}
    let record = match lines.next_if(|line| line.is("changetype")) {
        None => Record::Content { dn, attributes: attributes(lines)? },
        Some(line) => match line.text()?.to_ascii_lowercase().as_str() {
            "add" => Record::Add { dn, attributes: attributes(lines)? },
            "delete" => Record::Delete { dn },
            "modify" => Record::Modify { dn, changes: changes(lines)? },
            "modrdn" | "moddn" => Record::Rename(rename(dn, &line, lines)?),
            _ => return Err(line.fault("unknown changetype")),
        },
    };
    Ok(Some((first.number, record)))
}

fn attributes(lines: impl Iterator<Item = Line>) -> Result<Attributes, LdifError> {
    let mut attributes: Attributes = Vec::new();
    for line in lines {
        if line.name == "-" {
            return Err(line.fault("a separator outside a modification"));
        }
        match attributes.iter_mut().find(|(name, _)| line.is(name)) {
            Some((_, values)) => values.push(line.value),
            None => attributes.push((line.name, vec![line.value])),
        }
    }
    Ok(attributes)
}

fn changes(lines: impl Iterator<Item = Line>) -> Result<Vec<Modification>, LdifError> {
    let mut changes = Vec::new();
    let mut open: Option<Modification> = None;
    for line in lines {
        if line.name == "-" {
            changes.extend(open.take());
            continue;
        }
        if let Some(change) = &mut open {
            if !line.is(&change.name) {
                return Err(line.fault(format!("expected {}", change.name)));
            }
            change.values.push(line.value);
            continue;
        }
        let kind = match line.name.to_ascii_lowercase().as_str() {
            "add" => ModKind::Add,
            "delete" => ModKind::Delete,
            "replace" => ModKind::Replace,
            _ => return Err(line.fault("expected add:, delete: or replace:")),
        };
        open = Some(Modification { kind, name: line.text()?, values: Vec::new() });
    }
    changes.extend(open);
    Ok(changes)
}

fn rename(dn: String, at: &Line, lines: impl Iterator<Item = Line>) -> Result<Rename, LdifError> {
    let mut new_rdn = None;
    let mut delete_old = true;
    let mut new_superior = None;
    for line in lines {
        match line.name.to_ascii_lowercase().as_str() {
            "newrdn" => new_rdn = Some(line.text()?),
            "deleteoldrdn" => delete_old = line.value.as_slice() != b"0",
            "newsuperior" => new_superior = Some(line.text()?),
            _ => return Err(line.fault("not part of a modrdn")),
        }
    }
    let new_rdn = new_rdn.ok_or_else(|| at.fault("newrdn is missing"))?;
    Ok(Rename { dn, new_rdn, delete_old, new_superior })
}
