//! Single values of JSON, taken as whatever they are: one of another type than its field wants is a reason to refuse
//! its row, not the body.

use std::borrow::Cow;
use std::fmt;

use astranetmon_domain::{
    AgentId, SpeedtestId, SpeedtestStatus, Timestamp, TracerouteId, TracerouteProtocol, TracerouteStatus, parse_moment,
};
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

/// What is wrong with a value and what is accepted, as it goes on after the field's name.
pub(crate) type Reason = Cow<'static, str>;

/// A value without what is inside lists and objects.
#[derive(Debug, PartialEq)]
pub(crate) enum Json<'de> {
    Null,
    Bool(bool),
    Integer(i64),
    /// Above all `i64`.
    Large(u64),
    Float(f64),
    Text(Cow<'de, str>),
    List,
    Object,
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(i64::try_from(value).map_or(Json::Large(value), Json::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json<'de>, E> {
        Ok(Json::Float(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json<'de>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Json::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Json<'de>, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Json::Object)
    }
}

/// The name of a member, without a copy where it has no escapes.
pub(crate) struct Name<'de>(pub(crate) Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }
            fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

/// What one value that is not `null` is read as.
pub(crate) trait FromJson: Sized {
    fn from_json(json: Json<'_>) -> Result<Self, Reason>;
}

impl FromJson for f64 {
    #[expect(clippy::cast_precision_loss, reason = "as a JSON reader with floats alone would read it")]
    fn from_json(json: Json<'_>) -> Result<Self, Reason> {
        match json {
            Json::Float(value) => Ok(value),
            Json::Integer(value) => Ok(value as Self),
            Json::Large(value) => Ok(value as Self),
            _ => Err("must be a number such as 12.5, or null".into()),
        }
    }
}

/// Whole numbers that a float keeps exactly end here.
const EXACT_FLOATS: f64 = 9_007_199_254_740_992.0;
const WHOLE: &str = "must be a whole number such as 60, or null";

impl FromJson for i64 {
    #[expect(clippy::cast_possible_truncation, reason = "whole and in range")]
    fn from_json(json: Json<'_>) -> Result<Self, Reason> {
        match json {
            Json::Integer(value) => Ok(value),
            // Senders whose only numbers are floats write 60.0.
            Json::Float(value) if value.fract() == 0.0 && value.abs() < EXACT_FLOATS => Ok(value as Self),
            Json::Large(_) | Json::Float(_) if !matches!(json, Json::Float(value) if value.fract() != 0.0) => {
                Err("is too large: the largest number is 9007199254740991".into())
            }
            _ => Err(WHOLE.into()),
        }
    }
}

macro_rules! small_number {
    ($($type:ty),*) => {$(
        impl FromJson for $type {
            fn from_json(json: Json<'_>) -> Result<Self, Reason> {
                let value = i64::from_json(json)?;
                Self::try_from(value).map_err(|_| format!("must be a whole number from 0 to {}", Self::MAX).into())
            }
        }
    )*};
}
small_number!(u8, u32, u64);

impl FromJson for bool {
    fn from_json(json: Json<'_>) -> Result<Self, Reason> {
        match json {
            Json::Bool(value) => Ok(value),
            _ => Err("must be true, false or null".into()),
        }
    }
}

fn text(json: Json<'_>) -> Result<Cow<'_, str>, Reason> {
    match json {
        Json::Text(text) => Ok(text),
        _ => Err("must be a text in quotation marks, or null".into()),
    }
}

impl FromJson for String {
    fn from_json(json: Json<'_>) -> Result<Self, Reason> {
        text(json).map(Cow::into_owned)
    }
}

const MOMENT: &str =
    "must be a date and time of RFC 3339, such as \"2026-11-23T11:26:58.123Z\" or \"2026-11-23T12:26:58+01:00\"";

impl FromJson for Timestamp {
    fn from_json(json: Json<'_>) -> Result<Self, Reason> {
        let Json::Text(text) = json else { return Err(MOMENT.into()) };
        // What is relative to now says nothing of when it was measured once it has waited for the server.
        if !text.as_bytes().first().is_some_and(u8::is_ascii_digit) {
            return Err(MOMENT.into());
        }
        parse_moment(&text, Self::MIN).map_err(|_| MOMENT.into())
    }
}

impl FromJson for AgentId {
    fn from_json(json: Json<'_>) -> Result<Self, Reason> {
        Self::parse(&text(json)?).map_err(|_| "must be 1 to 64 of the characters A-Z a-z 0-9 . _ -".into())
    }
}

fn version_7(json: Json<'_>) -> Result<Uuid, Reason> {
    const ACCEPTED: &str = "must be a UUID of version 7, such as \"019ab123-4567-7abc-8def-0123456789ab\"";
    let uuid = Uuid::parse_str(&text(json).map_err(|_| ACCEPTED)?).map_err(|_| ACCEPTED)?;
    if uuid.get_version_num() == 7 && uuid.get_variant() == uuid::Variant::RFC4122 {
        Ok(uuid)
    } else {
        Err(ACCEPTED.into())
    }
}

impl FromJson for SpeedtestId {
    fn from_json(json: Json<'_>) -> Result<Self, Reason> {
        version_7(json).map(Self)
    }
}

impl FromJson for TracerouteId {
    fn from_json(json: Json<'_>) -> Result<Self, Reason> {
        version_7(json).map(Self)
    }
}

macro_rules! named {
    ($($name:ident: $accepted:literal;)*) => {$(
        impl FromJson for $name {
            fn from_json(json: Json<'_>) -> Result<Self, Reason> {
                let Json::Text(text) = json else { return Err($accepted.into()) };
                Self::from_name(&text).ok_or($accepted.into())
            }
        }
    )*};
}

named! {
    SpeedtestStatus: "must be \"completed\" or \"failed\"";
    TracerouteStatus: "must be \"completed\", \"incomplete\" or \"failed\"";
    TracerouteProtocol: "must be \"icmp\", \"udp\" or \"tcp\"";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: FromJson>(text: &str) -> Result<T, Reason> {
        T::from_json(serde_json::from_str(text).expect("JSON"))
    }

    #[test]
    fn numbers_are_taken_as_any_sender_writes_them_if_nothing_is_lost() {
        assert_eq!(read::<f64>("12"), Ok(12.0));
        assert_eq!(read::<f64>("18446744073709551615"), Ok(18_446_744_073_709_551_615.0));
        for (text, expected) in [("60", 60), ("60.0", 60), ("6e1", 60), ("-0.0", 0), ("9223372036854775807", i64::MAX)]
        {
            assert_eq!(read::<i64>(text), Ok(expected), "{text}");
        }
        for text in ["1e300", "9007199254740992.0", "18446744073709551615"] {
            assert!(read::<i64>(text).expect_err(text).starts_with("is too large"), "{text}");
        }
        for text in ["60.5", "\"60\"", "true", "[1]", "{}"] {
            assert_eq!(read::<i64>(text).expect_err(text), WHOLE, "{text}");
        }
        assert_eq!(read::<u8>("256").expect_err("large"), "must be a whole number from 0 to 255");
        assert!(read::<u32>("-1").is_err() && read::<f64>("\"1\"").is_err() && read::<bool>("0").is_err());
    }

    #[test]
    fn a_moment_is_absolute() {
        for (text, expected) in [
            ("2026-11-23T11:26:58.123Z", "2026-11-23T11:26:58.123Z"),
            ("2026-11-23T12:26:58+01:00", "2026-11-23T11:26:58.000Z"),
            ("2026-11-23 11:26:58", "2026-11-23T11:26:58.000Z"),
            ("2026-11-23", "2026-11-23T00:00:00.000Z"),
        ] {
            assert_eq!(read::<Timestamp>(&format!("{text:?}")).expect(text).to_string(), expected);
        }
        for text in ["\"now\"", "\"-7d\"", "\"\"", "1795433218", "\"1795433218\"", "\"2026-02-30T00:00:00Z\"", "[]"] {
            assert_eq!(read::<Timestamp>(text).expect_err(text), MOMENT, "{text}");
        }
    }

    #[test]
    fn an_id_of_a_record_is_a_uuid_of_version_7() {
        assert!(read::<SpeedtestId>("\"019ab123-4567-7abc-8def-0123456789ab\"").is_ok());
        for text in
            ["\"6ba7b810-9dad-41d1-80b4-00c04fd430c8\"", "\"019ab123-4567-7abc-0def-0123456789ab\"", "\"x\"", "7"]
        {
            assert!(read::<TracerouteId>(text).is_err(), "{text}");
        }
    }
}
