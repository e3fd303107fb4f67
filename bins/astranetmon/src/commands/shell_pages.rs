use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;

use super::CommandLine;
use crate::Failure;

#[derive(Debug, Args)]
pub(super) struct CompletionsArguments {
    /// For which shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManArguments {
    /// Where to write; the folder must be there
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

/// Prints a shell's completions.
pub(super) fn print_completions(arguments: &CompletionsArguments) {
    let mut command = CommandLine::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(arguments.shell, &mut command, name, &mut std::io::stdout());
}

/// Pages of commands for administrators. In the other section, `astranetmon-agent` is the agent itself.
const SECTION: &str = "8";

/// Writes a page for the program and one for each of its commands.
///
/// # Errors
/// If the folder cannot be written to.
pub(super) fn write_man_pages(arguments: &ManArguments) -> Result<(), Failure> {
    fn write(command: &Command, folder: &Path) -> io::Result<()> {
        command.get_subcommands().try_for_each(|command| write(command, folder))?;
        Man::new(command.clone()).section(SECTION).generate_to(folder).map(drop)
    }
    let mut command = CommandLine::command().disable_help_subcommand(true);
    command.build();
    write(&command, &arguments.folder)
        .map_err(|error| Failure::failed(format!("{} cannot be written to: {error}", arguments.folder.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_and_none_is_called_like_the_agents_own() {
        let folder = tempfile::tempdir().expect("a folder");
        write_man_pages(&ManArguments { folder: folder.path().to_owned() }).expect("written");
        let names = std::fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("a file").file_name());
        let mut names: Vec<String> = names.map(|name| name.into_string().expect("text")).collect();
        names.sort();
        for name in ["astranetmon.8", "astranetmon-agent.8", "astranetmon-get.8", "astranetmon-serve.8"] {
            assert!(names.iter().any(|one| one == name), "{name}: {names:?}");
        }
        assert!(names.iter().all(|name| name.ends_with(".8")), "{names:?}");
    }
}
