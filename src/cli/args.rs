//! The command line, as it is written and explained.

use std::path::PathBuf;

use super::args_hand::{DeprovisionArgs, GroupsArgs, KeepsArgs, LinkArgs, PauseArgs, PersonArgs, ServersArgs};
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Keeps Zendesk accounts in step with the groups of an LDAP directory or Active Directory.
///
/// Without a subcommand it is the daemon: it runs cycles on the configured schedule until it is ended. A cycle reads the
/// directories, plans, holds what looks dangerous for a person, carries the rest out and writes the report.
#[derive(Debug, Parser)]
#[command(name = "zendesk-dirsync", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// The configuration file.
    #[arg(long, global = true, value_name = "FILE", default_value = "/etc/zendesk-dirsync/config.toml")]
    pub config: PathBuf,

    /// The state directory, in place of `state.dir` of the configuration.
    #[arg(long, global = true, value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// How log lines are written to stderr.
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// Run one cycle and end; beside a running daemon, have it run one and show it.
    #[arg(long)]
    pub once: bool,

    /// With --once or --dry-run: only this person, by mail, name or immutable id.
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,

    /// Show what a cycle would do, and change nothing; the same as `plan`.
    #[arg(long)]
    pub dry_run: bool,

    /// What to do instead of running the daemon.
    #[command(subcommand)]
    pub command: Option<Sub>,
}

const EXIT_CODES: &str = "Exit codes:
  0  done, or nothing to do         5  a directory was incomplete or unreachable
  1  some failed, or are newly      6  Zendesk was unreachable or refused us
     rejected or in conflict        7  the store or the report can't be used
  2  wrong use                     10  `plan --exit-code` found something to do
  3  wrong configuration
  4  changes wait for a person, an assigned group is missing, a saved
     plan moved, or another copy of this service has the lease";

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How an answer is written to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// What to do instead of running the daemon.
#[derive(Debug, Subcommand)]
pub enum Sub {
    /// Check the configuration, every connection, group and name, with a command to repeat each.
    Check,
    /// Show what a cycle would do, and change nothing.
    Plan(PlanArgs),
    /// Carry out exactly a saved plan, or refuse and say what moved.
    Apply(ApplyArgs),
    /// List, show, approve or reject what waits for a person.
    Holds(HoldsArgs),
    /// Have the next cycle try again at once: a person whose changes failed, or an app in quarantine.
    ///
    /// Whoever fails is tried again after five minutes, doubling to a day, and not any more after 28 days. An app whose
    /// writes fail, or that refuses the credentials, is only probed, with the same pauses. `status` shows both.
    Retry(RetryArgs),
    /// Show which copy of this service may write, or take that over.
    Lease(LeaseArgs),
    /// Show which directory servers were read and how far their data had come, or accept a restored or other one.
    Servers(ServersArgs),
    /// End one person's access now, though the directory may still want them.
    ///
    /// Suspends the account, ends its sessions, takes back what was given and frees the seat. It needs no directory.
    /// The person stays so until the directory itself shows the entry disabled or expired, or `keeps lift`.
    Deprovision(DeprovisionArgs),
    /// Stop managing one person, and leave the account exactly as it is.
    ///
    /// They stay unmanaged until `keeps lift` or `link`.
    Release(PersonArgs),
    /// Give up the link between one person and the account; the next cycle matches anew.
    Unlink(PersonArgs),
    /// Say which Zendesk account is one person's.
    ///
    /// Also where the account is an admin's or carries another external_id. Nothing is written at Zendesk by this: the
    /// next cycle brings the account up to date, under the brake.
    Link(LinkArgs),
    /// Carry nothing out for a while; reading, planning and holding go on.
    Pause(PauseArgs),
    /// End a pause.
    Resume {
        /// End the pause of this app alone.
        #[arg(long, value_name = "APP")]
        app: Option<String>,
    },
    /// List or lift what keeps people as a person put them.
    Keeps(KeepsArgs),
    /// Bring back what a cycle changed: sign-in, role, groups, tags, fields, mails.
    ///
    /// It shows what it would bring back, and what nothing can. Within the limits of the brake it then goes on (on a
    /// terminal it asks first); past them the number of changes must be typed, or given with --count. Whatever somebody
    /// changed since stays as it is. The next cycles leave the people alone until the directory says something new of
    /// them, or a person does.
    Undo(UndoArgs),
    /// List the assigned groups, or pin an assignment to the group that its text names now.
    Groups(GroupsArgs),
    /// Search the report: what was done, to whom, and why.
    Report(Box<ReportArgs>),
    /// Show how the service is: last and next cycle, what waits, the age of the last complete read.
    Status {
        /// How it is shown.
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: Format,
    },
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a folder.
    Man {
        /// The folder; it must exist.
        dir: PathBuf,
    },
}

