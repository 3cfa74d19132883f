//! One scenario, five directories, one plan: the in-process fake, the sandbox as OpenLDAP and as Active Directory, slapd
//! and Samba give equal plans for every step, and these are what the scenario expects.
//!
//! The scenario's `expect` lists are the oracle; the servers are compared with the first of them only after that.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use zendesk_dirsync::domain::id::EntryId;
use zendesk_dirsync::engine::Ending;
use zendesk_dirsync::engine::ports::Ledger as _;
use zendesk_dirsync::engine::view::{ChangeView, PlanView};

use crate::support::memory::MemoryClock;
use crate::support::rig::{Rig, no_limits};
use crate::support::rig_desk::{in_memory, memory_desk, rules, start, unlimited, wired};
use crate::support::rig_host::{Host, Place};
use crate::support::rig_json::assert_same;
use crate::support::scenario::{Expected, Scenario};

/// Where this release says otherwise than the scenario, by person: what the scenario expects, and what is told instead.
/// A line that is no longer true makes the test fail, so the list can only shrink.
const OTHERWISE: &[(&str, Option<&str>, &str)] = &[
    // Two people with one mail: the product tells it as a fault of their entries, before Zendesk is asked.
    ("twin1", Some("conflict"), "rejected"),
    ("twin2", Some("conflict"), "rejected"),
    // An assignment can't exclude the members of another group yet.
    ("barred", None, "provision"),
];

/// Fewer people where every step is carried out over the wire.
const BULK_CARRIED_OUT: usize = 40;
/// A person's absence counts once a second complete read has shown it; a hold takes another cycle.
const CYCLES_MAX: usize = 3;
/// The only hold that the scenario comes to: a nested group was taken out, which looks just like one that may not be read
/// any more.
const HELD: &str = "group_unreached";

/// A plan as the scenario sees it: who, what, and the words that must agree.
fn told(view: &PlanView, ids: &BTreeMap<EntryId, String>) -> BTreeSet<Expected> {
    let key = |id: &str| ids.get(&EntryId::parse(id).expect("an id")).cloned().unwrap_or_else(|| id.to_owned());
    let change = |one: &ChangeView| {
        let after = |field: &str| {
            let found = one.changes.iter().find(|change| change.field == field)?;
            found.after.as_str().map(str::to_owned)
        };
        let mut fields: Vec<String> = one.changes.iter().map(|change| change.field.clone()).collect();
        fields.sort();
        Expected {
            person: key(&one.directory_id),
            action: one.action.clone(),
            role: after("role"),
            cause: Some(one.cause.code.clone()),
            fields: Some(fields),
        }
    };
    view.changes.iter().map(change).collect()
}

/// People in trouble, with what it is.
fn troubles(view: &PlanView, ids: &BTreeMap<EntryId, String>) -> BTreeSet<(String, &'static str)> {
    let key = |id: &str| ids.get(&EntryId::parse(id).expect("an id")).cloned().unwrap_or_else(|| id.to_owned());
    let rejected = view.rejected.iter().map(|one| (key(&one.directory_id), "rejected"));
    rejected.chain(view.conflicts.iter().map(|one| (key(&one.directory_id), "conflict"))).collect()
}

/// Holds what was told against what the scenario expects.
fn compare(place: Place, step: &str, expected: &[Expected], told: &BTreeSet<Expected>, bulk: (usize, &str)) {
    let mut wanted: BTreeMap<String, Expected> = expected.iter().map(|one| (one.person.clone(), one.clone())).collect();
    for (person, scenario, product) in OTHERWISE {
        let here = wanted.get(*person).map(|one| one.action.as_str());
        let begins = step == "first" || scenario.is_some_and(|action| here == Some(action));
        if begins && here == *scenario {
            let blank =
                Expected { person: (*person).into(), action: (*product).into(), role: None, cause: None, fields: None };
            wanted.insert((*person).to_owned(), blank);
        }
    }
    for number in 1..=bulk.0 {
        let person = format!("bulk-{number:04}");
        let blank = Expected { person: person.clone(), action: bulk.1.into(), role: None, cause: None, fields: None };
        if step == "first" {
            wanted.insert(person, blank);
        }
    }
    let context = format!("{place:?}, step {step}");
    let people: BTreeSet<&String> = told.iter().map(|one| &one.person).collect();
    assert_eq!(people.len(), told.len(), "{context}: a person is there twice: {told:#?}");
    let missing: Vec<&String> = wanted.keys().filter(|person| !people.contains(person)).collect();
    let surplus: Vec<&Expected> = told.iter().filter(|one| !wanted.contains_key(&one.person)).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "{context}: missing {missing:?}, not expected {surplus:#?}");
    for one in told {
        let want = &wanted[&one.person];
        assert_eq!(want.action, one.action, "{context}: {}", one.person);
        if let Some(cause) = &want.cause {
            assert_eq!(Some(cause), one.cause.as_ref(), "{context}: {}", one.person);
        }
        if let Some(fields) = &want.fields {
            assert_eq!(Some(fields), one.fields.as_ref(), "{context}: {}", one.person);
        }
        if let Some(role) = &want.role {
            // A custom role is an agent's: "agent (Team lead)".
            let is = one.role.as_deref().unwrap_or("as it was");
            let same = is == role || is.starts_with(&format!("{role} ("));
            assert!(same || one.action == "adopt", "{context}: {} becomes {is}, not {role}", one.person);
        }
    }
}

