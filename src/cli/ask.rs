//! Commands that the engine carries out: by a running daemon over its socket, or here when there is none.

use std::io::{IsTerminal as _, Write as _};

use super::args::{Format, HoldsSub, PlanArgs};
use super::exit::{Exit, Failure};
use super::fold::{fold, width};
use super::join::{self, Joined, Reach};
use super::saved;
use super::show;
use super::ui::Ui;
use crate::control::client::{ClientFault, connect};
use crate::control::server::user_name;
use crate::control::socket_path;
use crate::engine::command::{Command, Reply};
use crate::engine::view::{HeldChangeView, HoldView, PlanView, StatusView, changes_text};

/// Approving more changes than this asks for the count.
const FEW_CHANGES: usize = 3;

/// Who gives commands here.
pub fn myself() -> String {
    user_name(rustix::process::getuid().as_raw())
}

/// Has a command carried out.
///
/// # Errors
/// When neither a daemon nor the store can be reached.
pub async fn ask(joined: &Joined, command: Command, ui: &mut Ui) -> Result<Reply, Failure> {
    ask_within(joined, command, Reach::Outside, ui).await
}

/// Whether a command only looks: it is answered from a copy of the store, which needs no right to write.
const fn looks_only(command: &Command) -> bool {
    match command {
        Command::Plan { .. }
        | Command::Offline { .. }
        | Command::Status
        | Command::Holds
        | Command::Keeps
        | Command::Groups
        | Command::Servers
        | Command::Undo { word: None, .. } => true,
        Command::Cycle { .. }
        | Command::Apply(_)
        | Command::Approve { .. }
        | Command::Reject { .. }
        | Command::Retry { .. }
        | Command::Leases { .. }
        | Command::TakeLease { .. }
        | Command::AcceptServers { .. }
        | Command::Pause { .. }
        | Command::Resume { .. }
        | Command::ByHand { .. }
        | Command::Link { .. }
        | Command::Repin { .. }
        | Command::Lift { .. }
        | Command::Undo { word: Some(_), .. } => false,
    }
}

/// As [`ask`], with an engine that reaches no further than it needs to.
async fn ask_within(joined: &Joined, command: Command, reach: Reach, ui: &mut Ui) -> Result<Reply, Failure> {
    let socket = socket_path(&joined.settings.state_dir);
    let daemon = connect(&socket).await.map_err(|fault| client_failure(&fault))?;
    if let Some(daemon) = daemon {
        let reply = daemon.ask(&command, |view| ui.draw(view)).await.map_err(|fault| client_failure(&fault))?;
        ui.clear();
        return Ok(reply);
    }
    // Declared first, so that it goes after the engine that works on it.
    let view;
    let mut engine = if looks_only(&command) {
        let (copy, engine) = join::engine_to_look(joined, reach)?;
        view = Some(copy);
        engine
    } else {
        view = None;
        join::engine(joined, reach)?
    };
    let actor = myself();
    let (stop, abandon) = join::stop_on_signals()?;
    let reply = tokio::select! {
        reply = engine.carry_out(command, &actor, stop, ui) => Some(reply),
        () = abandon => None,
    };
    ui.clear();
    drop(engine);
    drop(view);
    // Whatever was under way has its intent on disk, and is asked about by the next cycle.
    let hint = "what was begun is settled by the next cycle";
    reply.ok_or_else(|| Failure::new(Exit::Failed, "ended by a signal before the work was done", hint))
}

fn client_failure(fault: &ClientFault) -> Failure {
    let hint = match fault {
        ClientFault::Forbidden(_) => "run the command as root, or as a member of the service's group",
        ClientFault::Broken(_) => "see the daemon's log; what was begun is settled at its next start",
    };
    Failure::new(Exit::Storage, fault, hint)
}

/// Runs one cycle.
///
/// # Errors
/// What kept it from being run.
pub async fn once(joined: &Joined, user: Option<String>) -> Result<Exit, Failure> {
    let mut ui = Ui::default();
    match ask(joined, Command::Cycle { user }, &mut ui).await? {
        Reply::Cycle { code, cycle } => {
            tell(&format!("cycle {} ended: {}", cycle.cycle, cycle.text));
            Ok(Exit::Engine(code))
        }
        other => unexpected(other),
    }
}