/// `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Only this app.
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// Only this person, by mail, name or immutable id.
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// Without a network: what this configuration would do with what the last complete reads showed. Needs no secrets;
    /// what was never read isn't known, and said.
    #[arg(long, conflicts_with = "out")]
    pub offline: bool,
    /// Save the plan to this file as well, for `apply`; only with --app or --user, their part alone.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// How the plan is shown.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// End with 10 when there is something to do, even if it waits for a person.
    #[arg(long)]
    pub exit_code: bool,
}

/// `undo`.
#[derive(Debug, Args)]
pub struct UndoArgs {
    /// The cycle, or the beginning of its name; the report and the end of a cycle tell it.
    pub cycle: String,
    /// Only this person, by mail, name or immutable id.
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// Only this app.
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// Only show it, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// How many changes were shown; needed past a limit when no terminal is there to ask.
    #[arg(long, value_name = "N")]
    pub count: Option<usize>,
    /// How it is shown.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
}

/// `apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// A plan that `plan --out FILE` saved.
    pub file: PathBuf,
    /// How many changes it has; needed when no terminal is there to ask.
    #[arg(long, value_name = "N")]
    pub count: Option<usize>,
}

/// `retry`.
#[derive(Debug, Args)]
pub struct RetryArgs {
    /// This person, by mail, name, immutable id or Zendesk id.
    #[arg(required_unless_present = "app")]
    pub user: Option<String>,
    /// Only in this app; without a person, the app itself and everybody who failed in it.
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
}

/// `holds`.
#[derive(Debug, Args)]
pub struct HoldsArgs {
    /// What to do with holds.
    #[command(subcommand)]
    pub command: Option<HoldsSub>,
}

/// What to do with holds.
#[derive(Debug, Subcommand)]
pub enum HoldsSub {
    /// List what waits.
    List {
        /// How it is shown.
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: Format,
    },
    /// Show everybody in a hold: who, what, why.
    Show {
        /// The hold's id, or its beginning.
        id: String,
        /// How it is shown.
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: Format,
    },
    /// Let exactly what was shown go on in the next cycle. Works once, for seven days.
    Approve {
        /// The hold's id, or its beginning.
        id: String,
        /// Only this person's part, by mail, name or immutable id; may be given several times.
        #[arg(long = "user", value_name = "USER")]
        users: Vec<String>,
        /// How many changes were shown; needed when no terminal is there to ask.
        #[arg(long, value_name = "N")]
        count: Option<usize>,
    },
    /// Decide against it: it stays undone, and no longer counts as waiting while it stays the same.
    Reject {
        /// The hold's id, or its beginning.
        id: String,
        /// Only this person's part, by mail, name or immutable id; may be given several times. The others wait on.
        #[arg(long = "user", value_name = "USER")]
        users: Vec<String>,
    },
}

/// `lease`.
#[derive(Debug, Args)]
pub struct LeaseArgs {
    /// What to do with leases.
    #[command(subcommand)]
    pub command: Option<LeaseSub>,
}

/// What to do with leases.
#[derive(Debug, Subcommand)]
pub enum LeaseSub {
    /// Show who wrote last into each app's marker at Zendesk, and when.
    Show {
        /// Only this app.
        #[arg(long, value_name = "APP")]
        app: Option<String>,
        /// How it is shown.
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: Format,
    },
    /// Have this copy write from now on, and no other. Stop the other first.
    ///
    /// What the other one wrote isn't in this copy's store, so everything of the app waits once for a look.
    Take {
        /// The app; needed when several keep a lease.
        #[arg(long, value_name = "APP")]
        app: Option<String>,
        /// Don't ask; needed when no terminal is there to ask on.
        #[arg(long)]
        yes: bool,
    },
}

/// `report`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ReportArgs {
    /// Other things to do with the report.
    #[command(subcommand)]
    pub command: Option<ReportSub>,
    /// Only this person, by mail, name, immutable id or Zendesk id; former mails are found too.
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// Only this app.
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// Not before: 7d, 36h, 2026-11-01, or RFC 3339.
    #[arg(long, value_name = "T")]
    pub since: Option<String>,
    /// Not after: as --since; a date counts to its end.
    #[arg(long, value_name = "T")]
    pub until: Option<String>,
    /// Only this action: provision, update, deprovision, reactivate, rejected, conflict, hold, …
    #[arg(long, value_name = "ACTION")]
    pub action: Option<String>,
    /// Only this result: done, already, refused, unknown, skipped, held.
    #[arg(long, value_name = "RESULT")]
    pub result: Option<String>,
    /// Only this cycle.
    #[arg(long, value_name = "ID")]
    pub cycle: Option<String>,
    /// How records are shown.
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: ReportFormat,
    /// Write to this file instead of stdout.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Show records as they are written, one a line, until ctrl-c.
    #[arg(long)]
    pub follow: bool,
}

/// Other things to do with the report.
#[derive(Debug, Subcommand)]
pub enum ReportSub {
    /// Check that no record was changed, dropped, moved or cut.
    Verify,
}

/// How records are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    Table,
    /// One record a line, as it is in the log.
    Json,
    /// For spreadsheets.
    Csv,
}