/// The plan as JSON, with what differs between servers taken out: ids become the scenario's keys, digests and the
/// server's name become empty, and so does the wording of evidence, which names each kind's own attributes.
fn anonymous(view: &PlanView, ids: &BTreeMap<EntryId, String>, accounts: &BTreeMap<u64, String>) -> Value {
    let mut json = serde_json::to_value(view).expect("a plan is JSON");
    json["digest"] = Value::Null;
    json["based_on"] = Value::Null;
    json["saved"] = Value::Null;
    rename(&mut json, ids, accounts);
    for list in ["rejected", "conflicts", "waiting"] {
        if let Some(list) = json[list].as_array_mut() {
            // A DN is spelt as each server spells it.
            for one in list.iter_mut() {
                if let Some((bare, _)) = one["why"].as_str().and_then(|why| why.split_once(" is also that of ")) {
                    one["why"] = format!("{bare} is somebody else's too").into();
                }
            }
            list.sort_by_key(Value::to_string);
        }
    }
    json
}

fn rename(json: &mut Value, ids: &BTreeMap<EntryId, String>, accounts: &BTreeMap<u64, String>) {
    match json {
        Value::Array(list) => list.iter_mut().for_each(|one| rename(one, ids, accounts)),
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                match (key.as_str(), &*value) {
                    ("digest" | "evidence" | "id", _) => *value = Value::Null,
                    ("zendesk_id", Value::Number(id)) => {
                        let known = id.as_u64().and_then(|id| accounts.get(&id));
                        *value = known.map_or(Value::Null, |name| name.as_str().into());
                    }
                    _ => rename(value, ids, accounts),
                }
            }
        }
        Value::String(text) => *text = named(text, ids),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A text with every immutable id replaced by whose it is.
fn named(text: &str, ids: &BTreeMap<EntryId, String>) -> String {
    let mut out = String::new();
    let mut word = String::new();
    let flush = |word: &mut String, out: &mut String| {
        let known = (word.len() == 32).then(|| EntryId::parse(word).ok().and_then(|id| ids.get(&id))).flatten();
        out.push_str(known.map_or(word.as_str(), String::as_str));
        word.clear();
    };
    for c in text.chars() {
        if c.is_ascii_hexdigit() {
            word.push(c);
        } else {
            flush(&mut word, &mut out);
            out.push(c);
        }
    }
    flush(&mut word, &mut out);
    out
}

/// What one place told, step by step, in a form that is compared between places.
#[derive(Debug, Default)]
struct Told {
    plans: Vec<(String, Value)>,
    account: Value,
}

/// Runs the whole scenario in one place, carrying every plan out at a Zendesk of its own.
async fn live_through(place: Place, scenario: &Scenario) -> Option<Told> {
    let mut company = scenario.company();
    let mut host = Host::start(place, &scenario.directory, &company).await?;
    let zendesk = start(unlimited(scenario.seed())).await;
    let clock = MemoryClock::at(&scenario.now.to_rfc3339());
    let rules = rules(scenario, &host.renderer);
    let mut rig = Rig::new(host.directory(), wired(&zendesk, rules, &clock), no_limits(), clock);
    let untouched = |zendesk: &sandbox::zendesk::Running| {
        let state = zendesk.state();
        [9001, 9002, 9004, 9005].map(|id| state.user_by_id(id).cloned().expect("it is still there"))
    };
    let before = untouched(&zendesk);
    let mut told_all = Told::default();
    let mut in_trouble = BTreeSet::new();
    let steps = std::iter::once(None).chain(scenario.steps.iter().map(Some));
    for step in steps {
        let (key, expected) = step.map_or(("first", &scenario.first.expect), |step| (step.key.as_str(), &step.expect));
        for change in step.iter().flat_map(|step| &step.change) {
            let earlier = company.clone();
            company.apply(change);
            host.change(&earlier, &company, change).await;
        }
        let mut seen = BTreeSet::new();
        let mut now_in_trouble = BTreeSet::new();
        for turn in 0..CYCLES_MAX {
            let plan = rig.plan().await;
            assert!(plan.faults.is_empty() && plan.notices.is_empty(), "{place:?}, {key}: {plan:#?}");
            let held = plan.changes.iter().filter_map(|change| change.held.as_ref());
            assert!(held.into_iter().all(|held| held.limit == HELD), "{place:?}, {key}: {plan:#?}");
            if turn > 0 && plan.changes.is_empty() && plan.waiting.is_empty() {
                break;
            }
            seen.extend(told(&plan, &host.ids));
            now_in_trouble = troubles(&plan, &host.ids);
            let accounts = zendesk.state().users.into_iter().map(|user| (user.id, user.name)).collect();
            told_all.plans.push((format!("{key} {turn}"), anonymous(&plan, &host.ids, &accounts)));
            let report = rig.cycle().await;
            assert!(
                matches!(report.ending, Ending::Done | Ending::Failed | Ending::Held),
                "{place:?}, {key}: {report:#?}"
            );
            let counts = report.summary.apps.values().next().expect("one app");
            assert_eq!(counts.failed, 0, "{place:?}, {key}: {report:#?}");
            for hold in rig.engine.ledger.holds().expect("the store") {
                let approved = rig.engine.approve(&hold.id.to_string(), None, None, "test").expect("the store");
                approved.unwrap_or_else(|fault| panic!("{place:?}, {key}: {fault}"));
            }
        }
        let begun = now_in_trouble.difference(&in_trouble).map(|(person, action)| Expected {
            person: person.clone(),
            action: (*action).to_owned(),
            role: None,
            cause: None,
            fields: None,
        });
        seen.extend(begun);
        compare(place, key, expected, &seen, (scenario.bulk.count, &scenario.first.bulk));
        in_trouble = now_in_trouble;
        let again = rig.plan().await;
        assert!(again.changes.is_empty() && again.waiting.is_empty(), "{place:?}, {key}: planned again: {again:#?}");
        assert_eq!(untouched(&zendesk), before, "{place:?}, {key}: an account was touched that isn't ours");
    }
    told_all.account = account(&zendesk, &host.ids);
    Some(told_all)
}