/// Shows a plan.
///
/// # Errors
/// What kept it from being made.
pub async fn plan(joined: &Joined, args: PlanArgs) -> Result<Exit, Failure> {
    let mut ui = if args.format == Format::Json { Ui::quiet() } else { Ui::default() };
    let (app, user) = (args.app, args.user.clone());
    let (command, reach) = if args.offline {
        (Command::Offline { text: joined.text.clone(), app, user }, Reach::StoreOnly)
    } else {
        (Command::Plan { app, user }, Reach::Outside)
    };
    if let Some(path) = &args.out {
        saved::writable(path)?;
    }
    let (code, mut plan) = match ask_within(joined, command, reach, &mut ui).await? {
        Reply::Plan { code, plan } => (code, plan),
        other => return unexpected(other),
    };
    let bound = plan.saved.take();
    print(args.format, &*plan, show::plan)?;
    if let Some(user) = args.user.filter(|_| plan.is_empty() && args.format == Format::Text) {
        tell(&format!("nothing is to be done for {user:?}; people are named by mail, name or immutable id"));
    }
    if let Some(path) = args.out {
        saved::save(PlanView { saved: bound, ..(*plan).clone() }, path, code)?;
    }
    // What only waits is still something to do.
    let finds_work = args.exit_code && !plan.changes.is_empty();
    Ok(match code {
        0 | 4 if finds_work => Exit::Changes,
        4 => Exit::Done,
        code => Exit::Engine(code),
    })
}

/// Shows how the service is.
///
/// # Errors
/// What kept it from being told.
pub async fn status(joined: &Joined, format: Format) -> Result<Exit, Failure> {
    match ask(joined, Command::Status, &mut Ui::quiet()).await? {
        Reply::Status(status) => show_status(format, &status).map(|()| Exit::Done),
        other => unexpected(other),
    }
}

/// Writes a status to stdout.
///
/// # Errors
/// When it can't be written.
pub fn show_status(format: Format, status: &StatusView) -> Result<(), Failure> {
    print(format, status, show::status)
}

/// Lists, shows, approves or rejects holds.
///
/// # Errors
/// What kept it from being done.
pub async fn holds(joined: &Joined, sub: HoldsSub) -> Result<Exit, Failure> {
    match sub {
        HoldsSub::List { format } => {
            let holds = list(joined).await?;
            print(format, &holds, |holds| show::holds(holds))?;
        }
        HoldsSub::Show { id, format } => {
            let hold = find(list(joined).await?, &id)?;
            print(format, &hold, show::hold)?;
        }
        HoldsSub::Approve { id, users, count } => return approve(joined, id, users, count).await,
        HoldsSub::Reject { id, users } => {
            if let Reply::Decided { id, changes } = decided(joined, Command::Reject { id, users }).await? {
                let stay = if changes == 1 { "it stays" } else { "they stay" };
                say(&format!("hold {id}: {} rejected; {stay} undone.\n", changes_text(changes)))?;
            }
        }
    }
    Ok(Exit::Done)
}

async fn list(joined: &Joined) -> Result<Vec<HoldView>, Failure> {
    match ask(joined, Command::Holds, &mut Ui::quiet()).await? {
        Reply::Holds(holds) => Ok(holds),
        other => unexpected(other),
    }
}

fn find(holds: Vec<HoldView>, id: &str) -> Result<HoldView, Failure> {
    let mut fits = holds.into_iter().filter(|hold| hold.id.starts_with(&id.to_lowercase()));
    match (fits.next(), fits.next()) {
        (Some(hold), None) => Ok(hold),
        (Some(_), Some(_)) => {
            Err(Failure::new(Exit::Usage, format!("several holds begin with {id}"), "give more of the id"))
        }
        (None, _) => {
            let hint = "`zendesk-dirsync holds list` shows what waits; a hold is replaced when what waits changes";
            Err(Failure::new(Exit::Usage, format!("no hold has the id {id}"), hint))
        }
    }
}

