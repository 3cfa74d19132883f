//! What Zendesk says instead of doing: too many requests in every form, faults of its own, pages of HTML, tokens that ran
//! out, scopes that are missing, seats that are short. The rest goes on, nothing is done twice, no limit is passed.

use std::collections::BTreeMap;
use std::time::Duration;

use sandbox::zendesk::{Act, Fault, Limit, Logged, Options, Running};
use serde_json::{Value, json};
use tokio::time::Instant;
use zendesk_dirsync::domain::outcome::{Subject, Verdict};
use zendesk_dirsync::engine::Ending;
use zendesk_dirsync::engine::ports::Ledger as _;

use crate::support::memory::{MemoryClock, MemoryDirectory, MemoryLedger, MemoryReport};
use crate::support::rig::{AnyDesk, AnyDirectory, Rig, no_limits};
use crate::support::rig_desk::{app_settings, client_with, start, unlimited, wired};
use crate::support::rig_small::{directory, mail, person, rules, seed};

const NOW: &str = "2026-11-02T08:00:00Z";

type SmallRig = Rig<MemoryLedger, MemoryReport>;

async fn rig(options: Options, agents: &[u32], users: &[u32]) -> (Running, MemoryDirectory, SmallRig) {
    let running = start(options).await;
    let company = directory(agents, users);
    let clock = MemoryClock::at(NOW);
    let app = wired(&running, rules(), &clock);
    let directory = AnyDirectory::Memory(company.clone());
    let rig = Rig::over(directory, app, no_limits(), clock, MemoryLedger::default(), MemoryReport::default());
    (running, company, rig)
}

fn answer(status: u16, headers: &[(&str, &str)], body: Value) -> Act {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Act::Answer { status, headers, body }
}

fn fault(method: &str, path: &str, nth: u64, act: Act) -> Fault {
    Fault { method: Some(method.into()), path: path.into(), nth: Some(nth), act }
}

/// How many users have each of these mails.
fn holders(running: &Running, numbers: &[u32]) -> Vec<usize> {
    let state = running.state();
    let holders = |number: &u32| {
        state.users.iter().filter(|user| user.active && user.email.as_deref() == Some(&mail(*number))).count()
    };
    numbers.iter().map(holders).collect()
}

fn creations(requests: &[Logged]) -> Vec<&Logged> {
    requests.iter().filter(|one| one.method == "POST" && one.path == "/api/v2/users").collect()
}

#[tokio::test]
async fn a_429_of_any_form_is_waited_out_and_the_request_is_sent_once_more() {
    let text = "You have exceeded the rate limit for updating a single unique user. user email:  id:  external_id: ";
    let json = json!({"error": "APIRateLimitExceeded", "description": "Number of allowed API requests exceeded"});
    // The date is two seconds after the rig's own clock, which goes a quarter of an hour before each cycle.
    let date = "Mon, 02 Nov 2026 08:15:02 GMT";
    let forms = [
        ("seconds", answer(429, &[("Retry-After", "2")], json.clone()), 2),
        ("a date", answer(429, &[("Retry-After", date)], json.clone()), 2),
        ("no word", answer(429, &[], json.clone()), 1),
        ("nothing at all", answer(429, &[("Retry-After", "0")], Value::Null), 1),
        ("one user, as text", answer(429, &[("Retry-After", "2")], text.into()), 2),
        (
            "an endpoint's budget",
            answer(
                429,
                &[("Retry-After", "1"), ("Zendesk-RateLimit-create-update-user", "total=1; remaining=0; resets=2")],
                json,
            ),
            2,
        ),
    ];
    let mut waits = Vec::new();
    for (what, act, seconds) in forms {
        waits.push(async move {
            let (running, _company, mut rig) = rig(unlimited(seed(50)), &[], &[1, 2]).await;
            running.push_faults(vec![fault("POST", "/api/v2/users", 1, act)]);
            let began = Instant::now();
            let report = rig.cycle().await;
            assert_eq!(report.ending, Ending::Done, "{what}: {report:#?}");
            assert!(began.elapsed() >= Duration::from_secs(seconds), "{what}: waited {:?}", began.elapsed());
            assert_eq!(creations(&running.requests()).len(), 3, "{what}");
            assert_eq!(holders(&running, &[1, 2]), [1, 1], "{what}");
        });
    }
    futures_util::future::join_all(waits).await;
}

