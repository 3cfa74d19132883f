//! Saved plans as files: written for `plan --out`, read and shown for `apply`, and what moved when one is refused.
//!
//! Whether a plan may be applied is the engine's to say; here are the file and the words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::args::ApplyArgs;
use super::ask::{ask, confirmed, tell, unexpected};
use super::exit::{Exit, Failure};
use super::fold::{fold, width};
use super::join::Joined;
use super::show;
use super::ui::Ui;
use crate::engine::command::{Command, Reply};
use crate::engine::saved::SavedFault;
use crate::engine::view::{ChangeView, FieldView, PlanView, changes_text};

/// The version of the format that this release reads and writes.
const FORMAT: u64 = 1;
/// The longest plan that is read, in bytes: some hundred thousand people.
const PLAN_BYTES_MAX: u64 = 1 << 30;

const ANEW: &str = "make the plan anew: zendesk-dirsync plan --out FILE";

/// What every version of the format has.
#[derive(Deserialize)]
struct Head {
    format: u64,
}

/// Writes a plan to a file, whole or not at all, for its owner alone.
///
/// # Errors
/// When something else lies there, the plan isn't whole, or the file can't be written.
pub fn write(mut plan: PlanView, path: &Path) -> Result<(), Failure> {
    let failed = |why: &dyn std::fmt::Display| Failure::new(Exit::Failed, format!("{}: {why}", path.display()), "");
    plan.seal().map_err(|why| failed(&why))?;
    let mut text = serde_json::to_vec(&plan).map_err(|why| failed(&why))?;
    text.push(b'\n');
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = folder.join(format!(".{name}.{}", uuid::Uuid::new_v4().simple()));
    let written =
        put(&beside, &text).and_then(|()| fs::rename(&beside, path)).and_then(|()| File::open(folder)?.sync_all());
    written.map_err(|why| {
        let _ = fs::remove_file(&beside);
        let hint = "the folder must exist and be writable";
        Failure::new(Exit::Failed, format!("{}: {why}", path.display()), hint)
    })
}

fn put(path: &Path, text: &[u8]) -> std::io::Result<()> {
    // It names people and says what becomes of them.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

/// Whether a plan may be written to a path: nothing lies there, or an older plan.
///
/// # Errors
/// When something else lies there.
pub fn writable(path: &Path) -> Result<(), Failure> {
    let usage = |why: &str| {
        let hint = "name a file that doesn't exist yet, or that `plan --out` made";
        Err(Failure::new(Exit::Usage, format!("{} {why}: it is left as it is", path.display()), hint))
    };
    match fs::symlink_metadata(path) {
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Ok(found) if found.is_file() => match load(path) {
            Ok((text, _)) if serde_json::from_slice::<Head>(&text).is_ok() => Ok(()),
            Ok(_) | Err(_) => usage("is not a plan"),
        },
        Ok(_) => usage("is not a regular file"),
        Err(why) => Err(Failure::new(Exit::Usage, format!("{}: {why}", path.display()), "")),
    }
}

fn load(path: &Path) -> Result<(Vec<u8>, u64), std::io::Error> {
    let mut text = Vec::new();
    let read = File::open(path)?.take(PLAN_BYTES_MAX).read_to_end(&mut text)?;
    Ok((text, read as u64))
}

/// Reads a saved plan.
///
/// # Errors
/// When the file isn't one of this release.
fn read(path: &Path) -> Result<PlanView, Failure> {
    let file = path.display();
    let usage = |why: String, hint: &str| Failure::new(Exit::Usage, why, hint);
    let (text, _) = load(path).map_err(|why| usage(format!("{file}: {why}"), "name a file of `plan --out FILE`"))?;
    let head: Head =
        serde_json::from_slice(&text).map_err(|_| usage(format!("{file} is not a plan, or was cut off"), ANEW))?;
    if head.format != FORMAT {
        let message = format!("{file} is a plan of format {}; this release reads format {FORMAT}", head.format);
        return Err(usage(message, "use the release that made it, or make the plan anew with this one"));
    }
    serde_json::from_slice(&text).map_err(|_| usage(format!("{file} is a plan with something missing or odd"), ANEW))
}

/// Applies a saved plan: exactly it, or nothing.
///
/// # Errors
/// What kept it from being applied.
pub async fn apply(joined: &Joined, args: ApplyArgs) -> Result<Exit, Failure> {
    let plan = read(&args.file)?;
    let order = plan.order().map_err(|why| {
        let hint = match why {
            SavedFault::NotSaved => "`plan --out FILE` saves one; `plan --format json` only shows it",
            SavedFault::Altered => ANEW,
        };
        Failure::new(Exit::Usage, format!("{}: {why}", args.file.display()), hint)
    })?;
    agreed(&plan, &args)?;
    let mut ui = Ui::default();
    match ask(joined, Command::Apply(Box::new(order)), &mut ui).await? {
        Reply::Cycle { code, cycle } => {
            tell(&format!("plan {} applied in cycle {}: {}", short(&plan), cycle.cycle, cycle.text));
            Ok(Exit::Engine(code))
        }
        Reply::Moved { code, plan: now } => Err(Failure::new(Exit::Engine(code), refusal(&plan, &now), ANEW)),
        other => unexpected(other),
    }
}

fn short(plan: &PlanView) -> &str {
    plan.digest.get(..8).unwrap_or_default()
}

/// Has a person say that this is the plan they mean.
fn agreed(plan: &PlanView, args: &ApplyArgs) -> Result<(), Failure> {
    let n = plan.changes.len();
    match args.count {
        Some(count) if count == n => Ok(()),
        Some(count) => {
            let message = format!("{count} was given, but the plan has {}", changes_text(n));
            Err(Failure::new(Exit::Usage, message, "look at the plan again; nothing was changed"))
        }
        None if n == 0 => Ok(()),
        None if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() => {
            let message = "without a terminal to ask on, the number of changes must be given";
            let hint = format!("`zendesk-dirsync apply {} --count N`", args.file.display());
            Err(Failure::new(Exit::Usage, message, hint))
        }
        None => {
            anstream::eprint!("{}", fold(&show::plan(plan), width(std::io::stderr())));
            confirmed(n)
        }
    }
}

/// Where something moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Configuration,
    Store,
    Decision,
    Directory,
    Target,
    DirectoryOrTarget,
    Gone,
    New,
    File,
}