async fn approve(joined: &Joined, id: String, users: Vec<String>, count: Option<usize>) -> Result<Exit, Failure> {
    let (id, count) = match count {
        Some(count) => (id, count),
        // What was shown is what is approved: its whole id and count, not whatever the beginning fits by then.
        None => {
            let hold = find(list(joined).await?, &id)?;
            let count = confirm(&hold, &users)?;
            (hold.id, count)
        }
    };
    let count = Some(count);
    if let Reply::Decided { id, changes } = decided(joined, Command::Approve { id, users, count }).await? {
        let go = if changes == 1 { "goes" } else { "go" };
        let n = changes_text(changes);
        let text = format!("hold {id}: {n} {go} on in the next cycle (`zendesk-dirsync --once` runs one now).\n");
        write_out(&fold(&text, width(std::io::stdout())))?;
    }
    Ok(Exit::Done)
}

/// Shows what would be approved and asks; answers how many changes were shown.
fn confirm(hold: &HoldView, users: &[String]) -> Result<usize, Failure> {
    let named = |change: &&HeldChangeView| {
        let is = |user: &String| {
            [&change.user, &change.name, &change.directory_id].iter().any(|one| one.eq_ignore_ascii_case(user))
        };
        users.is_empty() || users.iter().any(is)
    };
    let mut shown = hold.clone();
    shown.changes.retain(|change| named(&change));
    let n = shown.changes.len();
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        let message = "without a terminal to ask on, the number of changes must be given";
        return Err(Failure::new(Exit::Usage, message, format!("after `holds show {0}`: --count N", &hold.id[..8])));
    }
    anstream::eprint!("{}", fold(&show::hold(&shown), width(std::io::stderr())));
    confirmed(n).map(|()| n)
}

/// Asks whether so many changes that were just shown go on.
///
/// # Errors
/// When the answer isn't that they do.
pub fn confirmed(n: usize) -> Result<(), Failure> {
    let (question, expected) = if n > FEW_CHANGES {
        ("Type how many changes go on: ", n.to_string())
    } else {
        ("Let them go on? [y/N] ", "y".into())
    };
    anstream::eprint!("\n{question}");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|why| Failure::new(Exit::Usage, why, ""))?;
    if answer.trim().eq_ignore_ascii_case(&expected) {
        Ok(())
    } else {
        Err(Failure::new(Exit::Usage, "not approved", "nothing was changed"))
    }
}

async fn decided(joined: &Joined, command: Command) -> Result<Reply, Failure> {
    match ask(joined, command, &mut Ui::quiet()).await? {
        reply @ Reply::Decided { .. } => Ok(reply),
        other => unexpected(other),
    }
}

/// An answer that isn't the one to this question: a refusal, in the main.
///
/// # Errors
/// Always.
pub fn unexpected<T>(reply: Reply) -> Result<T, Failure> {
    match reply {
        Reply::Refused { code, fault } => Err(Failure::refused(code, &fault)),
        other => Err(Failure::new(
            Exit::Storage,
            format!("the daemon gave an answer to another question ({})", other.code()),
            "the daemon and this command may be of different versions: restart the daemon",
        )),
    }
}

/// Writes an answer to stdout.
pub(super) fn print<T: serde::Serialize>(
    format: Format,
    value: &T,
    text: impl FnOnce(&T) -> String,
) -> Result<(), Failure> {
    let text = match format {
        Format::Text => fold(&text(value), width(std::io::stdout())),
        Format::Json => {
            let json = serde_json::to_string(value);
            json.map(|json| json + "\n").map_err(|why| Failure::new(Exit::Failed, why, ""))?
        }
    };
    write_out(&text)
}

/// Writes a line for people to stderr.
pub fn tell(line: &str) {
    anstream::eprintln!("{}", fold(line, width(std::io::stderr())));
}

/// Writes what is for people to stdout, folded at its width.
///
/// # Errors
/// When it can't be written.
pub fn say(text: &str) -> Result<(), Failure> {
    write_out(&fold(text, width(std::io::stdout())))
}

/// Writes to stdout; a reader that has gone away isn't a fault.
pub fn write_out(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(fault) if fault.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::new(Exit::Failed, fault, "")),
        Ok(()) | Err(_) => Ok(()),
    }
}
