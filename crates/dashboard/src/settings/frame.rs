use astranetmon_domain::{Timestamp, UserRole};
use astranetmon_http::SignedIn;

use crate::format::{full_time, machine_time};

/// A page of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tab {
    Account,
    Agents,
    Alerts,
    People,
    Sessions,
    Audit,
}

/// An entry of the settings' own navigation.
pub(crate) struct TabEntry {
    pub(crate) name: &'static str,
    pub(crate) href: &'static str,
    pub(crate) tab: Tab,
}

const TABS: [TabEntry; 6] = [
    TabEntry { name: "Account", href: "/dashboard/settings", tab: Tab::Account },
    TabEntry { name: "Agents", href: "/dashboard/settings/agents", tab: Tab::Agents },
    TabEntry { name: "Alerts and API keys", href: "/dashboard/settings/alerts", tab: Tab::Alerts },
    TabEntry { name: "People", href: "/dashboard/settings/people", tab: Tab::People },
    TabEntry { name: "Sessions", href: "/dashboard/settings/sessions", tab: Tab::Sessions },
    TabEntry { name: "Audit log", href: "/dashboard/settings/audit", tab: Tab::Audit },
];

/// What `templates/settings/frame.html` needs, in the field `frame`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) tab: Tab,
    /// Whether the reader may change what belongs to the account.
    pub(crate) manages: bool,
}

impl Frame {
    pub(crate) fn of(signed_in: &SignedIn, tab: Tab) -> Self {
        Self { tab, manages: signed_in.user().role >= UserRole::Admin }
    }

    #[expect(clippy::unused_self, reason = "templates call it so")]
    pub(crate) const fn tabs(&self) -> &'static [TabEntry] {
        &TABS
    }
}

/// A time for `<time datetime>`; scripts say it in the reader's own way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) machine: String,
    pub(crate) text: String,
}

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self { machine: machine_time(at), text: full_time(at) }
    }
}
