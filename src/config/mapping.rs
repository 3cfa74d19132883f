//! The tables `mapping` and `matching` of an app: templates, and which accounts belong to whom.

use std::collections::BTreeMap;

use super::reader::{Place, Spot, Table};
use super::values::{Wrong, closest, domain, one_of, shown};
use crate::domain::mapping::{ExternalIdRule, Field, FieldMode, Mapping};
use crate::domain::rules::{AdoptCase, Adoption};

const MODES: [(&str, FieldMode); 2] = [("own", FieldMode::Own), ("seed", FieldMode::Seed)];
const ADOPTED: [(&str, AdoptCase); 2] = [("end-users", AdoptCase::EndUsers), ("agents", AdoptCase::Agents)];
const EXAMPLE: &str = "mapping = { name = \"{{ displayName }}\", email = \"{{ mail }}\" }";
/// The name under which the mapping speaks of the template for `external_id`.
const EXTERNAL_ID: &str = "external_id";

/// Reads both tables of an app; nothing if there are faults.
pub(super) fn read(app: &mut Table<'_>) -> Option<(Mapping, Adoption)> {
    let mut places: BTreeMap<&'static str, Spot<&str>> = BTreeMap::new();
    let mut modes = BTreeMap::new();
    app.need("mapping", &format!("say how attributes become fields: {EXAMPLE}"));
    let table = app.table("mapping");
    let has_mapping = table.is_some();
    if let Some(mut table) = table {
        for field in Field::ALL {
            let required = matches!(field, Field::Name | Field::Email);
            if required {
                table.need(field.as_str(), EXAMPLE);
            }
            let (template, mode) = template(&mut table, field.as_str());
            if let Some(template) = template {
                if required && !is_template(template.value) {
                    constant(&table, &template);
                }
                places.insert(field.as_str(), template);
            }
            if let Some(mode) = mode {
                modes.insert(field, mode);
            }
        }
        table.finish();
    }
    let (external_id, adoption) = matching(app.section("matching"), &mut places);
    if !has_mapping {
        return None;
    }
    compile(app, &places, modes, external_id).map(|mapping| (mapping, adoption))
}

/// A field's template: a text, or a table with a mode.
fn template<'a>(table: &mut Table<'a>, key: &'static str) -> (Option<Spot<&'a str>>, Option<FieldMode>) {
    if !table.holds_table(key) {
        return (table.text(key), None);
    }
    let Some(mut table) = table.table(key) else { return (None, None) };
    table.need("template", &format!("write {key} = {{ template = \"{{{{ … }}}}\", mode = \"own\" }}"));
    let template = table.text("template");
    let mode = table.one_of("mode", &MODES);
    table.finish();
    (template, mode)
}

fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// A name or a mail that is the same for everybody is a slip: braces were left out.
fn constant(table: &Table<'_>, template: &Spot<&str>) {
    let what = format!("{} would be the same for everybody", shown(template.value));
    let remedy = format!("put the attribute in braces: {}", shown(&format!("{{{{ {} }}}}", template.value.trim())));
    table.sink().fault(&template.place, what, remedy);
}

fn matching<'a>(
    mut table: Table<'a>,
    places: &mut BTreeMap<&'static str, Spot<&'a str>>,
) -> (ExternalIdRule, Adoption) {
    let text = table.text(EXTERNAL_ID);
    let rule = match text.as_ref().map(|spot| spot.value) {
        None | Some("own") => ExternalIdRule::Own,
        Some("off") => ExternalIdRule::Off,
        Some(template) if is_template(template) => ExternalIdRule::Template(template.to_owned()),
        Some(other) => {
            let remedy = match closest(other, ["own", "off"].into_iter()) {
                Some(word) => format!("did you mean \"{word}\"?"),
                None => "write \"own\", \"off\", or a template like \"{{ employeeNumber }}\"".to_owned(),
            };
            let wrong = Wrong::new(format!("{} is neither \"own\" nor \"off\" nor a template", shown(other)), remedy);
            text.iter().for_each(|spot| table.sink().wrong(&spot.place, wrong.clone()));
            ExternalIdRule::Own
        }
    };
    if let (ExternalIdRule::Template(_), Some(text)) = (&rule, text) {
        places.insert(EXTERNAL_ID, text);
    }
    let cases = table.set("adopt", |text| one_of(text, &ADOPTED)).unwrap_or_default();
    let domains = table.set("adopt_domains", domain).filter(|domains| !domains.is_empty());
    table.finish();
    (rule, Adoption { cases, domains })
}

/// Compiles all templates. A template that is missing or mistyped has its fault already: a stand-in takes its place, so
/// that the others are looked at.
fn compile(
    app: &Table<'_>,
    places: &BTreeMap<&'static str, Spot<&str>>,
    modes: BTreeMap<Field, FieldMode>,
    external_id: ExternalIdRule,
) -> Option<Mapping> {
    let source = |field: Field| {
        let stand_in = matches!(field, Field::Name | Field::Email).then_some("{{ x }}");
        let text = places.get(field.as_str()).map(|spot| spot.value).or(stand_in)?;
        Some((field, text.to_owned()))
    };
    let whole = places.contains_key(Field::Name.as_str()) && places.contains_key(Field::Email.as_str());
    match Mapping::compile(Field::ALL.into_iter().filter_map(source).collect(), modes, external_id) {
        Ok(mapping) => whole.then_some(mapping),
        Err(faults) => {
            for (key, fault) in faults {
                let place = places.get(key.as_str()).map(|spot| app.sink().inside(spot, fault.range));
                let place = place.unwrap_or_else(|| Place { key, span: app.place().span.clone() });
                let remedy = "write attributes as {{ name }}, a default as {{ title | default('-') }}, every value as {{ 'mail' | all | join(' ') }}";
                app.sink().fault(&place, format!("the template can't be used: {}", fault.why), remedy);
            }
            None
        }
    }
}
