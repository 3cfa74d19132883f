//! The mapping: templates over attributes, compiled once, each with a typed result.
//!
//! A template sees attributes only. It can't read files, call out, or run for long: its source, its steps and its
//! result are limited. A value that fails makes the person rejected, never absent.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, Value};
use minijinja::{Environment, ErrorKind, UndefinedBehavior};

use super::entry::Attributes;
use super::id::{Email, ExternalId};
use super::template;

/// Longest source of a template, in bytes. Longer ones could nest deep enough to overflow a parser's stack.
pub const TEMPLATE_BYTES_MAX: usize = 2 * 1024;
/// Longest result of a template, in bytes.
pub const RESULT_BYTES_MAX: usize = 16 * 1024;
/// Steps that one template may take.
const STEPS_MAX: u64 = 20_000;

/// A Zendesk field that a template fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// The display name; required.
    Name,
    /// The primary mail address; required.
    Email,
    /// The name that customers see.
    Alias,
    /// A phone number.
    Phone,
    /// Details.
    Details,
    /// Notes, seen by agents only.
    Notes,
    /// The signature below an agent's answers.
    Signature,
}

impl Field {
    /// All fields, in the order in which they are shown.
    pub const ALL: [Self; 7] =
        [Self::Name, Self::Email, Self::Alias, Self::Phone, Self::Details, Self::Notes, Self::Signature];

    /// The name in the configuration, in Zendesk's API and in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Email => "email",
            Self::Alias => "alias",
            Self::Phone => "phone",
            Self::Details => "details",
            Self::Notes => "notes",
            Self::Signature => "signature",
        }
    }

    /// Reads a name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.as_str() == text)
    }

    /// How the field is kept when the configuration doesn't say.
    pub const fn default_mode(self) -> FieldMode {
        match self {
            Self::Name | Self::Email | Self::Phone | Self::Details => FieldMode::Own,
            Self::Alias | Self::Notes | Self::Signature => FieldMode::Seed,
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who is master of a field after the account was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FieldMode {
    /// The directory: a change there is written.
    Own,
    /// The person: written once, at creation.
    Seed,
}

/// What the `external_id` of an account is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExternalIdRule {
    /// `dirsync-` and the immutable id.
    Own,
    /// A template, for example the value that single sign-on uses.
    Template(String),
    /// Left alone.
    Off,
}

/// A template that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct TemplateFault {
    /// What is wrong.
    pub why: String,
    /// Where in the source, in bytes, if known.
    pub range: Option<(usize, usize)>,
}

/// A person whose entry can't be mapped: left as they are in Zendesk, and reported.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{field}: {why}")]
pub struct Rejection {
    /// The field that failed.
    pub field: String,
    /// Why.
    pub why: String,
}

impl Rejection {
    /// The field when the entry itself can't be read.
    pub const ENTRY: &str = "entry";
    /// The field when it can't be told whether the account may be used.
    pub const STATE: &str = "account state";

    /// Whether nothing was read of the person, as against something that doesn't fit.
    pub fn is_of_reading(&self) -> bool {
        self.field == Self::ENTRY || self.field == Self::STATE
    }

    /// A rejection of one field.
    pub fn new(field: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self { field: field.to_string(), why: why.to_string() }
    }
}

/// What the mapping made of an entry. The name isn't empty and the mail is an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// The display name.
    pub name: String,
    /// The primary mail address.
    pub email: Email,
    /// The other mapped fields; an empty text clears the field.
    pub texts: BTreeMap<Field, String>,
    /// The result of the template for `external_id`, if there is one.
    pub external_id: Option<ExternalId>,
    /// For attributes with several values that a template used: the value that stood in.
    pub chosen: BTreeMap<String, String>,
}

/// A mapping: all templates compiled.
#[derive(Clone)]
pub struct Mapping {
    sources: BTreeMap<Field, String>,
    modes: BTreeMap<Field, FieldMode>,
    external_id: ExternalIdRule,
    environment: Arc<Environment<'static>>,
    attributes: Vec<String>,
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapping").field("sources", &self.sources).field("external_id", &self.external_id).finish()
    }
}

const EXTERNAL_ID: &str = "external_id";

