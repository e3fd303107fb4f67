use std::fmt;
use std::str::FromStr;

/// What an account has paid for; decides how many requests an hour each of its keys may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Plan {
    /// 100 requests an hour and key.
    Starter,
    /// 1,000 requests an hour and key.
    Professional,
    /// No quota.
    Enterprise,
}

/// The text names no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a plan is one of starter, professional, enterprise")]
pub struct UnknownPlan;

impl Plan {
    /// Every plan, smallest first.
    pub const ALL: [Self; 3] = [Self::Starter, Self::Professional, Self::Enterprise];

    /// Requests that one key may make in one window of [`Plan::WINDOW_SECONDS`]; `None` is unlimited.
    #[must_use]
    pub const fn hourly_limit(self) -> Option<u32> {
        match self {
            Self::Starter => Some(100),
            Self::Professional => Some(1_000),
            Self::Enterprise => None,
        }
    }

    /// Length of a plan window in seconds.
    pub const WINDOW_SECONDS: u32 = 3_600;

    /// The name used in storage, on the command line and in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starter => "starter",
            Self::Professional => "professional",
            Self::Enterprise => "enterprise",
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Plan {
    type Err = UnknownPlan;
    fn from_str(text: &str) -> Result<Self, UnknownPlan> {
        Self::ALL.into_iter().find(|plan| plan.as_str() == text).ok_or(UnknownPlan)
    }
}