/// The account at the end, without times, with external ids replaced by whose they are.
fn account(zendesk: &sandbox::zendesk::Running, ids: &BTreeMap<EntryId, String>) -> Value {
    let mut json = serde_json::to_value(zendesk.state()).expect("an account is JSON");
    json["now"] = Value::Null;
    let users = json["users"].as_array_mut().expect("users");
    for user in users.iter_mut() {
        for time in ["created_at", "updated_at", "id"] {
            user[time] = Value::Null;
        }
    }
    users.sort_by_key(|user| (user["email"].to_string(), user["name"].to_string()));
    json["owner_id"] = Value::Null;
    rename(&mut json, ids, &BTreeMap::new());
    json
}

/// Compares what places told, so that the first difference is what is shown.
fn equal(all: &[(Place, Told)]) {
    let Some(((first, one), others)) = all.split_first() else { return };
    for (place, other) in others {
        let (a, b): (Vec<&String>, Vec<&String>) =
            (one.plans.iter().map(|(key, _)| key).collect(), other.plans.iter().map(|(key, _)| key).collect());
        assert_eq!(a, b, "{first:?} and {place:?} took other cycles");
        for ((key, a), (_, b)) in one.plans.iter().zip(&other.plans) {
            assert_same(a, b, &format!("{key}: {first:?} and {place:?}"));
        }
        assert_same(&one.account, &other.account, &format!("the accounts that {first:?} and {place:?} leave"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_gives_one_plan_in_five_directories_and_one_account_at_the_end() {
    let scenario = Scenario::load().with_bulk(BULK_CARRIED_OUT);
    let mut all = Vec::new();
    for place in Place::ALL {
        if let Some(told) = live_through(place, &scenario).await {
            all.push((place, told));
        }
    }
    assert!(all.len() >= 3, "the fakes run everywhere");
    equal(&all);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_plan_of_the_whole_company_is_one_in_five_directories() {
    let scenario = Scenario::load();
    let company = scenario.company();
    let mut all = Vec::new();
    for place in Place::ALL {
        let Some(host) = Host::start(place, &scenario.directory, &company).await else { continue };
        let clock = MemoryClock::at(&scenario.now.to_rfc3339());
        let rules = rules(&scenario, &host.renderer);
        let (app, zendesk) = in_memory(memory_desk(&scenario.seed()), rules, &clock);
        let mut rig = Rig::new(host.directory(), app, no_limits(), clock);
        let plan = rig.plan().await;
        assert!(plan.faults.is_empty(), "{place:?}: {:#?}", plan.faults);
        let mut seen = told(&plan, &host.ids);
        seen.extend(troubles(&plan, &host.ids).into_iter().map(|(person, action)| Expected {
            person,
            action: action.into(),
            role: None,
            cause: None,
            fields: None,
        }));
        compare(place, "first", &scenario.first.expect, &seen, (scenario.bulk.count, &scenario.first.bulk));
        assert!(zendesk.writes().is_empty(), "a plan writes nothing");
        let plans = vec![("first".to_owned(), anonymous(&plan, &host.ids, &BTreeMap::new()))];
        all.push((place, Told { plans, account: Value::Null }));
    }
    equal(&all);
}
