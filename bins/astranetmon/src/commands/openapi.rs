use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::Failure;

#[derive(Debug, Args)]
pub(super) struct OpenapiArguments {
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Version of OpenAPI to write it in
    #[arg(long, value_name = "VERSION", default_value = "3.1")]
    openapi_version: OpenapiVersion,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OpenapiVersion {
    /// What the service serves
    #[value(name = "3.1")]
    V3_1,
    /// The same for generators that read no later version
    #[value(name = "3.0")]
    V3_0,
}

pub(super) fn execute(arguments: &OpenapiArguments) -> Result<(), Failure> {
    let document = document(arguments.openapi_version)?;
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
fn document(version: OpenapiVersion) -> Result<String, Failure> {
    let unwritable = |error: &dyn std::error::Error| Failure::caused("the document cannot be written", error);
    let text = match version {
        OpenapiVersion::V3_1 => {
            astranetmon_http::endpoints::openapi().to_pretty_json().map_err(|error| unwritable(&error))?
        }
        OpenapiVersion::V3_0 => {
            let document = astranetmon_http::endpoints::openapi_3_0().map_err(|error| unwritable(&error))?;
            format!("{document:#}")
        }
    };
    Ok(text + "\n")
}