impl Mapping {
    /// Compiles the templates.
    ///
    /// # Errors
    /// Every template that can't be used, by its key; a missing `name` or `email` too.
    pub fn compile(
        sources: BTreeMap<Field, String>,
        modes: BTreeMap<Field, FieldMode>,
        external_id: ExternalIdRule,
    ) -> Result<Self, Vec<(String, TemplateFault)>> {
        let mut environment = Environment::empty();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(STEPS_MAX));
        minijinja_defaults(&mut environment);
        let mut faults = Vec::new();
        for required in [Field::Name, Field::Email] {
            if !sources.contains_key(&required) {
                let why = format!("a mapping needs a template for {required}");
                faults.push((required.to_string(), TemplateFault { why, range: None }));
            }
        }
        let texts = sources.iter().map(|(field, source)| (field.as_str(), source.clone()));
        let id = match &external_id {
            ExternalIdRule::Template(source) => Some((EXTERNAL_ID, source.clone())),
            ExternalIdRule::Own | ExternalIdRule::Off => None,
        };
        let mut attributes = std::collections::BTreeSet::new();
        for (key, source) in texts.chain(id) {
            match add(&mut environment, key, source) {
                Ok(used) => attributes.extend(used),
                Err(fault) => faults.push((key.to_owned(), fault)),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let attributes = attributes.into_iter().collect();
        Ok(Self { sources, modes, external_id, environment: Arc::new(environment), attributes })
    }

    /// The attributes that the templates name, to be read from the directory.
    pub fn attributes(&self) -> &[String] {
        &self.attributes
    }

    /// The rule for `external_id`.
    pub const fn external_id(&self) -> &ExternalIdRule {
        &self.external_id
    }

    /// Who is master of a field.
    pub fn mode(&self, field: Field) -> FieldMode {
        self.modes.get(&field).copied().unwrap_or(field.default_mode())
    }

    /// The sources by field, for the digest of a configuration and for `explain`.
    pub const fn sources(&self) -> &BTreeMap<Field, String> {
        &self.sources
    }

    /// Maps an entry. `last_used` answers, for an attribute with several values, the one that stood in last time.
    ///
    /// # Errors
    /// [`Rejection`] for the first field that fails.
    pub fn apply(&self, attributes: &Attributes, last_used: &BTreeMap<String, String>) -> Result<Mapped, Rejection> {
        let mut chosen = BTreeMap::new();
        let mut seen = BTreeMap::new();
        for kind in &self.attributes {
            let texts = attributes.texts(kind).map_err(|fault| Rejection::new(kind, fault))?;
            let last = last_used.get(kind).filter(|last| texts.contains(&last.as_str()));
            let one = last.map_or_else(|| texts.first().copied().unwrap_or_default().to_owned(), Clone::clone);
            if texts.len() > 1 {
                chosen.insert(kind.clone(), one.clone());
            }
            let all: Vec<Value> = texts.iter().map(|text| Value::from(*text)).collect();
            seen.insert(kind.clone(), (Value::from(one), Value::from(all)));
        }
        let context = Value::from_object(Seen(seen));
        let text = |key: &str| self.render(key, &context);
        let name = text(Field::Name.as_str())?;
        if name.is_empty() {
            return Err(Rejection::new(Field::Name, "the template gives no name"));
        }
        let email = Email::parse(&text(Field::Email.as_str())?).map_err(|why| Rejection::new(Field::Email, why))?;
        let mut texts = BTreeMap::new();
        for &field in self.sources.keys().filter(|field| !matches!(field, Field::Name | Field::Email)) {
            texts.insert(field, text(field.as_str())?);
        }
        let external_id = match &self.external_id {
            ExternalIdRule::Own | ExternalIdRule::Off => None,
            ExternalIdRule::Template(_) => {
                let id = ExternalId::parse(&text(EXTERNAL_ID)?).map_err(|why| Rejection::new(EXTERNAL_ID, why))?;
                // An id of our own form would let one person claim another's account.
                if id.as_str().to_lowercase().starts_with(ExternalId::OWN_PREFIX) {
                    return Err(Rejection::new(EXTERNAL_ID, "the template gives an id with this product's own prefix"));
                }
                Some(id)
            }
        };
        Ok(Mapped { name, email, texts, external_id, chosen })
    }

    fn render(&self, key: &str, context: &Value) -> Result<String, Rejection> {
        let rendered = self.environment.get_template(key).and_then(|template| template.render(context.clone()));
        let text = rendered.map_err(|fault| Rejection::new(key, describe(&fault)))?;
        if text.len() > RESULT_BYTES_MAX {
            let why = format!("the template gives {} bytes, more than {RESULT_BYTES_MAX}", text.len());
            return Err(Rejection::new(key, why));
        }
        // Fields of one line; a line break from the directory would forge lines elsewhere.
        let cleaned: String = text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect();
        Ok(cleaned.trim().to_owned())
    }
}

/// Adds a template; answers the attributes it names, in lower case.
fn add(
    environment: &mut Environment<'static>,
    key: &'static str,
    source: String,
) -> Result<Vec<String>, TemplateFault> {
    if source.len() > TEMPLATE_BYTES_MAX {
        let why = format!("the template has {} bytes, more than {TEMPLATE_BYTES_MAX}", source.len());
        return Err(TemplateFault { why, range: None });
    }
    let fault = |fault: minijinja::Error| TemplateFault {
        why: describe(&fault),
        range: fault.range().map(|range| (range.start, range.end)),
    };
    environment.add_template_owned(key, source.clone()).map_err(fault)?;
    if let Some(unknown) = unknown_name(environment, &source) {
        return Err(unknown);
    }
    let named = environment.get_template(key).map_err(fault)?.undeclared_variables(false);
    let mut used: Vec<String> = named.into_iter().filter(|name| name != ALL).map(|name| name.to_lowercase()).collect();
    used.extend(quoted_attributes(&source));
    Ok(used)
}

/// A filter or a test that isn't there: found when it is used, which may be for one person in a thousand.
fn unknown_name(environment: &Environment<'static>, source: &str) -> Option<TemplateFault> {
    let mut state = environment.empty_state();
    let unknown = |one: &template::Use<'_>| {
        let (answer, missing) = match one.kind {
            template::Kind::Filter => {
                (state.apply_filter(one.name, &[Value::from("")]).err(), ErrorKind::UnknownFilter)
            }
            template::Kind::Test => (state.perform_test(one.name, &[Value::from("")]).err(), ErrorKind::UnknownTest),
        };
        answer.is_some_and(|fault| fault.kind() == missing)
    };
    let one = template::uses(source).into_iter().find(unknown)?;
    let noun = match one.kind {
        template::Kind::Filter => "filter",
        template::Kind::Test => "test",
    };
    Some(TemplateFault {
        why: format!("there is no {noun} {:?}", one.name),
        range: Some((one.range.start, one.range.end)),
    })
}

