//! The explorer page: Swagger UI from inside the binary. Nothing is loaded from elsewhere.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use utoipa::ToSchema;

/// The page. Its links are relative to `/api/v1/docs` without a slash at the end.
pub(crate) const INDEX: &str = include_str!("docs_page/index.html");

/// What the page may do: use its own parts and call its own service.
pub(crate) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A part of the page.
#[derive(Debug)]
pub(crate) struct Asset {
    pub(crate) content_type: &'static str,
    pub(crate) bytes: Bytes,
}

/// The parts of the page.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[cfg_attr(not(test), expect(dead_code, reason = "the schema of a path parameter"))]
pub(crate) enum DocsAsset {
    #[serde(rename = "explorer.css")]
    ExplorerStyle,
    #[serde(rename = "explorer.js")]
    ExplorerScript,
    #[serde(rename = "favicon-32x32.png")]
    Icon,
    #[serde(rename = "swagger-ui-bundle.js")]
    SwaggerScript,
    #[serde(rename = "swagger-ui.css")]
    SwaggerStyle,
}

/// The part of that name.
pub(crate) fn asset(name: &str) -> Option<Asset> {
    const SCRIPT: &str = "text/javascript; charset=utf-8";
    const STYLE: &str = "text/css; charset=utf-8";
    let (content_type, bytes) = match name {
        "explorer.css" => (STYLE, Bytes::from_static(include_bytes!("docs_page/explorer.css"))),
        "explorer.js" => (SCRIPT, Bytes::from_static(include_bytes!("docs_page/explorer.js"))),
        "favicon-32x32.png" => ("image/png", vendored(name)?),
        "swagger-ui-bundle.js" => (SCRIPT, vendored(name)?),
        "swagger-ui.css" => (STYLE, vendored(name)?),
        _ => return None,
    };
    Some(Asset { content_type, bytes })
}

fn vendored(name: &str) -> Option<Bytes> {
    let file = utoipa_swagger_ui::serve(name, Arc::new(utoipa_swagger_ui::Config::from("openapi.json"))).ok()??;
    Some(match file.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_there_and_the_page_names_no_other() {
        let all = [
            DocsAsset::ExplorerStyle,
            DocsAsset::ExplorerScript,
            DocsAsset::Icon,
            DocsAsset::SwaggerScript,
            DocsAsset::SwaggerStyle,
        ];
        for part in all {
            let name = serde_json::to_value(part).expect("a name");
            let name = name.as_str().expect("text");
            assert!(!asset(name).expect(name).bytes.is_empty());
            assert!(INDEX.contains(&format!("\"docs/{name}\"")), "{name}");
        }
        assert_eq!(INDEX.matches("\"docs/").count(), all.len());
        assert!(asset("index.html").is_none() && asset("../Cargo.toml").is_none() && asset("").is_none());
    }

    #[test]
    fn the_page_has_no_inline_script_or_style_and_names_no_other_host() {
        for forbidden in ["<style", "style=", "onload", "http:", "https:", "src=\"//", "<script>"] {
            assert!(!INDEX.contains(forbidden), "{forbidden}");
        }
    }
}