#[tokio::test]
async fn a_wait_that_is_too_long_ends_the_cycle_and_no_request_is_sent_before_its_time() {
    let (running, _company, mut rig) = rig(unlimited(seed(50)), &[], &[1, 2, 3]).await;
    let body = json!({"error": "TooManyRequests"});
    running.push_faults(vec![fault("POST", "/api/v2/users", 2, answer(429, &[("Retry-After", "600")], body))]);
    let report = rig.cycle().await;
    assert_eq!(report.ending, Ending::Zendesk, "{report:#?}");
    assert_eq!(holders(&running, &[1, 2, 3]), [1, 0, 0], "what was done stays, the rest waits");
    let sent = running.requests().len();
    for _ in 0..2 {
        let report = rig.cycle().await;
        assert_eq!(report.ending, Ending::Zendesk, "{report:#?}");
        assert_eq!(running.requests().len(), sent, "nothing is sent before the ten minutes are over");
    }
}

#[tokio::test]
async fn a_5xx_is_tried_again_for_a_read_and_asked_about_for_a_write() {
    let bad_gateway = || answer(502, &[], "<html>Bad Gateway</html>".into());
    let reads = async {
        let (running, _company, mut rig) = rig(unlimited(seed(50)), &[1], &[]).await;
        running.push_faults(vec![fault("GET", "/api/v2/groups", 1, bad_gateway())]);
        assert_eq!(rig.cycle().await.ending, Ending::Done);
        assert_eq!(holders(&running, &[1]), [1]);
    };
    let writes = async {
        let (running, _company, mut rig) = rig(unlimited(seed(50)), &[], &[1, 2]).await;
        running.push_faults(vec![fault("POST", "/api/v2/users", 1, bad_gateway())]);
        let report = rig.cycle().await;
        assert_eq!(report.ending, Ending::Failed, "{report:#?}");
        assert_eq!(creations(&running.requests()).len(), 2, "a creation is never sent twice in a row");
        assert_eq!(holders(&running, &[1, 2]), [0, 1], "the next person is served");
        assert_eq!(rig.engine.ledger.open_intents().expect("the store").len(), 1);
        assert_eq!(rig.cycle().await.ending, Ending::Done);
        assert_eq!(holders(&running, &[1, 2]), [1, 1]);
        assert!(rig.engine.ledger.open_intents().expect("the store").is_empty());
    };
    let down = async {
        let (running, _company, mut rig) = rig(unlimited(seed(50)), &[], &[1]).await;
        running.push_faults(vec![Fault { nth: None, ..fault("GET", "/api/v2/users/me", 1, bad_gateway()) }]);
        let report = rig.cycle().await;
        assert_eq!(report.ending, Ending::Zendesk, "{report:#?}");
        let writes = running.requests().into_iter().filter(|one| one.write && one.path != "/oauth/tokens").count();
        assert_eq!(writes, 0);
    };
    tokio::join!(reads, writes, down);
}

#[tokio::test]
async fn a_page_of_html_with_200_is_no_answer() {
    let page = || answer(200, &[("Content-Type", "text/html")], "<html>Sign in</html>".into());
    for path in
        ["/api/v2/users/me", "/api/v2/groups", "/api/v2/users", "/api/v2/users/show_many", "/api/v2/users/search"]
    {
        let (running, _company, mut rig) = rig(unlimited(seed(50)), &[1], &[]).await;
        running.push_faults(vec![fault("GET", path, 1, page())]);
        let report = rig.cycle().await;
        assert_eq!(report.ending, Ending::Zendesk, "{path}: {report:#?}");
        assert_eq!(holders(&running, &[1]), [0], "{path}: nothing is planned on a page of HTML");
        assert_eq!(rig.cycle().await.ending, Ending::Done, "{path}");
        assert_eq!(holders(&running, &[1]), [1], "{path}");
    }
    // After a write nobody knows: it is asked about, and done once.
    let (running, _company, mut rig) = rig(unlimited(seed(50)), &[], &[1]).await;
    running.push_faults(vec![fault("POST", "/api/v2/users", 1, page())]);
    assert_eq!(rig.cycle().await.ending, Ending::Failed);
    let unknown = rig.engine.report.notices().into_iter().filter(|one| one.verdict == Verdict::Unknown).count();
    assert_eq!(unknown, 1);
    assert_eq!(rig.cycle().await.ending, Ending::Done);
    assert_eq!(holders(&running, &[1]), [1]);
}

