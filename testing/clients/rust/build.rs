//! Makes the client of the stored document, as openapi/README.md says.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use progenitor::{GenerationSettings, Generator, InterfaceStyle};

const DOCUMENT: &str = "../../../openapi/openapi-3.0.json";

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script where to write by the environment")]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={DOCUMENT}");
    let mut document: openapiv3::OpenAPI = serde_json::from_str(&fs::read_to_string(DOCUMENT)?)?;
    // What is answered to line protocol is of several types; progenitor knows one of success and one of failure. Of
    // forms it makes nothing.
    document.paths.paths.retain(|path, _| !["/ingest/v1/influx", "/prometheus/"].iter().any(|out| path.starts_with(out)));
    let mut settings = GenerationSettings::default();
    let tokens = Generator::new(settings.with_interface(InterfaceStyle::Builder)).generate_tokens(&document)?;
    let client = prettyplease::unparse(&syn::parse2(tokens)?);
    fs::write(Path::new(&env::var("OUT_DIR")?).join("client.rs"), client)?;
    Ok(())
}
