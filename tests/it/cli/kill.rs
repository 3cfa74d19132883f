//! Killed at any moment, the next cycles bring the account to what is wanted: each person once, and the report agrees
//! with what Zendesk was sent, both ways.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sandbox::zendesk::{Logged, Role, UserState};
use serde_json::Value;

use crate::support::company::{dn, hire, join, leave, mail, set};
use crate::support::rig_cli::Rig;
use crate::support::until::{SOON, until, within};

/// How often the process is killed.
const KILLS: usize = 50;
/// The first seed; a failure prints the round it happened in.
const SEED: u64 = 0x5eed_0001;

/// A generator of numbers that is the same on every machine (splitmix64, Steele et al. 2014).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % limit as u64).unwrap()
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// What the directory says of a person, kept by hand.
#[derive(Debug, Clone)]
struct Person {
    name: String,
    mail: String,
    employed: bool,
    leads: bool,
}

/// The people in scope, by uid.
type People = BTreeMap<String, Person>;

fn first_people() -> People {
    let names = ["Alice Archer", "Bob Baker", "Carol Cook", "Dave Dyer", "Erin Ekdahl", "Frank Fisher"];
    let person = |name: &str| {
        let uid = name.split(' ').next().unwrap_or_default().to_lowercase();
        let person = Person { name: name.to_owned(), mail: mail(&uid), employed: true, leads: uid == "frank" };
        (uid, person)
    };
    names.into_iter().map(person).collect()
}

/// Changes the directory a little: hires, and one or two things that happen to people who are there.
fn life_goes_on(chance: &mut Chance, people: &mut People, round: usize) -> String {
    // Those in Support itself: the nested ones and the leads stay as they are. Nobody leaves on the day of the hire.
    let stays = ["dave", "erin", "frank"];
    let staff = people.iter().filter(|(uid, person)| person.employed && !stays.contains(&uid.as_str()));
    let staff: Vec<String> = staff.map(|(uid, _)| uid.clone()).collect();
    let mut ldif = String::new();
    for n in 0..=chance.below(3) {
        let uid = format!("r{round:02}n{n}");
        ldif += &hire("support", &uid, "New", &uid);
        let person = Person { name: format!("New {uid}"), mail: mail(&uid), employed: true, leads: false };
        people.insert(uid, person);
    }
    let former: Vec<String> =
        people.iter().filter(|(_, person)| !person.employed).map(|(uid, _)| uid.clone()).collect();
    if !former.is_empty() && chance.below(3) == 0 {
        let uid = chance.pick(&former).clone();
        ldif += &join("support", &uid);
        people.get_mut(&uid).unwrap().employed = true;
    }
    let uid = chance.pick(&staff).clone();
    let person = people.get_mut(&uid).unwrap();
    match chance.below(4) {
        0 if !person.leads => {
            ldif += &leave("support", &uid);
            person.employed = false;
        }
        1 => {
            person.mail = format!("{uid}.{round}@example.org");
            ldif += &set(&dn(&uid), "mail", &[&person.mail]);
        }
        2 => {
            person.name = format!("Renamed {round}");
            ldif += &set(&dn(&uid), "displayName", &[&person.name]);
        }
        _ if person.leads => {
            person.leads = false;
            ldif += &leave("leads", &uid);
        }
        _ => {
            person.leads = true;
            ldif += &join("leads", &uid);
        }
    }
    ldif
}

/// Starts a cycle and kills it: after a number of requests that Zendesk saw, or after a time. Answers whether it still
/// ran.
fn killed_cycle(rig: &Rig, chance: &mut Chance) -> bool {
    let mut cycle = rig.start(&["--once"]);
    if chance.below(4) == 0 {
        let after = Duration::from_millis(chance.below(400) as u64);
        let _ = within(after, || (!cycle.runs()).then_some(()));
    } else {
        let wanted = rig.mark() + chance.below(40);
        until(SOON, "a request or the end", || (rig.mark() > wanted || !cycle.runs()).then_some(()));
    }
    cycle.kill().signal.is_some()
}

/// The account that a write was for.
fn target(write: &Logged, users: &[UserState]) -> u64 {
    let mut segments =
        write.path.trim_end_matches(".json").split('/').skip_while(|segment| *segment != "users").skip(1);
    if let Some(id) = segments.next().and_then(|id| id.parse().ok()) {
        return id;
    }
    if let Some(id) = write.body["group_membership"]["user_id"].as_u64() {
        return id;
    }
    let marker = write.body["user"]["external_id"].as_str();
    let found = users.iter().find(|user| user.external_id.is_some() && user.external_id.as_deref() == marker);
    found.map(|user| user.id).unwrap_or_else(|| panic!("a write for nobody: {write:#?}"))
}

fn took_effect(write: &&Logged) -> bool {
    write.status.is_none_or(|status| status < 400)
}

/// The records of changes since the first so many, with the accounts that they say were changed.
fn told_accounts(records: &[Value]) -> BTreeSet<u64> {
    let changes = ["provision", "update", "reactivate", "deprovision", "adopt", "link"];
    let done = records
        .iter()
        .filter(|record| changes.iter().any(|action| record["action"] == *action) && record["result"] == "done");
    done.filter_map(|record| record["zendesk_id"].as_u64()).collect()
}