#[tokio::test]
async fn a_token_that_runs_out_in_the_middle_is_renewed_and_nothing_is_done_twice() {
    // It is refused at some write in the middle of a change.
    let (running, _company, mut rig) = rig(unlimited(seed(50)), &[1], &[2]).await;
    let refused = json!({"error": "invalid_token", "error_description": "The access token has expired"});
    running.push_faults(vec![
        fault("POST", "/api/v2/users", 2, answer(401, &[], refused.clone())),
        fault("POST", "/api/v2/group_memberships", 1, answer(401, &[], refused)),
    ]);
    let report = rig.cycle().await;
    assert_eq!(report.ending, Ending::Done, "{report:#?}");
    assert_eq!(holders(&running, &[1, 2]), [1, 1]);
    let tokens = running.requests().into_iter().filter(|one| one.path == "/oauth/tokens").count();
    assert_eq!(tokens, 3, "one at first, one after each refusal");

    // Or it is simply over when the next cycle begins, though our clock doesn't say so.
    running.advance(Duration::from_secs(2_000));
    let (company, before) = (_company, tokens);
    company.change(|company| {
        let id = person(2).id;
        company.people.get_mut(&id).expect("the second").set("displayName", "Another");
    });
    assert_eq!(rig.cycle().await.ending, Ending::Done);
    let tokens = running.requests().into_iter().filter(|one| one.path == "/oauth/tokens").count();
    assert_eq!(tokens, before + 1);
}

#[tokio::test]
async fn credentials_that_do_not_do_end_the_app_and_change_nothing() {
    // The client may not have the scopes that the configuration asks for.
    let options = Options { client_scopes: Some(vec!["users:read".into(), "read".into()]), ..unlimited(seed(50)) };
    let (running, _company, mut rig) = rig(options, &[1], &[2]).await;
    let report = rig.cycle().await;
    assert_eq!(report.ending, Ending::Zendesk, "{report:#?}");
    assert_eq!(holders(&running, &[1, 2]), [0, 0]);
    assert!(running.requests().iter().all(|one| one.path == "/oauth/tokens"), "nothing is tried with half a right");

    // Asked for less than is needed, it is refused where it counts.
    let running = start(unlimited(seed(50))).await;
    let clock = MemoryClock::at(NOW);
    let mut settings = app_settings(&running.url(), rules());
    if let zendesk_dirsync::domain::settings::ZendeskAuth::Client { scopes, .. } = &mut settings.auth {
        *scopes = std::collections::BTreeSet::from(["read".to_owned()]);
    }
    let app = zendesk_dirsync::engine::App {
        rules: rules(),
        desk: AnyDesk::Wire(Box::new(client_with(&settings, &clock, "sandbox-secret"))),
        identity: running.url(),
    };
    let directory_of_one = AnyDirectory::Memory(directory(&[], &[1]));
    let mut rig: SmallRig =
        Rig::over(directory_of_one, app, no_limits(), clock.clone(), MemoryLedger::default(), MemoryReport::default());
    let report = rig.cycle().await;
    assert_eq!(report.ending, Ending::Zendesk, "{report:#?}");
    assert_eq!(holders(&running, &[1]), [0]);

    // A wrong secret.
    let app = zendesk_dirsync::engine::App {
        rules: rules(),
        desk: AnyDesk::Wire(Box::new(client_with(&app_settings(&running.url(), rules()), &clock, "wrong"))),
        identity: running.url(),
    };
    let directory_of_one = AnyDirectory::Memory(directory(&[], &[1]));
    let mut rig: SmallRig =
        Rig::over(directory_of_one, app, no_limits(), clock, MemoryLedger::default(), MemoryReport::default());
    let report = rig.cycle().await;
    assert_eq!(report.ending, Ending::Zendesk, "{report:#?}");
    let told: String = rig.engine.report.notices().iter().map(|notice| format!("{notice:?}")).collect();
    assert!(!told.contains("wrong\""), "the secret isn't told: {told}");
}

