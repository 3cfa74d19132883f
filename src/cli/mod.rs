//! The command line: the only place where the parts are joined.

mod args;
mod args_hand;
mod ask;
mod brakes;
mod check;
mod env;
mod exit;
mod fold;
mod groups;
mod hand;
mod join;
mod lease;
mod orders;
mod report;
mod run;
mod saved;
mod servers;
mod show;
mod status;
mod time;
mod ui;
mod undo;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use args::{Cli, Format, HoldsSub, LeaseSub, LogFormat, PlanArgs, Sub};
use env::Environment;
use exit::Failure;
use join::Joined;

pub use exit::Exit;

use crate::engine::byhand::HandOrder;
use crate::telemetry::{self, Output};

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    ExitCode::from(run(std::env::args_os()).code())
}

/// Runs a command line: the program's name first.
pub fn run<I: IntoIterator<Item = OsString>>(args: I) -> Exit {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(fault) => {
            // Help and version are answers, not faults.
            let _ = fault.print();
            return if fault.use_stderr() { Exit::Usage } else { Exit::Done };
        }
    };
    match begin(cli) {
        Ok(exit) => exit,
        Err(failure) => {
            anstream::eprintln!("{}", failure.text());
            failure.exit
        }
    }
}

fn begin(cli: Cli) -> Result<Exit, Failure> {
    let environment = Environment::read();
    match &cli.command {
        Some(Sub::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "zendesk-dirsync", &mut script);
            return ask::write_out(&String::from_utf8_lossy(&script)).map(|()| Exit::Done);
        }
        Some(Sub::Man { dir }) => {
            let hint = "the folder must exist and be writable";
            clap_mangen::generate_to(Cli::command(), dir)
                .map_err(|why| Failure::new(Exit::Failed, format!("{}: {why}", dir.display()), hint))?;
            return Ok(Exit::Done);
        }
        Some(
            Sub::Check
            | Sub::Plan(_)
            | Sub::Apply(_)
            | Sub::Holds(_)
            | Sub::Retry(_)
            | Sub::Lease(_)
            | Sub::Servers(_)
            | Sub::Deprovision(_)
            | Sub::Release(_)
            | Sub::Unlink(_)
            | Sub::Link(_)
            | Sub::Pause(_)
            | Sub::Resume { .. }
            | Sub::Keeps(_)
            | Sub::Undo(_)
            | Sub::Groups(_)
            | Sub::Report(_)
            | Sub::Status { .. },
        )
        | None => {}
    }
    if cli.command.is_some() && (cli.once || cli.dry_run || cli.user.is_some()) {
        let hint = "--once, --dry-run and --user without a subcommand run or show a cycle; subcommands have their own";
        return Err(Failure::new(Exit::Usage, "these options don't go with a subcommand", hint));
    }
    start_log(&cli, &environment);
    let joined = join::load(&cli, environment);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|why| Failure::new(Exit::Failed, why, "the system has no threads or sockets left"))?;
    let exit = match joined {
        Ok(joined) => runtime.block_on(carry_out(cli, joined)),
        Err(faults) => {
            if let Some(Sub::Status { format }) = cli.command {
                runtime.block_on(status::beside(&cli, format, faults))
            } else {
                Err(faults)
            }
        }
    };
    // A read that hangs in a directory's thread must not keep the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    exit
}

async fn carry_out(cli: Cli, joined: Joined) -> Result<Exit, Failure> {
    match cli.command {
        None if cli.dry_run => {
            let args = PlanArgs {
                app: None,
                user: cli.user,
                offline: false,
                out: None,
                format: Format::Text,
                exit_code: false,
            };
            ask::plan(&joined, args).await
        }
        None if cli.once => ask::once(&joined, cli.user).await,
        None if cli.user.is_some() => {
            Err(Failure::new(Exit::Usage, "--user needs --once or --dry-run", "the daemon serves everybody"))
        }
        None => run::daemon(cli.config, cli.state, joined).await,
        Some(Sub::Check) => check::check(&joined).await,
        Some(Sub::Plan(args)) => ask::plan(&joined, args).await,
        Some(Sub::Apply(args)) => saved::apply(&joined, args).await,
        Some(Sub::Holds(args)) => {
            ask::holds(&joined, args.command.unwrap_or(HoldsSub::List { format: Format::Text })).await
        }
        Some(Sub::Retry(args)) => brakes::retry(&joined, args).await,
        Some(Sub::Lease(args)) => {
            lease::lease(&joined, args.command.unwrap_or(LeaseSub::Show { app: None, format: Format::Text })).await
        }
        Some(Sub::Servers(args)) => servers::servers(&joined, args).await,
        Some(Sub::Deprovision(args)) => orders::deprovision(&joined, args).await,
        Some(Sub::Release(args)) => orders::person(&joined, HandOrder::Release, args).await,
        Some(Sub::Unlink(args)) => orders::person(&joined, HandOrder::Unlink, args).await,
        Some(Sub::Link(args)) => orders::link(&joined, args).await,
        Some(Sub::Pause(args)) => hand::pause(&joined, args).await,
        Some(Sub::Resume { app }) => hand::resume(&joined, app).await,
        Some(Sub::Keeps(args)) => hand::keeps(&joined, args).await,
        Some(Sub::Undo(args)) => undo::undo(&joined, args).await,
        Some(Sub::Groups(args)) => groups::groups(&joined, args).await,
        Some(Sub::Report(args)) => report::report(&joined, *args).await,
        Some(Sub::Status { format }) => ask::status(&joined, format).await,
        Some(Sub::Completions { .. } | Sub::Man { .. }) => Ok(Exit::Done),
    }
}

/// Starts the log: the daemon tells what it does, commands for a person only what is amiss.
fn start_log(cli: &Cli, environment: &Environment) {
    let format = match cli.log_format {
        LogFormat::Text => telemetry::Format::Text,
        LogFormat::Json => telemetry::Format::Json,
    };
    let is_daemon = cli.command.is_none() && !cli.once && !cli.dry_run;
    let filter = environment.log.as_deref().or((!is_daemon).then_some("warn"));
    let no_color = environment.no_color.then_some("1");
    let output = Output::choose(format, std::io::stderr(), environment.journal_stream.as_deref(), no_color);
    telemetry::init(output, filter);
}