#[track_caller]
fn assert_as_wanted(rig: &Rig, people: &People, round: usize) {
    let state = rig.desk().state();
    let ours: Vec<&UserState> = state.users.iter().filter(|user| user.external_id.is_some()).collect();
    assert_eq!(ours.len(), people.len(), "round {round}: one account a person, nobody missing");
    for (uid, person) in people {
        let found: Vec<_> = ours.iter().filter(|user| user.email.as_deref() == Some(person.mail.as_str())).collect();
        let [account] = found.as_slice() else { panic!("round {round}: {uid} has {} accounts", found.len()) };
        assert!(account.active, "round {round}: {uid}");
        assert_eq!(account.suspended, !person.employed, "round {round}: {uid} {account:?}");
        if !person.employed {
            assert_eq!((account.role, account.groups.len()), (Role::EndUser, 0), "round {round}: {uid}");
            continue;
        }
        assert_eq!(account.name, person.name, "round {round}: {uid}");
        assert_eq!(account.role, Role::Agent, "round {round}: {uid}");
        assert_eq!(account.emails, Vec::<String>::new(), "round {round}: {uid}");
        let groups: BTreeSet<u64> = account.groups.iter().copied().collect();
        let wanted = if person.leads { BTreeSet::from([11, 12]) } else { BTreeSet::from([11]) };
        assert_eq!(groups, wanted, "round {round}: {uid}");
        assert_eq!(account.custom_role_id, person.leads.then_some(21), "round {round}: {uid}");
    }
}

#[test]
fn killed_at_fifty_moments_it_leaves_each_person_one_account() {
    let mut rig = Rig::unbraked();
    // Fifty rounds of a life are over in a minute.
    rig.configure(|config| {
        for limit in
            ["removals_shown", "removals_24h", "removals_7d", "takes_or_raises", "takes_or_raises_24h", "updates"]
        {
            config.brake += &format!("\n{limit} = {{ count = 500, percent = 100 }}");
        }
    });
    let mut chance = Chance(SEED);
    let mut people = first_people();
    let (mut kills, mut round, mut told, mut mark) = (0, 0, 0, 0);
    while kills < KILLS {
        if round > 0 {
            rig.change(&life_goes_on(&mut chance, &mut people, round));
        }
        for _ in 0..=chance.below(3) {
            kills += usize::from(killed_cycle(&rig, &mut chance));
        }
        let mut last = None;
        for _ in 0..3 {
            let cycle = rig.once();
            let done = cycle.code == Some(0);
            last = Some(cycle);
            if done {
                break;
            }
        }
        assert_eq!(last.as_ref().and_then(|cycle| cycle.code), Some(0), "round {round}: {last:#?}");
        assert_as_wanted(&rig, &people, round);

        let users = rig.desk().state().users;
        let written: BTreeSet<u64> =
            rig.writes_since(mark).iter().filter(took_effect).map(|write| target(write, &users)).collect();
        let records = rig.report();
        assert_eq!(told_accounts(&records[told..]), written, "round {round}: the report and Zendesk disagree");
        assert!(records.iter().all(|record| record["action"] != "conflict"), "round {round}");
        (told, mark) = (records.len(), rig.mark());

        rig.once().expect(0);
        assert_eq!(rig.writes_since(mark), [], "round {round}: it is done");
        told += rig.report().len() - told;
        mark = rig.mark();
        round += 1;
    }
    rig.run(&["report", "verify"]).expect(0);
    // The test is worth something only if it met changes in hand.
    let recovered = rig.report().iter().filter(|record| record["cause"]["code"] == "recovered").count();
    assert!(recovered >= KILLS / 10, "only {recovered} changes were met in hand");
}

#[test]
fn a_change_of_mail_that_broke_off_leaves_no_former_address() {
    use sandbox::zendesk::{Act, Drop, Fault};
    for cut in [Drop::DropBefore, Drop::DropAfter] {
        for path in
            ["/api/v2/users/*/identities", "/api/v2/users/*/identities/*/make_primary", "/api/v2/users/*/identities/*"]
        {
            let rig = Rig::unbraked();
            rig.once().expect(0);
            rig.change(&set(&dn("alice"), "mail", &["married@example.org"]));
            let (method, path) = (if path.ends_with("identities/*") { "DELETE" } else { "*" }, path.to_owned());
            let method = (method != "*").then(|| method.to_owned());
            rig.desk().push_faults(vec![Fault { method, path: path.clone(), nth: None, act: Act::Drop(cut) }]);
            rig.once();
            rig.desk().clear_faults();
            rig.once();
            // What failed is tried again after a pause, or when somebody says so.
            rig.run(&["retry", "--app", "support"]);
            rig.once().expect(0);
            let account = rig.account("married@example.org").unwrap();
            assert_eq!(account.emails, Vec::<String>::new(), "{path} {cut:?}");
            let mark = rig.mark();
            rig.once().expect(0);
            assert_eq!(rig.writes_since(mark), []);
        }
    }
}

#[test]
fn an_answer_that_is_lost_makes_no_second_account() {
    use sandbox::zendesk::{Act, Drop, Fault};
    for cut in [Drop::DropBefore, Drop::DropAfter] {
        let rig = Rig::unbraked();
        rig.desk().push_faults(vec![Fault {
            method: Some("POST".to_owned()),
            path: "/api/v2/users".to_owned(),
            nth: Some(2),
            act: Act::Drop(cut),
        }]);
        rig.once().expect(1);
        assert_eq!(rig.told("provision").iter().filter(|record| record["result"] == "unknown").count(), 1);
        rig.once();
        rig.run(&["retry", "--app", "support"]);
        rig.once().expect(0);
        assert_as_wanted(&rig, &first_people(), 0);
        rig.run(&["report", "verify"]).expect(0);
    }
}