impl Place {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Store => "store",
            Self::Decision => "decision",
            Self::Directory => "directory",
            Self::Target => "Zendesk",
            Self::DirectoryOrTarget => "directory or Zendesk",
            Self::Gone => "no longer needed",
            Self::New => "new since",
            Self::File => "file",
        }
    }
}

/// What moved, for which people.
fn refusal(file: &PlanView, now: &PlanView) -> String {
    let mut text = format!("plan {} is refused, and nothing was changed:", short(file));
    for (name, fault) in &now.faults {
        let _ = write!(text, "\n  {name}: {}; {}", fault.message, fault.hint);
    }
    if !now.faults.is_empty() {
        return text;
    }
    let edited = edited_apps(file, now);
    for app in &edited {
        let _ = write!(text, "\n  configuration: other rules for the app {app} now");
    }
    if let (Some(then), Some(here)) = (&file.saved, &now.saved)
        && then.revision != here.revision
    {
        let (then, here) = (then.revision, here.revision);
        let _ = write!(text, "\n  store: accounts, links or pins are others now (revision {then} then, {here} now)");
    }
    for (place, line) in moved(file, now, &edited) {
        let _ = write!(text, "\n  {}: {line}", place.as_str());
    }
    text
}

fn edited_apps(file: &PlanView, now: &PlanView) -> BTreeSet<String> {
    let (then, here) = (&file.based_on.apps, &now.based_on.apps);
    then.keys().chain(here.keys()).filter(|app| then.get(*app) != here.get(*app)).cloned().collect()
}

/// The people whose change is another one now.
fn moved(file: &PlanView, now: &PlanView, edited: &BTreeSet<String>) -> Vec<(Place, String)> {
    let by_person = |plan: &PlanView| -> BTreeMap<(String, String), ChangeView> {
        let keyed = |one: &ChangeView| ((one.app.clone(), one.directory_id.clone()), one.clone());
        plan.changes.iter().map(keyed).collect()
    };
    let (then, here) = (by_person(file), by_person(now));
    let mut moved = Vec::new();
    for (key, was) in &then {
        let who = format!("{} ({})", was.user, was.action);
        match here.get(key) {
            None => moved.push((Place::Gone, who)),
            Some(is) => {
                moved.extend(difference(was, is, edited).map(|(place, what)| (place, format!("{who}: {what}"))))
            }
        }
    }
    let new = here.iter().filter(|(key, _)| !then.contains_key(*key));
    moved.extend(new.map(|(_, is)| (Place::New, format!("{} ({})", is.user, is.action))));
    moved.sort();
    moved
}

