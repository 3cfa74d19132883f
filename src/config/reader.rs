//! A small reader over a parsed TOML document: every fault is kept and none hides another.
//!
//! Each read of a key says what it needs; a wrong type, a value out of bounds and a missing key become faults with
//! their place, and reading goes on. What no read asked for is unknown. This knows no key by itself.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Faults, Found};
use super::hidden;
use super::unknown::{self, Unknown};
use super::values::{self, Wrong};

/// Longest text of a value, in bytes.
const TEXT_BYTES_MAX: usize = 8 * 1024;

/// Where a value stands.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Its key: `app[0].auth.client_id`.
    pub key: String,
    /// Its bytes in the text.
    pub span: Range<usize>,
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Spot<T> {
    pub value: T,
    pub place: Place,
}

impl<T> Spot<T> {
    /// The value alone.
    pub fn into_value(self) -> T {
        self.value
    }
}

/// Keys by the table that knows them, as `app[].auth` names it.
pub(super) type Known = BTreeMap<String, BTreeSet<&'static str>>;

/// Collects what the tables find.
pub(super) struct Sink<'a> {
    source: &'a str,
    empty: DeTable<'a>,
    found: RefCell<Vec<Found>>,
    missing: RefCell<Vec<(&'static str, Found)>>,
    unknown: RefCell<Vec<Unknown>>,
    known: RefCell<Known>,
    hidden: RefCell<Vec<Range<usize>>>,
}

impl<'a> Sink<'a> {
    /// A sink for a document; secrets in it are found beforehand, so that no fault beside one shows it.
    pub fn new(source: &'a str, document: &DeTable<'_>) -> Self {
        Self {
            source,
            empty: DeTable::new(),
            found: RefCell::default(),
            missing: RefCell::default(),
            unknown: RefCell::default(),
            known: RefCell::default(),
            hidden: RefCell::new(hidden::in_document(document)),
        }
    }

    /// Keeps a fault.
    pub fn fault(&self, place: &Place, what: impl Into<String>, remedy: impl Into<String>) {
        let (key, span) = (place.key.clone(), place.span.clone());
        self.found.borrow_mut().push(Found { key, span, what: what.into(), remedy: remedy.into() });
    }

    /// Keeps a fault of a value that couldn't be parsed.
    pub fn wrong(&self, place: &Place, wrong: Wrong) {
        self.fault(place, wrong.what, wrong.remedy);
    }

    /// The place of a part of a text, if the text stands in the file as it is; else of the whole value.
    pub fn inside(&self, spot: &Spot<&str>, part: Option<(usize, usize)>) -> Place {
        let whole = spot.place.clone();
        let raw = self.source.get(whole.span.clone()).unwrap_or_default();
        let (Some((from, to)), Some(at)) = (part, raw.find(spot.value)) else { return whole };
        let start = whole.span.start + at;
        Place { key: whole.key, span: start + from..start + to.max(from) }
    }

    /// Ends the reading: unknown keys become faults now that every known one is known.
    pub fn end(self, origin: &str) -> (Option<Faults>, Known) {
        let known = self.known.into_inner();
        let mut found = self.found.into_inner();
        let mut missing = self.missing.into_inner();
        for one in self.unknown.into_inner() {
            let (fault, meant) = unknown::fault(&one, &known);
            found.push(fault);
            // A key that is there under a slip of the pen isn't missing too.
            missing.retain(|(key, fault)| meant != Some(*key) || fault.key != one.parent);
        }
        found.extend(missing.into_iter().map(|(_, fault)| fault));
        let hidden = self.hidden.into_inner();
        (found.pop().map(|first| Faults::new(origin, self.source, first, found, &hidden)), known)
    }
}

/// A table that is being read. [`Table::finish`] ends it: what wasn't asked for is unknown.
pub(super) struct Table<'a> {
    sink: &'a Sink<'a>,
    entries: &'a DeTable<'a>,
    place: Place,
    pattern: String,
    asked: BTreeSet<&'static str>,
}

