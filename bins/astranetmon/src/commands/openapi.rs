use std::path::PathBuf;

use clap::Args;

use crate::Failure;

#[derive(Debug, Args)]
pub(super) struct OpenapiArguments {
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn execute(arguments: &OpenapiArguments) -> Result<(), Failure> {
    let document = document()?;
    match &arguments.output {
        Some(path) => std::fs::write(path, document)
            .map_err(|error| Failure::failed(format!("{} cannot be written: {error}", path.display()))),
        None => {
            print!("{document}");
            Ok(())
        }
    }
}

/// The document as it is stored: pretty, with a line end.
fn document() -> Result<String, Failure> {
    let document = astranetmon_http::endpoints::openapi().to_pretty_json();
    document.map(|text| text + "\n").map_err(|error| Failure::caused("the document cannot be written", &error))
}
