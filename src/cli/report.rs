//! Searching, following and verifying the report. It reads files alone, and needs neither the daemon nor the store.

use std::fs::File;
use std::io::{BufWriter, IsTerminal as _, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use super::args::{ReportArgs, ReportFormat, ReportSub};
use super::ask::{say, tell, write_out};
use super::env::SystemClock;
use super::exit::{Exit, Failure, chain};
use super::fold::{WIDTH, width};
use super::join::Joined;
use super::time::{self, Edge};
use crate::domain::id::AppName;
use crate::domain::outcome::{Subject, Verdict};
use crate::engine::ports::Clock as _;
use crate::report::follow::{Begin, Follower, follow};
use crate::report::query::{Filter, QueryFault, search};
use crate::report::record::ReportRecord;
use crate::report::render::{CsvReport, line, table};
use crate::report::verify::{Beginning, verify};

/// How often a report that is followed is looked at.
const FOLLOW_EVERY: Duration = Duration::from_millis(250);
/// Records that a table lays out together; a longer report goes on in another table.
const TABLE_RECORDS: usize = 500;

/// Carries out `report`.
///
/// # Errors
/// When the report can't be read or the answer not be written.
pub async fn report(joined: &Joined, args: ReportArgs) -> Result<Exit, Failure> {
    let file = joined.settings.report.file.clone();
    if let Some(ReportSub::Verify) = args.command {
        return check(&file);
    }
    let filter = filter(&args)?;
    if args.follow {
        return show_on(&file, &filter, args.format).await;
    }
    match &args.out {
        None => show(&file, &filter, args.format, anstream::stdout(), width(std::io::stdout())),
        Some(out) => {
            let hint = "name a file in a folder that you may write to";
            let to = File::create(out)
                .map_err(|why| Failure::new(Exit::Failed, format!("{}: {why}", out.display()), hint))?;
            show(&file, &filter, args.format, to, WIDTH)
        }
    }
}

/// A word of a closed list; another one would find nothing and look like an answer.
fn known_word(what: &str, given: Option<&String>, words: &[&str]) -> Result<(), Failure> {
    match given.filter(|given| !words.contains(&given.as_str())) {
        None => Ok(()),
        Some(given) => {
            let message = format!("{given:?} is no {what} of the report");
            Err(Failure::new(Exit::Usage, message, format!("use one of {}", words.join(", "))))
        }
    }
}

fn filter(args: &ReportArgs) -> Result<Filter, Failure> {
    known_word("action", args.action.as_ref(), &Subject::WORDS)?;
    known_word("result", args.result.as_ref(), &Verdict::WORDS)?;
    let now = SystemClock.now();
    let app = args.app.as_deref().map(AppName::new).transpose();
    Ok(Filter {
        user: args.user.clone(),
        app: app.map_err(|why| Failure::new(Exit::Usage, why, "use the app's name in the configuration"))?,
        since: args.since.as_deref().map(|text| time::parse(text, Edge::Begin, now)).transpose()?,
        until: args.until.as_deref().map(|text| time::parse(text, Edge::End, now)).transpose()?,
        action: args.action.clone(),
        result: args.result.clone(),
        cycle: args.cycle.clone(),
        directory: None,
    })
}

fn unreadable(fault: &QueryFault) -> Failure {
    Failure::new(Exit::Failed, chain(fault), "run this as root, or as a member of the service's group")
}

fn show(file: &Path, filter: &Filter, format: ReportFormat, to: impl Write, width: u16) -> Result<Exit, Failure> {
    let mut records = Vec::new();
    let mut out = Output::begin(format, BufWriter::new(to), width)?;
    let (mut odd, mut found) = (0, 0_usize);
    for next in search(file, filter).map_err(|fault| unreadable(&fault))? {
        match next {
            Ok(next) => {
                found += 1;
                out.take(&next.line, next.record, &mut records)?;
            }
            // The rest is still worth seeing.
            Err(fault @ QueryFault::Unreadable { .. }) => {
                odd += 1;
                tell(&chain(&fault));
            }
            Err(fault @ QueryFault::Io { .. }) => return Err(unreadable(&fault)),
        }
    }
    out.end(&records)?;
    if found == 0 && odd == 0 {
        let what = if *filter == Filter::default() { "the report has no record yet" } else { "no record fits" };
        tell(&format!("{what} ({})", file.display()));
    }
    Ok(if odd > 0 { Exit::Failed } else { Exit::Done })
}

/// Where records go.
enum Output<W: Write> {
    Table(W, u16),
    Json(W),
    Csv(Box<CsvReport<W>>),
}

/// A reader that has gone away isn't a fault.
fn written(result: std::io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(why) if why.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Failed, format!("the answer can't be written: {why}"), ""))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