impl<'a> Table<'a> {
    /// The document itself.
    pub fn root(sink: &'a Sink<'a>, entries: &'a DeTable<'a>) -> Self {
        let place = Place { key: String::new(), span: 0..0 };
        Self { sink, entries, place, pattern: String::new(), asked: BTreeSet::new() }
    }

    /// Where the table stands: its header, or all of an inline table.
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// Where faults go.
    pub const fn sink(&self) -> &'a Sink<'a> {
        self.sink
    }

    /// Whether a key is set, in whatever type.
    pub fn has(&mut self, key: &'static str) -> bool {
        self.get(key).is_some()
    }

    /// Whether a key is set to a table.
    pub fn holds_table(&mut self, key: &'static str) -> bool {
        self.get(key).is_some_and(|spot| matches!(spot.value, DeValue::Table(_)))
    }

    /// Asks that a key be set.
    pub fn need(&mut self, key: &'static str, remedy: &str) {
        if self.has(key) {
            return;
        }
        let Place { key: table, span } = self.place.clone();
        let what = format!("the key `{key}` is missing");
        let found = Found { key: table, span, what, remedy: remedy.to_owned() };
        self.sink.missing.borrow_mut().push((key, found));
    }

    fn get(&mut self, key: &'static str) -> Option<Spot<&'a DeValue<'a>>> {
        self.asked.insert(key);
        let value = self.entries.get(key)?;
        let key = if self.place.key.is_empty() { key.to_owned() } else { format!("{}.{key}", self.place.key) };
        Some(Spot { value: value.get_ref(), place: Place { key, span: value.span() } })
    }

    fn mistyped<T>(&self, spot: &Spot<&DeValue<'_>>, expected: &str, remedy: &str) -> Option<T> {
        self.sink.fault(&spot.place, format!("expected {expected}, found {}", kind(spot.value)), remedy);
        None
    }

    /// A text.
    pub fn text(&mut self, key: &'static str) -> Option<Spot<&'a str>> {
        self.text_like(key, "…")
    }

    /// A text; `example` is one that could stand there.
    fn text_like(&mut self, key: &'static str, example: &str) -> Option<Spot<&'a str>> {
        let spot = self.get(key)?;
        self.as_text(&spot, &format!("write {key} = \"{example}\""))
    }

    fn as_text(&self, spot: &Spot<&'a DeValue<'a>>, remedy: &str) -> Option<Spot<&'a str>> {
        let DeValue::String(text) = spot.value else { return self.mistyped(spot, "a text in quotes", remedy) };
        if text.len() > TEXT_BYTES_MAX {
            let what = format!("the text has {} bytes, more than {TEXT_BYTES_MAX}", text.len());
            self.sink.fault(&spot.place, what, "shorten it");
            return None;
        }
        Some(Spot { value: text.as_ref(), place: spot.place.clone() })
    }

    /// A text that a function understands.
    pub fn parsed<T>(&mut self, key: &'static str, parse: impl FnOnce(&'a str) -> Result<T, Wrong>) -> Option<Spot<T>> {
        let spot = self.text(key)?;
        let value = self.understood(&spot, parse)?;
        Some(Spot { value, place: spot.place })
    }