/// Where a person's change moved, and what.
fn difference(was: &ChangeView, is: &ChangeView, edited: &BTreeSet<String>) -> Option<(Place, String)> {
    if was.digest == is.digest {
        match (was.is_rejected(), is.is_rejected()) {
            (false, true) => return Some((Place::Decision, "somebody has decided against it since".into())),
            (true, false) => return Some((Place::Decision, "what was decided against it is withdrawn".into())),
            (true, true) | (false, false) => {}
        }
        let told = |one: &ChangeView| (one.user.clone(), one.name.clone(), one.zendesk_id, one.changes.clone());
        return (told(was) != told(is)).then(|| (Place::File, "the file says something else than was planned".into()));
    }
    let account = |one: &ChangeView| one.zendesk_id.map_or_else(|| "none".to_owned(), |id| id.to_string());
    let (then, here) = (fields(was), fields(is));
    let mut places = BTreeSet::new();
    let mut words = Vec::new();
    for name in then.keys().chain(here.keys()).collect::<BTreeSet<_>>() {
        match (then.get(name), here.get(name)) {
            (Some(was), Some(is)) => {
                if was.before != is.before {
                    places.insert(Place::Target);
                    words.push(format!(
                        "{name} is {} there, and was {}",
                        show::value(&is.before),
                        show::value(&was.before)
                    ));
                }
                if was.after != is.after {
                    places.insert(Place::Directory);
                    let (is, was) = (show::value(&is.after), show::value(&was.after));
                    words.push(format!("{name} is to be {is}, and was to be {was}"));
                }
            }
            (Some(_), None) => {
                places.insert(Place::DirectoryOrTarget);
                words.push(format!("{name} needs no change any more"));
            }
            (None, Some(is)) => {
                places.insert(Place::DirectoryOrTarget);
                words.push(format!("{name} is to be {} as well", show::value(&is.after)));
            }
            (None, None) => {}
        }
    }
    if was.action != is.action {
        words.insert(0, format!("it would be a {} now", is.action));
        places.insert(Place::DirectoryOrTarget);
    } else if was.cause.code != is.cause.code {
        words.insert(0, format!("it would be because {} now", is.cause.code));
        places.insert(Place::Directory);
    }
    if words.is_empty() {
        words.push("other steps lead there now, or it waits for another reason".to_owned());
        places.insert(Place::DirectoryOrTarget);
    }
    let place = if edited.contains(&is.app) {
        Place::Configuration
    } else if was.zendesk_id != is.zendesk_id {
        words.insert(0, format!("the account is {}, and was {}", account(is), account(was)));
        Place::Store
    } else {
        let certain = places.iter().find(|place| **place != Place::DirectoryOrTarget);
        certain.or_else(|| places.first()).copied().unwrap_or(Place::DirectoryOrTarget)
    };
    Some((place, words.join("; ")))
}

fn fields(change: &ChangeView) -> BTreeMap<&str, &FieldView> {
    change.changes.iter().map(|field| (field.field.as_str(), field)).collect()
}

/// Saves a plan that was shown.
///
/// # Errors
/// As [`write()`], or when the plan isn't whole.
pub fn save(plan: PlanView, path: PathBuf, code: u8) -> Result<(), Failure> {
    if !plan.faults.is_empty() {
        let message = "the plan isn't whole, and is not saved";
        let hint = "a directory couldn't be read or an app not be asked: mend that first";
        return Err(Failure::new(Exit::Engine(code), message, hint));
    }
    let text = format!("plan {} with {} saved to {}", short(&plan), changes_text(plan.changes.len()), path.display());
    let n = plan.changes.len();
    write(plan, &path)?;
    tell(&text);
    tell(&format!("to carry out exactly this: zendesk-dirsync apply {} --count {n}", path.display()));
    Ok(())
}
