//! The main job in one command: `cargo run --example quickstart`.
//!
//! Both outside systems run inside this example, on free ports of this machine: an Active Directory served as LDAPS with
//! a private certificate authority, and a Zendesk account. All else is the product, called as a user calls it. What is
//! claimed is checked against the Zendesk account's own record of requests; the exit code is 1 if it doesn't hold.

mod company;
mod show;
mod stage;

use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};

use stage::Stage;

fn main() -> ExitCode {
    match tour() {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("\nThis should not have happened: {fault:#}");
            ExitCode::FAILURE
        }
    }
}

fn tour() -> Result<()> {
    let stage = Stage::set().context("the stage can't be set")?;
    opening(&stage)?;
    first_cycle(&stage)?;
    second_cycle(&stage)?;
    third_cycle(&stage)?;
    closing(&stage);
    Ok(())
}

fn opening(stage: &Stage) -> Result<()> {
    show::heading("1. A company");
    show::say(
        "Harbour Coffee keeps its people in Active Directory; whoever is in the group Support, or in Support Tier 1 \
         inside it, shall have a Zendesk account.",
    );
    show::lines(company::PICTURE);
    show::say("Its Zendesk account has an owner and a customer so far, and neither must ever be touched:");
    show::accounts(&stage.state(), None);

    show::heading("2. The configuration");
    show::say("This is all of it: where people come from, where they go, and what each group gives.");
    show::lines(&stage.config_text()?);
    Ok(())
}

fn first_cycle(stage: &Stage) -> Result<()> {
    show::heading("3. What would happen");
    show::say("A plan reads both sides and changes neither; each change says who, what and why.");
    stage.run(&["plan"], 0)?;
    ensure!(stage.writes_since(0).is_empty(), "a plan wrote to Zendesk");

    show::heading("4. The first cycle waits for a person");
    show::say("A tool that can lock a whole company out begins by asking, so the cycle ends with exit code 4.");
    stage.run(&["--once"], 4)?;
    ensure!(stage.writes_since(0).is_empty(), "a held cycle wrote to Zendesk");
    show::say("What waits has an id, and approving it takes the number of changes that was shown.");
    stage.run(&["holds"], 0)?;
    let hold = stage.last_hold()?;
    let count = company::FIRST.len().to_string();
    stage.run(&["holds", "approve", &hold, "--count", &count], 0)?;

    show::heading("5. Approved, it is done");
    stage.run(&["--once"], 0)?;
    let state = stage.state();
    show::accounts(&state, None);
    let served = company::FIRST.iter().filter(|mail| state.user(mail).is_some()).count();
    ensure!(served == company::FIRST.len(), "only {served} of {count} people have accounts");
    ensure!(state.users.len() == served + company::STRANGERS, "somebody has an account who should have none");
    Ok(())
}

fn second_cycle(stage: &Stage) -> Result<()> {
    show::heading("6. A day at the company");
    show::say("Five things happen in the directory:");
    show::lines(company::DAY);
    stage.change_directory(&company::day())?;
    let before = stage.state();
    let mark = stage.mark();
    show::say("The plan shows exactly these five; small and explained changes need no approval.");
    stage.run(&["plan"], 0)?;
    stage.run(&["--once"], 0)?;

    let after = stage.state();
    let changed = show::changed(&before, &after);
    let expected = company::CHANGED.len();
    ensure!(changed.len() == expected, "{} accounts changed instead of {expected}: {changed:?}", changed.len());
    for mail in company::CHANGED {
        ensure!(changed.iter().any(|one| one == mail), "{mail} should have changed, and didn't");
    }
    let written = stage.accounts_written_since(mark)?;
    ensure!(written.len() == expected, "{} accounts were written instead of {expected}", written.len());
    company::check_day(&after)?;
    show::say("The accounts now; + is new, ~ has changed, - may no longer sign in and holds no seat:");
    show::accounts(&after, Some(&before));

    show::heading("7. The report");
    show::say("Every action is on record with its reason; this is the cycle that just ended.");
    let cycle = stage.last_cycle()?;
    stage.run(&["report", "--cycle", &cycle], 0)?;
    show::say("A person is found by the former mail, too; and no record can be changed unnoticed.");
    stage.run(&["report", "--user", company::FORMER_MAIL], 0)?;
    stage.run(&["report", "verify"], 0)
}

fn third_cycle(stage: &Stage) -> Result<()> {
    show::heading("8. Nothing to do");
    show::say("Nothing happened since, so the next cycle asks Zendesk nothing and writes nothing.");
    let mark = stage.mark();
    stage.run(&["--once"], 0)?;
    ensure!(stage.writes_since(mark).is_empty(), "a cycle with nothing to do wrote to Zendesk");
    Ok(())
}

fn closing(stage: &Stage) {
    show::heading("What to try next");
    let config = stage.config_path();
    show::lines(&format!(
        "configuration  {config}\nreport         {}\nstate          {}",
        stage.path("report.log"),
        stage.path("state")
    ));
    show::say(
        "The directory and the Zendesk of this tour were servers inside this program, and end with it now. Files stay, \
         so these commands still answer; none of them asks a server:",
    );
    let command = |rest: &str| format!("cargo run -- --config {config} {rest}\n");
    show::lines(
        [
            command(&format!("report --user {}", company::NEW_MAIL)),
            command("report --action deprovision --format json"),
            command("report verify"),
            command("status"),
            command("holds"),
        ]
        .concat()
        .trim_end(),
    );
    show::say(
        "A cycle would now end with exit code 5: a directory that can't be read removes nobody. What is next: copy \
         config.example.toml, name your own servers in it, and give `check`, then `plan`: neither changes anything. \
         The README goes on from there, under \"A first real configuration\". To take the tour once more: \
         `cargo run --example quickstart`.",
    );
}
