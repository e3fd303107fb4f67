//! Rows of JSON objects, read field by field: the first value of a wrong type refuses the row, names that nobody knows
//! are noted, and nothing is built but the row itself.

use std::marker::PhantomData;

use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::batch::{IgnoredFields, Refusal};
use crate::field::{FromJson, Json, Name, Reason};

/// What there is to say of a row while it is read.
pub(crate) struct Report<'a> {
    ignored: &'a mut IgnoredFields,
    /// What the row stands in, if it is not itself a row of a body.
    parent: Option<&'static str>,
    refusal: Option<Refusal>,
    /// The field that is being read.
    at: Option<&'static str>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(ignored: &'a mut IgnoredFields) -> Self {
        Self { ignored, parent: None, refusal: None, at: None }
    }

    /// The report of something inside.
    pub(crate) fn inside(&mut self, parent: &'static str) -> Report<'_> {
        Report { ignored: self.ignored, parent: Some(parent), refusal: None, at: None }
    }

    /// The first refusal stands.
    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        self.refusal.get_or_insert(refusal);
    }
}

/// A row as it is on the wire.
pub(crate) trait Fields: Default {
    /// Takes the value of the member `name`.
    fn take<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
        report: &mut Report<'_>,
    ) -> Result<(), A::Error>;
}

/// A field of a row: what stands under one name.
pub(crate) trait Field: Sized {
    fn read<'de, A: MapAccess<'de>>(
        map: &mut A,
        name: &'static str,
        report: &mut Report<'_>,
    ) -> Result<Option<Self>, A::Error>;
}

impl<T: FromJson> Field for T {
    #[inline]
    fn read<'de, A: MapAccess<'de>>(
        map: &mut A,
        name: &'static str,
        report: &mut Report<'_>,
    ) -> Result<Option<Self>, A::Error> {
        report.at = Some(name);
        Ok(match map.next_value::<Json<'de>>()? {
            Json::Null => None,
            json => T::from_json(json).map_err(|reason| report.refuse(Refusal::of(name, reason))).ok(),
        })
    }
}

/// Reads a list as a field; `read` is given each of its elements.
pub(crate) fn read_list<'de, A: MapAccess<'de>, T>(
    map: &mut A,
    name: &'static str,
    accepted: &'static str,
    most: usize,
    report: &mut Report<'_>,
    mut read: impl FnMut(&'de RawValue, &mut Report<'_>) -> Result<T, Refusal>,
) -> Result<Option<Vec<T>>, A::Error> {
    report.at = Some(name);
    let raw: &'de RawValue = map.next_value()?;
    if raw.get() == "null" {
        return Ok(None);
    }
    let elements =
        if raw.get().starts_with('[') { serde_json::from_str::<Vec<&RawValue>>(raw.get()).ok() } else { None };
    let Some(elements) = elements.filter(|elements| elements.len() <= most) else {
        report.refuse(Refusal::of(name, accepted));
        return Ok(None);
    };
    let mut list = Vec::with_capacity(elements.len());
    for (index, element) in elements.into_iter().enumerate() {
        match read(element, report) {
            Ok(element) => list.push(element),
            Err(refusal) => {
                report.refuse(refusal.inside(&format!("{name}[{index}]")));
                return Ok(None);
            }
        }
    }
    Ok(Some(list))
}

/// Reads an object as a field.
pub(crate) fn read_object<'de, A: MapAccess<'de>, T: Fields>(
    map: &mut A,
    name: &'static str,
    report: &mut Report<'_>,
) -> Result<Option<T>, A::Error> {
    report.at = Some(name);
    let raw: &'de RawValue = map.next_value()?;
    if raw.get() == "null" {
        return Ok(None);
    }
    Ok(match read_row(raw, report.inside(name)) {
        Ok(object) => Some(object),
        Err(refusal) => {
            report.refuse(refusal.inside(name));
            None
        }
    })
}

/// Passes over a member that nobody knows.
pub(crate) fn ignore<'de, A: MapAccess<'de>>(map: &mut A, name: &str, report: &mut Report<'_>) -> Result<(), A::Error> {
    report.ignored.note(report.parent, name);
    map.next_value::<IgnoredAny>().map(|_| ())
}

/// Reads one row. It is well-formed JSON already, though a number may be out of range.
pub(crate) fn read_row<R: Fields>(raw: &RawValue, mut report: Report<'_>) -> Result<R, Refusal> {
    if !raw.get().starts_with('{') {
        return Err(Refusal::of_row("must be an object, in braces"));
    }
    let read = serde_json::Deserializer::from_str(raw.get()).deserialize_map(RowVisitor::new(&mut report));
    match (read, report.refusal) {
        (_, Some(refusal)) => Err(refusal),
        (Ok(row), None) => Ok(row),
        (Err(error), None) => Err(Refusal { field: report.at.map(Into::into), reason: unreadable(&error) }),
    }
}

/// Of what stands in a row and cannot be read though it is well-formed.
fn unreadable(error: &serde_json::Error) -> Reason {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    format!("cannot be read: {what}").into()
}

pub(crate) struct RowVisitor<'r, 'a, R> {
    report: &'r mut Report<'a>,
    row: PhantomData<R>,
}

impl<'r, 'a, R> RowVisitor<'r, 'a, R> {
    pub(crate) fn new(report: &'r mut Report<'a>) -> Self {
        Self { report, row: PhantomData }
    }
}

impl<'de, R: Fields> Visitor<'de> for RowVisitor<'_, '_, R> {
    type Value = R;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<R, A::Error> {
        let mut row = R::default();
        while let Some(Name(name)) = map.next_key::<Name<'de>>()? {
            row.take(&name, &mut map, self.report)?;
        }
        Ok(row)
    }
}

/// Reads a row strictly: for senders that look at their own rows again.
pub(crate) fn deserialize_row<'de, R: Fields, D: Deserializer<'de>>(deserializer: D) -> Result<R, D::Error> {
    let mut ignored = IgnoredFields::default();
    let mut report = Report::new(&mut ignored);
    let row = deserializer.deserialize_map(RowVisitor::new(&mut report))?;
    report.refusal.map_or(Ok(row), |refusal| Err(D::Error::custom(refusal)))
}

/// Declares a row of the wire: every field optional, written only where it is known, read field by field.
macro_rules! row {
    ($(#[$meta:meta])* $row:ident { $($(#[$field_meta:meta])* $name:ident: $type:ty,)* }) => {
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        $(#[$meta])*
        pub struct $row {
            $($(#[$field_meta])* #[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<$type>,)*
        }

        impl crate::row::Fields for $row {
            #[inline]
            fn take<'de, A: serde::de::MapAccess<'de>>(
                &mut self,
                name: &str,
                map: &mut A,
                report: &mut crate::row::Report<'_>,
            ) -> Result<(), A::Error> {
                match name {
                    $(stringify!($name) => {
                        self.$name = crate::row::Field::read(map, stringify!($name), report)?;
                        Ok(())
                    })*
                    _ => crate::row::ignore(map, name, report),
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $row {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                crate::row::deserialize_row(deserializer)
            }
        }
    };
}

pub(crate) use row;