    /// What a function makes of a text that was read already.
    pub fn understood<T>(&self, spot: &Spot<&'a str>, parse: impl FnOnce(&'a str) -> Result<T, Wrong>) -> Option<T> {
        parse(spot.value).map_err(|wrong| self.sink.wrong(&spot.place, wrong)).ok()
    }

    /// One of several words.
    pub fn one_of<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        self.parsed(key, |text| values::one_of(text, words)).map(Spot::into_value)
    }

    /// Yes or no.
    pub fn flag(&mut self, key: &'static str) -> Option<Spot<bool>> {
        let spot = self.get(key)?;
        match spot.value {
            DeValue::Boolean(value) => Some(Spot { value: *value, place: spot.place }),
            _ => self.mistyped(&spot, "true or false", &format!("write {key} = true or {key} = false, without quotes")),
        }
    }

    /// A whole number within bounds.
    pub fn whole(&mut self, key: &'static str, bounds: RangeInclusive<u32>) -> Option<u32> {
        let spot = self.get(key)?;
        let (low, high) = (bounds.start(), bounds.end());
        let remedy = format!("write a number from {low} to {high}, without quotes");
        let DeValue::Integer(digits) = spot.value else { return self.mistyped(&spot, "a whole number", &remedy) };
        match u32::from_str_radix(digits.as_str(), digits.radix()).ok().filter(|number| bounds.contains(number)) {
            Some(number) => Some(number),
            None => {
                self.sink.fault(&spot.place, format!("{digits} is not from {low} to {high}"), remedy);
                None
            }
        }
    }

    /// A share in percent: `75` or `"75%"`.
    pub fn percent(&mut self, key: &'static str) -> Option<u8> {
        match self.get(key)?.value {
            DeValue::String(_) => self.parsed(key, values::percent).map(Spot::into_value),
            _ => self.whole(key, 1..=100).and_then(|number| u8::try_from(number).ok()),
        }
    }

    /// A duration as people write it, within bounds.
    pub fn duration(&mut self, key: &'static str, bounds: &RangeInclusive<Duration>) -> Option<Spot<Duration>> {
        let spot = self.text_like(key, "30s")?;
        let value = self.understood(&spot, |text| values::duration(text, bounds))?;
        Some(Spot { value, place: spot.place })
    }

    /// A size as people write it, in bytes.
    pub fn size(&mut self, key: &'static str, bounds: &RangeInclusive<u64>) -> Option<Spot<u64>> {
        let spot = self.text_like(key, "50 MiB")?;
        let value = self.understood(&spot, |text| values::size(text, bounds))?;
        Some(Spot { value, place: spot.place })
    }

    /// A list of texts, each understood by a function; those that aren't are left out.
    pub fn list<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&'a str) -> Result<T, Wrong>,
    ) -> Option<Spot<Vec<Spot<T>>>> {
        let spot = self.get(key)?;
        let remedy = format!("write {key} = [\"…\"]");
        let DeValue::Array(array) = spot.value else { return self.mistyped(&spot, "a list", &remedy) };
        let mut value = Vec::new();
        for (at, one) in array.iter().enumerate() {
            let place = Place { key: format!("{}[{at}]", spot.place.key), span: one.span() };
            let Some(text) = self.as_text(&Spot { value: one.get_ref(), place }, &remedy) else { continue };
            match parse(text.value) {
                Ok(value_of_one) => value.push(Spot { value: value_of_one, place: text.place }),
                Err(wrong) => self.sink.wrong(&text.place, wrong),
            }
        }
        Some(Spot { value, place: spot.place })
    }

    /// Refuses a list that is set and has nothing in it.
    pub fn refuse_empty(&mut self, key: &'static str, what: &str, remedy: &str) {
        if let Some(Spot { value: DeValue::Array(array), place }) = self.get(key)
            && array.is_empty()
        {
            self.sink.fault(&place, what, remedy);
        }
    }

    /// A list that must be set and hold something.
    pub fn full_list<T>(
        &mut self,
        key: &'static str,
        remedy: &str,
        parse: impl Fn(&'a str) -> Result<T, Wrong>,
    ) -> Vec<Spot<T>> {
        self.need(key, remedy);
        self.refuse_empty(key, "the list is empty", remedy);
        self.list(key, parse).map(Spot::into_value).unwrap_or_default()
    }

    /// A set of texts; one that stands twice is a fault.
    pub fn set<T: Ord + Clone>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&'a str) -> Result<T, Wrong>,
    ) -> Option<BTreeSet<T>> {
        let mut set = BTreeSet::new();
        for one in self.list(key, parse)?.value {
            if !set.insert(one.value) {
                self.sink.fault(&one.place, "this stands twice in the list", "take one of the two out");
            }
        }
        Some(set)
    }

    /// A table, if it is set.
    pub fn table(&mut self, key: &'static str) -> Option<Table<'a>> {
        let spot = self.get(key)?;
        match spot.value {
            DeValue::Table(entries) => Some(self.below(key, "", entries, spot.place)),
            DeValue::Array(_) => {
                let remedy = format!("there is only one: write [{}] with single brackets", self.heading(key));
                self.mistyped(&spot, "a table", &remedy)
            }
            _ => {
                let heading = self.heading(key);
                self.mistyped(&spot, "a table", &format!("write {key} = {{ … }} or begin a section [{heading}]"))
            }
        }
    }

    /// A table; an empty one when it isn't set, and a fault with this remedy when it is something else.
    pub fn section_or(&mut self, key: &'static str, remedy: &str) -> Table<'a> {
        match self.get(key) {
            Some(spot) if !matches!(spot.value, DeValue::Table(_)) => {
                self.mistyped::<()>(&spot, "a table", remedy);
                self.below(key, "", &self.sink.empty, self.place.clone())
            }
            Some(_) | None => self.section(key),
        }
    }

    /// A table; an empty one when it isn't set.
    pub fn section(&mut self, key: &'static str) -> Table<'a> {
        self.table(key).unwrap_or_else(|| self.below(key, "", &self.sink.empty, self.place.clone()))
    }

    /// Tables of one kind, as `[[key]]` writes them.
    pub fn tables(&mut self, key: &'static str) -> Vec<Table<'a>> {
        let heading = self.heading(key);
        let remedy = format!("begin each one with [[{heading}]]");
        let Some(spot) = self.get(key) else { return Vec::new() };
        let DeValue::Array(array) = spot.value else {
            self.mistyped::<()>(&spot, &format!("a list of [[{heading}]]"), &remedy);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for (at, one) in array.iter().enumerate() {
            let place = Place { key: format!("{}[{at}]", spot.place.key), span: one.span() };
            let spot = Spot { value: one.get_ref(), place };
            match spot.value {
                DeValue::Table(entries) => tables.push(self.below(key, "[]", entries, spot.place)),
                _ => {
                    self.mistyped::<()>(&spot, "a table", &remedy);
                }
            }
        }
        tables
    }

    /// Tables of one kind, of which there must be one at least.
    pub fn full_tables(&mut self, key: &'static str, remedy: &str) -> Vec<Table<'a>> {
        self.need(key, remedy);
        self.refuse_empty(key, "the list is empty", remedy);
        self.tables(key)
    }

    fn below(&self, key: &str, suffix: &str, entries: &'a DeTable<'a>, place: Place) -> Table<'a> {
        let dot = if self.pattern.is_empty() { "" } else { "." };
        let pattern = format!("{}{dot}{key}{suffix}", self.pattern);
        Table { sink: self.sink, entries, place, pattern, asked: BTreeSet::new() }
    }

    fn heading(&self, key: &str) -> String {
        let dot = if self.pattern.is_empty() { "" } else { "." };
        format!("{}{dot}{key}", self.pattern.replace("[]", ""))
    }

    /// Ends the table: every key that no read asked for is unknown.
    pub fn finish(self) {
        for (key, value) in self.entries.iter().filter(|(key, _)| !self.asked.contains(key.get_ref().as_ref())) {
            self.sink.unknown.borrow_mut().push(Unknown {
                name: key.get_ref().to_string(),
                place: Place { key: joined(&self.place.key, key), span: key.span() },
                parent: self.place.key.clone(),
                table: self.pattern.clone(),
                text: matches!(value.get_ref(), DeValue::String(_)),
            });
        }
        self.sink.known.borrow_mut().entry(self.pattern).or_default().extend(self.asked);
    }
}

/// The key of an entry with its table's before it, quoted where TOML needs it.
fn joined(table: &str, key: &Spanned<std::borrow::Cow<'_, str>>) -> String {
    let key = key.get_ref();
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    let key = if bare { key.to_string() } else { values::shown(key) };
    if table.is_empty() { key } else { format!("{table}.{key}") }
}

/// What a value is, for people.
const fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
