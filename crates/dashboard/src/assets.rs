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
    "overview.js": SCRIPT from "overview.js",
    "speedtests.js": SCRIPT from "speedtests.js",
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
