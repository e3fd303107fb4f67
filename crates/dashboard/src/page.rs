//! What every page has around its content.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use askama::Template;
use astranetmon_domain::UserRole;
use astranetmon_http::{ApiError, SignedIn};

use crate::assets;

/// The part of the navigation that a page belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    /// The fleet and its agents.
    Overview,
    /// Speed tests across agents.
    Speedtests,
    /// Traceroutes across agents.
    Traceroutes,
    /// Keys, alerts, people, sessions, account, audit log.
    Settings,
    /// Pages outside of the navigation: sign-in, set-up, errors.
    Nowhere,
}

/// The person in the page's header.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) email: String,
    pub(crate) role: UserRole,
    /// Of the session; scripts send it back with every change.
    pub(crate) csrf_token: String,
}

/// What `templates/base.html` needs; a template that extends it has one of these in its field `page`.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) section: Section,
    /// Nobody on the sign-in and set-up pages, and on error pages of nobody known: no navigation then.
    pub(crate) person: Option<Person>,
}

/// An entry of the navigation.
pub(crate) struct NavigationEntry {
    pub(crate) name: &'static str,
    pub(crate) href: &'static str,
    pub(crate) icon: &'static str,
    pub(crate) section: Section,
}

const NAVIGATION: [NavigationEntry; 4] = [
    NavigationEntry { name: "Overview", href: "/dashboard", icon: "overview", section: Section::Overview },
    NavigationEntry { name: "Speed tests", href: "/dashboard/speedtests", icon: "gauge", section: Section::Speedtests },
    NavigationEntry {
        name: "Traceroutes",
        href: "/dashboard/traceroutes",
        icon: "route",
        section: Section::Traceroutes,
    },
    NavigationEntry { name: "Settings", href: "/dashboard/settings", icon: "settings", section: Section::Settings },
];

impl Page {
    /// A page of somebody who is signed in.
    pub(crate) fn of(signed_in: &SignedIn, section: Section) -> Self {
        let user = signed_in.user();
        let person =
            Person { email: user.email.to_string(), role: user.role, csrf_token: signed_in.csrf_token().to_owned() };
        Self { section, person: Some(person) }
    }

    /// A page that nobody need be signed in for.
    pub(crate) const fn open() -> Self {
        Self { section: Section::Nowhere, person: None }
    }

    /// Where the asset of that name is.
    #[expect(clippy::unused_self, reason = "templates call it so")]
    pub(crate) fn asset(&self, name: &str) -> String {
        assets::address(name)
    }

    /// Where the icon of that name is, for `<use href>`.
    pub(crate) fn icon(&self, name: &str) -> String {
        format!("{}#{name}", self.asset("icons.svg"))
    }

    #[expect(clippy::unused_self, reason = "templates call it so")]
    pub(crate) const fn navigation(&self) -> &'static [NavigationEntry] {
        &NAVIGATION
    }
}

/// The page as an answer.
///
/// # Errors
/// A template that fails, which is a bug.
pub(crate) fn render(template: &impl Template) -> Result<HttpResponse, ApiError> {
    render_as(StatusCode::OK, template)
}

/// The page as an answer of that status.
///
/// # Errors
/// A template that fails, which is a bug.
pub(crate) fn render_as(status: StatusCode, template: &impl Template) -> Result<HttpResponse, ApiError> {
    let html = template.render().map_err(|_| ApiError::Internal)?;
    Ok(HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(html))
}