/// Attributes named in quotes before the filter `all`, which reaches every value: `'proxyAddresses' | all`.
fn quoted_attributes(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in source.match_indices("all") {
        let before = source[..at].trim_end();
        let Some(before) = before.strip_suffix('|').map(str::trim_end) else { continue };
        let Some(quote) = before.chars().last().filter(|c| matches!(c, '\'' | '"')) else { continue };
        let inner = &before[..before.len() - 1];
        if let Some(start) = inner.rfind(quote) {
            found.push(inner[start + 1..].to_lowercase());
        }
    }
    found
}

const ALL: &str = "__all";

/// The attributes of one entry as a template sees them, by any case of their names.
#[derive(Debug)]
struct Seen(BTreeMap<String, (Value, Value)>);

impl Object for Seen {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        if key == ALL {
            return Some(Value::from_dyn_object(Arc::new(Every(
                self.0.iter().map(|(k, (_, all))| (k.clone(), all.clone())).collect(),
            ))));
        }
        self.0.get(&key.to_lowercase()).map(|(one, _)| one.clone())
    }
}

/// All values by attribute, for the filter `all`.
#[derive(Debug)]
struct Every(BTreeMap<String, Value>);

impl Object for Every {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.get(&key.as_str()?.to_lowercase()).cloned()
    }
}

/// The filters and tests that a mapping may use.
fn minijinja_defaults(environment: &mut Environment<'static>) {
    use minijinja::{filters, tests};
    environment.add_filter("lower", filters::lower);
    environment.add_filter("upper", filters::upper);
    environment.add_filter("title", filters::title);
    environment.add_filter("capitalize", filters::capitalize);
    environment.add_filter("trim", filters::trim);
    environment.add_filter("replace", filters::replace);
    environment.add_filter("first", filters::first);
    environment.add_filter("last", filters::last);
    environment.add_filter("join", filters::join);
    environment.add_filter("length", filters::length);
    environment.add_filter("split", filters::split);
    environment.add_filter("default", |value: Value, other: Value| {
        if value.is_undefined() || value.as_str().is_some_and(str::is_empty) { other } else { value }
    });
    environment.add_filter("all", |state: &minijinja::State<'_, '_>, name: String| {
        state
            .lookup(ALL)
            .and_then(|all| all.get_item(&Value::from(name)).ok())
            .unwrap_or_else(|| Value::from(Vec::<Value>::new()))
    });
    environment.add_test("defined", |value: Value| !value.is_undefined() && value.as_str() != Some(""));
    environment.add_test("startingwith", tests::is_startingwith);
    environment.add_test("endingwith", tests::is_endingwith);
    // A value that isn't there must never be written as the word "none".
    environment.set_formatter(|out, state, value| {
        if value.is_none() {
            return Err(minijinja::Error::new(ErrorKind::InvalidOperation, "the expression gives none"));
        }
        minijinja::escape_formatter(out, state, value)
    });
}

