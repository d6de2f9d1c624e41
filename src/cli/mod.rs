//! The command line: one file a group of commands. What they say goes to stdout, why they failed to stderr, in one line.

mod agreement;
mod check;
mod client;
mod daemon;
mod dead_letter;
mod kit;
mod print;
mod reconcile;
mod replay;
mod supervisor;
mod ticket;
mod tools;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Result, anyhow};
use clap::{Args, CommandFactory, Parser, Subcommand};

/// Shares a help desk's tickets with partners: events in, Networked Help Desk out, and back.
#[derive(Debug, Parser)]
#[command(name = "crossdesk", version, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Args, Clone, Debug)]
struct Global {
    /// The configuration file; without one the defaults and the environment count
    #[arg(long, global = true, env = "CROSSDESK_CONFIG", value_name = "PATH")]
    config: Option<PathBuf>,
    /// Listings as JSON
    #[arg(long, global = true)]
    json: bool,
    /// Where the running daemon's admin listener is (default: from the configuration)
    #[arg(long, global = true, value_name = "URL")]
    url: Option<String>,
    /// Its admin token (default: from the configuration)
    #[arg(long, global = true, value_name = "TOKEN", hide_env_values = true)]
    token: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon
    Run {
        /// End declared agreements that the configuration no longer has
        #[arg(long)]
        prune: bool,
    },
    /// Watch two desks on this machine play the whole story over real HTTP
    Demo {
        /// End when the story is told: 0 if all of it came true, 1 if not
        #[arg(long)]
        exit: bool,
    },
    /// Validate the configuration and connect to everything
    Check,
    /// Copy the store, while the daemon runs (SQLite)
    Backup {
        /// The new file
        file: PathBuf,
    },
    /// Agreements: list, show, invite, accept, decline, deactivate, edit, check, rotate-key
    #[command(subcommand)]
    Agreement(agreement::Command),
    /// Shared tickets: list, show, share, unshare, explain
    #[command(subcommand)]
    Ticket(ticket::Command),
    /// What could not be processed: list, show, replay, drop
    #[command(subcommand)]
    DeadLetter(dead_letter::Command),
    /// What an event would send, to whom and why; sends nothing
    Preview {
        /// A file with the event, or - for standard input
        event: PathBuf,
    },
    /// Ask partners for the shared tickets, and say where they differ; or put that right
    Reconcile(reconcile::Reconcile),
    /// What a changed configuration (--config) would have sent of the recorded events; sends nothing
    Replay(replay::Replay),
    /// JSON Schema of the configuration, the desk's events or the commands
    Schema {
        /// Of what
        of: tools::Schema,
    },
    /// Play a Networked Help Desk partner against a server, and say which points of the protocol it keeps
    PartnerTest(kit::PartnerTest),
    /// Be a partner to develop against: says what it gets, accepts invites, comments on tickets
    FakePartner(kit::Fake),
    /// The manual page, as man reads it
    Man,
    /// Completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// How long work on threads of its own may go on after the end.
const STOPPING: std::time::Duration = std::time::Duration::from_secs(2);

/// Runs what the command line says. 0 done, 1 failed, 2 not understood.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let threads = match cli.command {
        Command::Run { .. } => daemon::threads(&cli.global),
        _ => 1,
    };
    // One thread alone needs none of what several need to share their work.
    let mut builder = match threads {
        0 | 1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.worker_threads(threads.max(1)).enable_all().build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(run(cli));
            // What still runs beside, a filter without an end, keeps nobody from stopping.
            runtime.shutdown_timeout(STOPPING);
            result
        }
        Err(error) => Err(anyhow!("no runtime: {error}")),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            let text: Vec<String> = error.chain().map(ToString::to_string).collect();
            eprintln!("crossdesk: {}", text.join(": "));
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<ExitCode> {
    let global = &cli.global;
    crate::app::install_tls();
    match cli.command {
        Command::Run { prune } => daemon::run(global, prune).await?,
        Command::Demo { exit } => return crate::demo::play(exit).await,
        Command::Check => check::run(global).await?,
        Command::Backup { file } => tools::backup(global, &file).await?,
        Command::Agreement(command) => agreement::run(global, command).await?,
        Command::Ticket(command) => ticket::run(global, command).await?,
        Command::DeadLetter(command) => dead_letter::run(global, command).await?,
        Command::Preview { event } => tools::preview(global, &event).await?,
        Command::Reconcile(given) => reconcile::run(global, given).await?,
        Command::Replay(given) => replay::run(global, given).await?,
        Command::Schema { of } => tools::schema(global, of)?,
        Command::PartnerTest(given) => {
            return Ok(if kit::test(global, given).await? { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::FakePartner(given) => kit::fake(given).await?,
        Command::Man => clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout())?,
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "crossdesk", &mut std::io::stdout());
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
