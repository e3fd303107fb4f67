use serde::{Deserialize, Serialize};

/// What became of the rows of a body. It is sent once everything taken is durable; rows are named by their position in
/// the body, from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = IngestAnswer))]
pub struct Answer {
    /// Rows that are new, or that filled what had been unknown of a row that was there.
    #[cfg_attr(feature = "openapi", schema(example = 997))]
    pub taken: u32,
    /// Rows that were there already and changed nothing.
    #[cfg_attr(feature = "openapi", schema(example = 2))]
    pub known: u32,
    /// Rows that were not taken; sending them again would not help.
    #[cfg_attr(feature = "openapi", schema(example = 1))]
    pub refused: u32,
    /// Positions of the known rows.
    #[cfg_attr(feature = "openapi", schema(example = json!([4, 9])))]
    pub known_rows: Vec<u32>,
    /// The refused rows, each with the reason.
    pub refused_rows: Vec<RefusedRow>,
    /// Fields that rows had and nobody knows, each named once, at most 32 of them.
    #[cfg_attr(feature = "openapi", schema(example = json!(["fan_rpm"])))]
    pub ignored_fields: Vec<String>,
}

/// A row that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RefusedRow {
    /// Its position in the body, from 0.
    #[cfg_attr(feature = "openapi", schema(example = 12))]
    pub row: u32,
    /// The field that is wrong; `null` if it is the row as a whole.
    #[cfg_attr(feature = "openapi", schema(example = "timestamp"))]
    pub field: Option<String>,
    /// What is wrong, and what is accepted.
    #[cfg_attr(
        feature = "openapi",
        schema(example = "is missing: send when it was measured, such as \"2026-11-23T11:26:58Z\"")
    )]
    pub reason: String,
}
