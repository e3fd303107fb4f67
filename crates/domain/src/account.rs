use std::fmt;
use std::str::FromStr;

use crate::{AccountId, Plan, Timestamp, UserId};

/// An account: the owner of agents, keys, users and data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Given by the database.
    pub id: AccountId,
    /// Unique among accounts.
    pub name: AccountName,
    /// What it has paid for.
    pub plan: Plan,
    /// When it was made.
    pub created_at: Timestamp,
}

/// An account's name: 1 to 100 characters without control characters or surrounding space.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AccountName(String);

/// The text cannot name an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an account name is 1 to 100 characters, without control characters or surrounding space")]
pub struct InvalidAccountName;

impl AccountName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountName {
    type Err = InvalidAccountName;
    fn from_str(text: &str) -> Result<Self, InvalidAccountName> {
        let well_formed = !text.is_empty() && text.trim() == text && crate::clean_text(text, 100) == text;
        if well_formed { Ok(Self(text.to_owned())) } else { Err(InvalidAccountName) }
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A person who belongs to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Given by the database.
    pub id: UserId,
    /// The account this person belongs to.
    pub account_id: AccountId,
    /// Unique over all accounts.
    pub email: UserEmail,
    /// What the person may do.
    pub role: UserRole,
    /// When the person was added.
    pub created_at: Timestamp,
    /// Set while the person may not sign in.
    pub disabled_at: Option<Timestamp>,
}

/// An e-mail address, kept in lower case: `local@domain`, at most 254 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserEmail(String);

/// The text is not an e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an e-mail address has the form name@example.com")]
pub struct InvalidEmail;

impl UserEmail {
    /// The address as text, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserEmail {
    type Err = InvalidEmail;
    fn from_str(text: &str) -> Result<Self, InvalidEmail> {
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidEmail)?;
        let well_formed = text.len() <= 254
            && !local.is_empty()
            && !domain.is_empty()
            && !local.contains('@')
            && !text.chars().any(|c| c.is_whitespace() || c.is_control());
        if well_formed { Ok(Self(text.to_lowercase())) } else { Err(InvalidEmail) }
    }
}

impl fmt::Display for UserEmail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a person may do in an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UserRole {
    /// Reads everything.
    Viewer,
    /// Also manages keys, users and alerts.
    Admin,
    /// Also owns the account.
    Owner,
}

impl UserRole {
    /// The name used in storage and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

impl FromStr for UserRole {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Viewer, Self::Admin, Self::Owner].into_iter().find(|role| role.as_str() == text).ok_or(())
    }
}
