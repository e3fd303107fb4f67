//! What forms send, and what a form is told when it cannot be done.

use std::fmt;
use std::str::FromStr;

use astranetmon_auth::{Password, UnfitPassword};
use astranetmon_domain::{UserEmail, clean_text};
use astranetmon_http::ApiError;
use astranetmon_storage::StorageError;

pub(super) fn refused(sentence: impl Into<String>) -> ApiError {
    ApiError::BadRequest(sentence.into())
}

/// An error that is a sentence for people, as forms say it.
pub(super) fn sentence(error: &impl fmt::Display) -> String {
    let text = error.to_string();
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

/// An id in a path; what is none is not there.
pub(super) fn id_in_path<T: FromStr>(text: &str) -> Result<T, ApiError> {
    text.parse().map_err(|_| ApiError::NotFound)
}

/// Text of an input that must not be left empty.
pub(super) fn required(text: Option<String>, sentence: &str) -> Result<String, ApiError> {
    text.filter(|text| !text.is_empty()).ok_or_else(|| refused(sentence))
}

/// An e-mail address, without the space that is pasted along.
pub(super) fn email(text: Option<String>) -> Result<UserEmail, ApiError> {
    let text = text.unwrap_or_default();
    text.trim().parse().map_err(|_| refused("An e-mail address has the form name@example.com"))
}

/// A name that a person gives to a thing: 1 to 100 characters.
pub(super) fn name(text: Option<String>) -> Result<String, ApiError> {
    let text = text.unwrap_or_default();
    let text = text.trim();
    if text.is_empty() || clean_text(text, 100) != text {
        return Err(refused("A name has 1 to 100 characters and no control characters, such as “grafana (berlin)”"));
    }
    Ok(text.to_owned())
}

/// A password that its owner may have from now on.
pub(super) fn chosen_password(text: String, email: &UserEmail) -> Result<Password, ApiError> {
    Password::chosen(text, email).map_err(|unfit| {
        refused(match unfit {
            UnfitPassword::Short => "The password is too short: it needs at least 12 characters, better 15",
            UnfitPassword::Long => "The password is too long: at most 128 characters are kept",
            UnfitPassword::Guessable => {
                "That password is easy to guess: take several words that do not belong together"
            }
        })
    })
}

/// What storage refused, as the form's reader understands it; a failure otherwise.
pub(super) fn told(error: StorageError) -> ApiError {
    match error {
        StorageError::Exists { what } => refused(format!("There is {what} already: choose another")),
        StorageError::TooMany { what, most } => {
            refused(format!("The account has {most} {what}, which is the most it can have: remove one first"))
        }
        StorageError::Missing { what } => refused(format!("There is no such {what} any more: reload the page")),
        StorageError::LastOwner => {
            refused("The account needs an owner who can sign in: make somebody else an owner first")
        }
        StorageError::BeyondPlan { most } => refused(format!(
            "The plan keeps samples for {} days, hourly summaries for {} and daily ones for {}: choose no more",
            most.raw_days(),
            most.hourly_days(),
            most.daily_days()
        )),
        StorageError::OwnersOnly => ApiError::Refused("Only an owner of the account adds or changes owners"),
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_printable() {
        assert_eq!(name(Some("  grafana (berlin) ".to_owned())).expect("a name"), "grafana (berlin)");
        for text in [None, Some(String::new()), Some("   ".to_owned()), Some("a\nb".to_owned()), Some("x".repeat(101))]
        {
            assert!(name(text.clone()).is_err(), "{text:?}");
        }
        assert_eq!(email(Some(" Ada@Example.com ".to_owned())).expect("an address").as_str(), "ada@example.com");
        assert!(email(Some("ada".to_owned())).is_err() && email(None).is_err());
    }

    #[test]
    fn what_storage_refuses_is_told_in_a_sentence() {
        for (error, expected) in [
            (StorageError::Exists { what: "a user with that e-mail address" }, "There is a user with that e-mail"),
            (StorageError::TooMany { what: "live API keys", most: 20 }, "The account has 20 live API keys"),
            (StorageError::Missing { what: "alert channel" }, "There is no such alert channel any more"),
            (StorageError::LastOwner, "The account needs an owner"),
            (StorageError::OwnersOnly, "Only an owner"),
        ] {
            assert!(told(error).message().starts_with(expected), "{expected}");
        }
    }
}