fn describe(fault: &minijinja::Error) -> String {
    match fault.detail() {
        Some(detail) => format!("{}: {detail}", fault.kind()),
        None => fault.kind().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(pairs: &[(Field, &str)]) -> Result<Mapping, Vec<(String, TemplateFault)>> {
        let mut sources: BTreeMap<Field, String> = pairs.iter().map(|(f, s)| (*f, (*s).to_owned())).collect();
        sources.entry(Field::Name).or_insert("{{ displayName }}".into());
        sources.entry(Field::Email).or_insert("{{ mail }}".into());
        Mapping::compile(sources, BTreeMap::new(), ExternalIdRule::Own)
    }
    fn alice() -> Attributes {
        [("displayName", "Alice"), ("mail", "Alice@Example.org"), ("l", "Berlin")].into_iter().collect()
    }
    fn note(source: &str, attributes: &Attributes) -> Result<String, Rejection> {
        let mapped = mapping(&[(Field::Notes, source)]).unwrap().apply(attributes, &BTreeMap::new())?;
        Ok(mapped.texts[&Field::Notes].clone())
    }

    #[test]
    fn attributes_are_found_in_any_case_and_an_absent_one_is_empty() {
        assert_eq!(
            note("{{ L }}/{{ title }}/{{ title | default('none yet') }}", &alice()).unwrap(),
            "Berlin//none yet"
        );
        assert_eq!(note("{% if l == 'Berlin' %}B{% else %}X{% endif %}", &alice()).unwrap(), "B");
    }

    #[test]
    fn mails_are_normalised_and_checked() {
        let mapped = mapping(&[]).unwrap().apply(&alice(), &BTreeMap::new()).unwrap();
        assert_eq!(mapped.email.as_str(), "alice@example.org");
        for bad in ["", "nobody", "a@b@c", "a b@example.org", "a@localhost"] {
            let entry = [("displayName", "A"), ("mail", bad)].into_iter().collect();
            let rejection = mapping(&[]).unwrap().apply(&entry, &BTreeMap::new()).unwrap_err();
            assert_eq!(rejection.field, "email", "{bad}");
        }
    }

    #[test]
    fn of_several_values_the_one_last_used_stands_in_else_the_smallest() {
        let mut entry = alice();
        entry.insert("mail", [b"aaa@example.org".to_vec(), b"bob@example.org".to_vec()]);
        let smallest = mapping(&[]).unwrap().apply(&entry, &BTreeMap::new()).unwrap();
        assert_eq!(smallest.email.as_str(), "alice@example.org", "bytes sort upper case first");
        let last = [("mail".to_owned(), "bob@example.org".to_owned())].into();
        assert_eq!(mapping(&[]).unwrap().apply(&entry, &last).unwrap().email.as_str(), "bob@example.org");
        let gone = [("mail".to_owned(), "gone@example.org".to_owned())].into();
        assert_eq!(mapping(&[]).unwrap().apply(&entry, &gone).unwrap().email.as_str(), "alice@example.org");
        assert_eq!(
            note("{{ 'mail' | all | join(' ') }}", &entry).unwrap(),
            "Alice@Example.org aaa@example.org bob@example.org"
        );
    }

    #[test]
    fn limits_hold() {
        assert!(mapping(&[(Field::Notes, &"x".repeat(TEMPLATE_BYTES_MAX + 1))]).is_err());
        let looping = "{% for a in 'abcdefghij' %}{% for b in 'abcdefghij' %}{% for c in 'abcdefghij' %}{% for d in 'abcdefghij' %}{% for e in 'abcdefghij' %}x{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}";
        assert!(note(looping, &alice()).is_err());
        let mut long = alice();
        long.insert("description", [vec![b'x'; RESULT_BYTES_MAX + 1]]);
        assert!(note("{{ description }}", &long).is_err());
    }

    #[test]
    fn faults_are_listed_with_their_keys() {
        let faults = mapping(&[(Field::Notes, "{{ l"), (Field::Alias, "{{ l | nosuch }}")]).unwrap_err();
        let keys: Vec<&str> = faults.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["alias", "notes"], "{faults:?}");
        assert_eq!(faults[0].1.range, Some((7, 13)), "the place of the filter that isn't there");
        assert!(mapping(&[(Field::Notes, "{% if l is nosuch %}x{% endif %}")]).is_err());
    }

    #[test]
    fn a_value_that_is_not_text_rejects_the_person() {
        let mut entry = alice();
        entry.insert("title", [vec![0xff, 0xfe]]);
        assert!(note("{{ title }}", &entry).is_err());
    }
}
