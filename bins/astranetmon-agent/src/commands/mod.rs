//! The command line.

mod check;
mod enroll;
mod once;
mod shell_pages;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use astranetmon_domain::SystemClock;
use clap::{Parser, Subcommand};

use crate::Failure;
use crate::agent::Agent;
use crate::configuration::{DEFAULT_STATE_DIR, Settings};
use crate::enrolment::Enrolment;
use crate::pace::Pace;
use crate::{log, shutdown};

/// Measures this machine and reports to an AstraNetmon server
#[derive(Debug, Parser)]
#[command(name = "astranetmon-agent", version, about, args_conflicts_with_subcommands = true)]
pub struct CommandLine {
    #[command(flatten)]
    places: Places,
    /// Measure everything once, send it, and end: with 0 if everything was taken
    #[arg(long)]
    once: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Where things are.
#[derive(Clone, Debug, Default, clap::Args)]
struct Places {
    /// Configuration; it need not be there [default: /etc/astranetmon/agent.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the enrolment and the spool are kept [default: /var/lib/astranetmon-agent]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Exchange an enrolment token for this machine's own token
    Enroll(enroll::Enroll),
    /// Measure and report until told to stop; what happens without a command
    Run {
        #[command(flatten)]
        places: Places,
    },
    /// Print completions for a shell
    Completions(shell_pages::CompletionsArguments),
    /// Write man pages
    Man(shell_pages::ManArguments),
    /// Say whether the configuration is understood, what the agent may do, and whether the server accepts it
    Check {
        #[command(flatten)]
        places: Places,
    },
}

/// What the environment tells the agent.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `STATE_DIRECTORY`, which systemd sets.
    pub state_directory: Option<PathBuf>,
    /// `ASTRANETMON_ENROLMENT_TOKEN`, so that it need not stand on the command line, where others can read it.
    pub enrolment_token: Option<OsString>,
}

impl CommandLine {
    /// Does what it says.
    ///
    /// # Errors
    /// One sentence for the operator.
    pub async fn execute(self, environment: &Environment) -> Result<(), Failure> {
        match self.command {
            None if self.once => once::once(&Site::find(&self.places, environment)?).await,
            None => run(&Site::find(&self.places, environment)?).await,
            Some(Command::Completions(arguments)) => {
                shell_pages::print_completions(&arguments);
                Ok(())
            }
            Some(Command::Man(arguments)) => shell_pages::write_man_pages(&arguments),
            Some(Command::Run { places }) => run(&Site::find(&places, environment)?).await,
            Some(Command::Check { places }) => check::check(&Site::find(&places, environment)?).await,
            Some(Command::Enroll(command)) => {
                let site = Site::find(&command.places, environment)?;
                command.execute(&site, environment).await
            }
        }
    }
}

/// What the operator set and where the agent keeps its things.
struct Site {
    settings: Settings,
    state_dir: PathBuf,
}

impl Site {
    fn find(places: &Places, environment: &Environment) -> Result<Self, Failure> {
        let settings = Settings::load(places.config.as_deref())?;
        let state_dir = [&places.state_dir, &settings.state_dir, &environment.state_directory]
            .into_iter()
            .find_map(Clone::clone)
            .unwrap_or_else(|| Path::new(DEFAULT_STATE_DIR).to_owned());
        Ok(Self { settings, state_dir })
    }

    fn enrolment(&self) -> Result<Enrolment, Failure> {
        Enrolment::load(&self.state_dir)?.ok_or_else(|| {
            Failure::failed(format!(
                "this machine is not enrolled in {}: run astranetmon-agent enroll --server https://monitor.example.com \
                 --token astra_enroll_…",
                self.state_dir.display()
            ))
        })
    }
}

async fn run(site: &Site) -> Result<(), Failure> {
    let enrolment = site.enrolment()?;
    log::start(&site.settings)?;
    let stop = shutdown::stop_signal()?;
    let pace = Pace::of(&site.settings);
    Agent { settings: site.settings.clone(), enrolment, pace, clock: &SystemClock }.run(&site.state_dir, stop).await
}
