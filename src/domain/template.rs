//! Which filters and tests a template names: the engine looks them up when a template runs, which is too late to tell
//! the person who wrote it.
//!
//! This finds names only; what a template means is the engine's matter.

use std::ops::Range;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `value | name`
    Filter,
    /// `value is name`
    Test,
}

/// A name that a template uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Use<'s> {
    pub kind: Kind,
    pub name: &'s str,
    pub range: Range<usize>,
}

/// Finds the names in the expressions and statements of a template.
pub(super) fn uses(source: &str) -> Vec<Use<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = source[at..].find('{').map(|offset| at + offset) {
        at = open + 1;
        match source.as_bytes().get(at) {
            Some(b'#') => at = source[at..].find("#}").map_or(source.len(), |end| at + end + 2),
            Some(b'{' | b'%') => at = block(source, at + 1, &mut found),
            _ => {}
        }
    }
    found
}

/// Reads one block from behind its opening; answers where it ends.
fn block<'s>(source: &'s str, begin: usize, found: &mut Vec<Use<'s>>) -> usize {
    let bytes = source.as_bytes();
    let mut expected = None;
    let mut at = begin;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'}' if matches!(bytes[at - 1], b'}' | b'%') && at > begin => return at + 1,
            b'\'' | b'"' => {
                at = after_text(bytes, at);
                expected = None;
                continue;
            }
            b'|' => expected = Some(Kind::Filter),
            byte if byte.is_ascii_alphabetic() || byte == b'_' => {
                let length = bytes[at..].iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
                let name = &source[at..at + length];
                match (expected, name) {
                    (Some(Kind::Test), "not") => {}
                    (Some(kind), _) => {
                        found.push(Use { kind, name, range: at..at + length });
                        expected = None;
                    }
                    (None, "is") => expected = Some(Kind::Test),
                    (None, _) => {}
                }
                at += length;
                continue;
            }
            byte if byte.is_ascii_whitespace() => {}
            _ => expected = None,
        }
        at += 1;
    }
    source.len()
}

/// Where a text in quotes ends.
fn after_text(bytes: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            byte if byte == bytes[open] => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(source: &str) -> Vec<(Kind, &str)> {
        uses(source)
            .into_iter()
            .map(|one| {
                assert_eq!(&source[one.range], one.name);
                (one.kind, one.name)
            })
            .collect()
    }

    #[test]
    fn filters_and_tests_are_found_in_blocks_only() {
        use Kind::{Filter, Test};
        assert_eq!(
            names("{{ a | lower|upper }} | x {{b|default('|no')}}"),
            [(Filter, "lower"), (Filter, "upper"), (Filter, "default")]
        );
        assert_eq!(
            names("{% if a is defined and b is not endingwith 'x' %}is y{% endif %}"),
            [(Test, "defined"), (Test, "endingwith")]
        );
        assert_eq!(names("{{ 'it''s | no' }}{# {{ a | no }} #}{{ \"\\\" | no\" | yes }}"), [(Filter, "yes")]);
        assert_eq!(names("{ a | b } {{ this }} {{ a | first }}"), [(Filter, "first")]);
        for open in ["{{ a | ", "{{ 'a", "{% if a is", "{{", "{", "{# a", "{{ ü | é }}", "{{ 'a\\"] {
            names(open);
        }
    }
}
