//! The command line of what is done by hand.

use clap::{Args, Subcommand};

use super::args::Format;

/// `pause`.
#[derive(Debug, Args)]
pub struct PauseArgs {
    /// Why, for whoever comes upon it.
    pub reason: Option<String>,
    /// Only this app; without it, everything.
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// When it ends by itself: 2h, 3d, 2026-11-25 (to the end of that day), or RFC 3339. The daemon then runs a cycle;
    /// without a daemon the next `--once` ends it, or the one after that.
    #[arg(long, value_name = "T")]
    pub until: Option<String>,
}

/// `release` and `unlink`.
#[derive(Debug, Args)]
pub struct PersonArgs {
    /// By mail, name, immutable id or Zendesk id.
    pub user: String,
    /// Only in this app; needed where the person has accounts in several.
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// Don't ask; needed when no terminal is there to ask on.
    #[arg(long)]
    pub yes: bool,
    /// How what was done is shown.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
}

/// `deprovision`.
#[derive(Debug, Args)]
pub struct DeprovisionArgs {
    /// By mail, name, immutable id or Zendesk id.
    pub user: String,
    /// Must be given: it is done at once, and not by a cycle.
    #[arg(long)]
    pub now: bool,
    /// Only in this app; without it, in every app that has them.
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// Don't ask; needed when no terminal is there to ask on.
    #[arg(long)]
    pub yes: bool,
    /// How what was done is shown.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
}

/// `link`.
#[derive(Debug, Args)]
pub struct LinkArgs {
    /// By mail, name or immutable id; somebody whom an assigned group holds.
    pub user: String,
    /// The number of the account, as it stands in its address at Zendesk.
    #[arg(value_name = "ZENDESK_ID")]
    pub account: u64,
    /// In this app; needed where there are several.
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// Don't ask; needed when no terminal is there to ask on.
    #[arg(long)]
    pub yes: bool,
    /// How what was done is shown.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
}

/// `keeps`.
#[derive(Debug, Args)]
pub struct KeepsArgs {
    /// What to do with keeps.
    #[command(subcommand)]
    pub command: Option<KeepsSub>,
}

/// What to do with keeps.
#[derive(Debug, Subcommand)]
pub enum KeepsSub {
    /// List everybody who is left as a person put them: who, why, by whom, until when.
    List {
        /// How it is shown.
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: Format,
    },
    /// Have somebody managed again; the next cycle plans for them under the brake.
    Lift {
        /// By mail, name, immutable id or Zendesk id.
        user: String,
        /// Only in this app.
        #[arg(long, value_name = "APP")]
        app: Option<String>,
    },
}

/// `groups`.
#[derive(Debug, Args)]
pub struct GroupsArgs {
    /// What to do with assigned groups.
    #[command(subcommand)]
    pub command: Option<GroupsSub>,
}

/// What to do with assigned groups.
#[derive(Debug, Subcommand)]
pub enum GroupsSub {
    /// List the assigned groups: the text, the pinned id, and what the directory shows of them now.
    List {
        /// How it is shown.
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: Format,
    },
    /// Pin an assignment to the group that its text names now, after the former one was made anew.
    Repin {
        /// The text of the assignment, as it is in the configuration.
        text: String,
        /// The directory, if several have an assignment with this text.
        #[arg(long, value_name = "DIRECTORY")]
        directory: Option<String>,
        /// Don't ask; needed when no terminal is there to ask on.
        #[arg(long)]
        yes: bool,
    },
}

/// `servers`.
#[derive(Debug, Args)]
pub struct ServersArgs {
    /// What to do with servers.
    #[command(subcommand)]
    pub command: Option<ServersSub>,
}

/// What to do with servers.
#[derive(Debug, Subcommand)]
pub enum ServersSub {
    /// Show which copies of each directory's data were read, and how far they had come.
    List {
        /// How it is shown.
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: Format,
    },
    /// Take whatever server of a directory is read next as the right one.
    ///
    /// For a directory that was restored from a backup, or replaced by another one on purpose. Whatever would be done
    /// for its people waits once for a look.
    Accept {
        /// The directory's name in the configuration.
        directory: String,
        /// Don't ask; needed when no terminal is there to ask on.
        #[arg(long)]
        yes: bool,
    },
}