impl<W: Write> Output<W> {
    fn begin(format: ReportFormat, to: W, width: u16) -> Result<Self, Failure> {
        Ok(match format {
            ReportFormat::Table => Self::Table(to, width),
            ReportFormat::Json => Self::Json(to),
            ReportFormat::Csv => {
                let csv = CsvReport::new(to).map_err(|why| Failure::new(Exit::Failed, why, ""))?;
                Self::Csv(Box::new(csv))
            }
        })
    }

    fn take(&mut self, text: &str, record: ReportRecord, records: &mut Vec<ReportRecord>) -> Result<(), Failure> {
        match self {
            Self::Json(to) => written(writeln!(to, "{text}")),
            Self::Csv(csv) => written(csv.write(&record)),
            Self::Table(to, width) => {
                records.push(record);
                if records.len() < TABLE_RECORDS {
                    return Ok(());
                }
                let text = table(records, *width);
                records.clear();
                written(writeln!(to, "{text}"))
            }
        }
    }

    fn end(self, records: &[ReportRecord]) -> Result<(), Failure> {
        match self {
            Self::Json(mut to) => written(to.flush()),
            Self::Csv(csv) => written(csv.finish().and_then(|mut to| to.flush())),
            Self::Table(mut to, _) if records.is_empty() => written(to.flush()),
            Self::Table(mut to, width) => written(writeln!(to, "{}", table(records, width)).and_then(|()| to.flush())),
        }
    }
}

async fn show_on(file: &Path, filter: &Filter, format: ReportFormat) -> Result<Exit, Failure> {
    if format == ReportFormat::Csv {
        return Err(Failure::new(Exit::Usage, "CSV has a beginning and an end", "follow as a table or as json"));
    }
    let mut follower = Follower::begin(file, filter, Begin::End).map_err(|fault| unreadable(&fault))?;
    if std::io::stderr().is_terminal() {
        tell(&format!("following {}; ctrl-c ends it", file.display()));
    }
    let shown = follow(
        &mut follower,
        || tokio::time::sleep(FOLLOW_EVERY),
        |found| {
            let text = if format == ReportFormat::Json { found.line.clone() } else { line(&found.record) };
            match write_out(&format!("{text}\n")) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        },
    );
    shown.await.map_err(|fault| unreadable(&fault))?;
    Ok(Exit::Done)
}

/// So many things: "1 fault", "2 faults".
fn counted(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

fn check(file: &Path) -> Result<Exit, Failure> {
    let verified = verify(file).map_err(|fault| unreadable(&fault))?;
    for fault in &verified.faults {
        say(&format!("{}: {}\n", fault.place, fault.wrong))?;
    }
    let begins = match verified.begins {
        None => "the report has no record yet",
        Some(Beginning::First) => "the chain begins with the first record",
        Some(Beginning::Later) => "older records were removed by retention",
    };
    let (records, faults) = (counted(verified.records, "record"), counted(verified.faults.len() as u64, "fault"));
    say(&format!("{records}, {faults}; {begins}\n"))?;
    if let Some(place) = verified.whole_from.as_ref().filter(|_| !verified.is_sound()) {
        say(&format!("the chain is whole from {place} on\n"))?;
    }
    Ok(if verified.is_sound() { Exit::Done } else { Exit::Failed })
}
