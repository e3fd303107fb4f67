use std::path::PathBuf;

use clap::{Args, CommandFactory};

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

/// Writes a page for the program and one for each of its commands.
///
/// # Errors
/// If the folder cannot be written to.
pub(super) fn write_man_pages(arguments: &ManArguments) -> Result<(), Failure> {
    clap_mangen::generate_to(CommandLine::command(), &arguments.folder)
        .map_err(|error| Failure::failed(format!("{} cannot be written to: {error}", arguments.folder.display())))
}
