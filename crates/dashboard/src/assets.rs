//! Styles, scripts and pictures, from inside the binary.

use std::fmt::Write as _;
use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::{HttpResponse, get, web};
use astranetmon_http::ApiError;
use sha2::{Digest, Sha256};

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

/// An asset's address names its content, so it may be kept for good.
const KEEP: &str = "public, max-age=31536000, immutable";
/// For those who ask without naming the content.
const ASK_AGAIN: &str = "no-cache";

struct Asset {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

macro_rules! assets {
    ($($name:literal: $content_type:ident from $path:literal,)*) => {
        const ASSETS: &[Asset] = &[$(Asset {
            name: $name,
            content_type: $content_type,
            bytes: include_bytes!(concat!("../assets/", $path)),
        },)*];
    };
}

assets! {
    "agent.js": SCRIPT from "agent.js",
    "app.css": STYLE from "app.css",
    "app.js": SCRIPT from "app.js",
    "charts.js": SCRIPT from "charts.js",
    "icons.svg": PICTURE from "icons.svg",
    "logo.svg": PICTURE from "logo.svg",
    "monitoring.css": STYLE from "monitoring.css",
    "overview.js": SCRIPT from "overview.js",
    "speedtests.js": SCRIPT from "speedtests.js",
    "settings.css": STYLE from "settings.css",
    "settings.js": SCRIPT from "settings.js",
    "theme.js": SCRIPT from "theme.js",
    "uplot.css": STYLE from "vendor/uplot/uPlot.min.css",
    "uplot.js": SCRIPT from "vendor/uplot/uPlot.iife.min.js",
}

/// For each of [`ASSETS`], the first 12 digits of its SHA-256.
static VERSIONS: LazyLock<Vec<String>> = LazyLock::new(|| ASSETS.iter().map(|asset| version(asset.bytes)).collect());

fn version(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(6).fold(String::new(), |mut digits, byte| {
        // Writing to a string does not fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

fn position(name: &str) -> Option<usize> {
    ASSETS.iter().position(|asset| asset.name == name)
}

/// Where a page finds the asset of that name: an address that changes with its content.
pub(crate) fn address(name: &str) -> String {
    let version = position(name).and_then(|position| VERSIONS.get(position)).map_or("", String::as_str);
    format!("/dashboard/assets/{name}?v={version}")
}

#[derive(serde::Deserialize)]
struct Versioned {
    v: Option<String>,
}

#[get("/{name}")]
async fn asset_file(name: web::Path<String>, query: web::Query<Versioned>) -> Result<HttpResponse, ApiError> {
    let position = position(&name).ok_or(ApiError::NotFound)?;
    let asset = &ASSETS[position];
    let keep = if query.v.as_ref() == VERSIONS.get(position) { KEEP } else { ASK_AGAIN };
    Ok(HttpResponse::Ok()
        .content_type(asset.content_type)
        .insert_header((header::CACHE_CONTROL, keep))
        .body(asset.bytes))
}

pub(crate) fn configure(services: &mut web::ServiceConfig) {
    services.service(asset_file);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendored_files_are_those_that_were_published() {
        let sums = include_str!("../assets/vendor/uplot/SHA256SUMS");
        let licence: &[u8] = include_bytes!("../assets/vendor/uplot/LICENSE");
        let bytes_of = |file: &str| match file {
            "LICENSE" => Some(licence),
            "uPlot.iife.min.js" => position("uplot.js").map(|position| ASSETS[position].bytes),
            "uPlot.min.css" => position("uplot.css").map(|position| ASSETS[position].bytes),
            _ => None,
        };
        assert_eq!(sums.lines().count(), 3);
        for line in sums.lines() {
            let (sum, file) = line.split_once("  ").expect("a sum and a name");
            let digest = Sha256::digest(bytes_of(file).expect(file));
            let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(digits, sum, "{file}");
        }
    }

    #[test]
    fn an_address_names_the_content() {
        let address = address("app.css");
        let version = address.strip_prefix("/dashboard/assets/app.css?v=").expect("an address");
        assert!(version.len() == 12 && version.bytes().all(|byte| byte.is_ascii_hexdigit()), "{address}");
        assert_eq!(version, super::version(include_bytes!("../assets/app.css")));
    }
}