#[tokio::test]
async fn seats_that_are_short_stop_agents_and_nobody_else() {
    // The owner and our own API user have a seat each; one is left.
    let (running, _company, mut rig) = rig(unlimited(seed(3)), &[1, 2, 3], &[4, 5]).await;
    let report = rig.cycle().await;
    assert_eq!(report.ending, Ending::Failed, "{report:#?}");
    assert_eq!(holders(&running, &[1, 2, 3]).iter().sum::<usize>(), 1, "one agent has a seat");
    assert_eq!(holders(&running, &[4, 5]), [1, 1], "end users need none");
    let kinds: Vec<&str> = rig
        .engine
        .report
        .notices()
        .iter()
        .filter(|one| matches!(one.subject, Subject::Account(_)))
        .filter_map(|one| one.problem.as_ref().map(|problem| problem.kind))
        .collect();
    assert_eq!(kinds, ["seats_short", "seats_short"]);
    running.configure(|options| options.seats = Some(10));
    assert_eq!(rig.cycle().await.ending, Ending::Done);
    assert_eq!(holders(&running, &[1, 2, 3]), [1, 1, 1]);
}

#[tokio::test]
async fn no_limit_of_an_account_as_documented_is_ever_passed() {
    // Every limit counts, and updates are a second apart, as in the product.
    let options = Options {
        update_limits: Limit::Strict,
        account_limits: Limit::Strict,
        user_limits: Limit::Strict,
        requests_per_minute: None,
        ..unlimited(seed(50))
    };
    let (running, company, mut rig) = rig(options, &[1], &[2, 3, 4]).await;
    let AnyDesk::Wire(client) = &mut rig.engine.apps[0].desk else { panic!("over the wire") };
    client.space_updates(Duration::from_secs(1));
    assert_eq!(rig.cycle().await.ending, Ending::Done);
    company.change(|company| {
        for number in [1, 2, 3, 4] {
            let person = company.people.get_mut(&person(number).id).expect("somebody");
            person.set("displayName", &format!("Renamed {number}"));
            person.set("telephoneNumber", "");
        }
    });
    assert_eq!(rig.cycle().await.ending, Ending::Done);
    let requests = running.requests();
    let throttled: Vec<&Logged> = requests.iter().filter(|one| one.status == Some(429)).collect();
    assert!(throttled.is_empty(), "{throttled:#?}");
    let updates = requests.iter().filter(|one| one.method == "PUT").count();
    assert!(updates >= 4, "{updates} updates");
}

#[tokio::test]
async fn what_is_sent_names_no_credential_and_never_leaves_the_host() {
    let (running, _company, mut rig) = rig(unlimited(seed(50)), &[1, 2], &[3]).await;
    // An answer that points elsewhere: neither followed nor fetched.
    let elsewhere = answer(302, &[("Location", "http://127.0.0.1:1/api/v2/users/me")], Value::Null);
    running.push_faults(vec![fault("GET", "/api/v2/groups", 1, elsewhere)]);
    assert_eq!(rig.cycle().await.ending, Ending::Zendesk);
    assert_eq!(rig.cycle().await.ending, Ending::Done);
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for request in running.requests() {
        let text = serde_json::to_string(&request).expect("a request is JSON");
        assert!(!text.contains("sandbox-secret"), "{text}");
        assert!(!request.query.to_lowercase().contains("token"), "{text}");
        assert!(request.path == "/oauth/tokens" || request.path.starts_with("/api/v2/"), "{text}");
        *kinds.entry(request.method).or_default() += 1;
    }
    assert!(kinds.len() >= 2, "{kinds:?}");
    let told: String = rig.engine.report.notices().iter().map(|notice| format!("{notice:?}")).collect();
    assert!(!told.contains("sandbox-secret"));
}
