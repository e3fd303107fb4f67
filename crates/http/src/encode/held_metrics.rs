//! A page of metrics while it waits to be written. A reader that takes its time holds all of it, so each column is kept as
//! narrow as its values allow: 10,000 rows in less than a megabyte.

use astranetmon_domain::{AgentId, METRIC_FIELDS, MetricColumns, NULL, Timestamp};

pub(super) struct HeldMetrics {
    agents: Vec<AgentId>,
    agent_indexes: Vec<u32>,
    timestamps: Vec<i64>,
    values: [HeldColumn; METRIC_FIELDS.len()],
}

/// The values of a field: how much each is more than the least. The greatest number of a width stands for the unknown.
enum HeldColumn {
    /// All are the same, or unknown.
    Same(i64),
    Two {
        least: i64,
        above: Vec<u16>,
    },
    Four {
        least: i64,
        above: Vec<u32>,
    },
    Eight(Vec<i64>),
}

impl HeldColumn {
    fn of(values: Vec<i64>) -> Self {
        // Two passes without branches, so that they run as fast as the values come.
        let (mut least, mut greatest, mut unknown) = (i64::MAX, i64::MIN, 0_usize);
        for &value in &values {
            let is_known = value != NULL;
            least = least.min(if is_known { value } else { i64::MAX });
            greatest = greatest.max(value);
            unknown += usize::from(!is_known);
        }
        if unknown == values.len() {
            return Self::Same(NULL);
        }
        if least == greatest && unknown == 0 {
            return Self::Same(least);
        }
        // As the difference of any two numbers of 64 bits with a sign fits into as many without one.
        let span = greatest.wrapping_sub(least).cast_unsigned();
        if span < u64::from(u16::MAX) {
            let above = |value: i64| if value == NULL { u16::MAX } else { value.wrapping_sub(least) as u16 };
            Self::Two { least, above: values.into_iter().map(above).collect() }
        } else if span < u64::from(u32::MAX) {
            let above = |value: i64| if value == NULL { u32::MAX } else { value.wrapping_sub(least) as u32 };
            Self::Four { least, above: values.into_iter().map(above).collect() }
        } else {
            Self::Eight(values)
        }
    }

    fn value(&self, row: usize) -> i64 {
        match self {
            Self::Same(value) => *value,
            Self::Two { least, above } => match above[row] {
                u16::MAX => NULL,
                above => least + i64::from(above),
            },
            Self::Four { least, above } => match above[row] {
                u32::MAX => NULL,
                above => least + i64::from(above),
            },
            Self::Eight(values) => values[row],
        }
    }
}

impl HeldMetrics {
    pub(super) fn new(columns: MetricColumns) -> Self {
        let (agents, agent_indexes, timestamps, values) = columns.into_columns();
        Self { agents, agent_indexes, timestamps, values: values.map(HeldColumn::of) }
    }

    pub(super) fn len(&self) -> usize {
        self.timestamps.len()
    }

    pub(super) fn agent_id(&self, row: usize) -> &AgentId {
        &self.agents[self.agent_indexes[row] as usize]
    }

    pub(super) fn timestamp(&self, row: usize) -> Timestamp {
        Timestamp::from_micros(self.timestamps[row])
    }

    /// The value of the field of that place in [`METRIC_FIELDS`], [`NULL`] where unknown.
    #[inline]
    pub(super) fn value(&self, place: usize, row: usize) -> i64 {
        self.values[place].value(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_comes_back_from_a_column_of_any_width() {
        for (values, bytes) in [
            (vec![NULL, NULL], 0),
            (vec![7, 7, 7], 0),
            (vec![7, NULL], 2),
            (vec![-3, NULL, -3 + 65_534], 2),
            (vec![-3, NULL, -3 + 65_535], 4),
            (vec![5, 5 + i64::from(u32::MAX) - 1, NULL], 4),
            (vec![5, 5 + i64::from(u32::MAX)], 8),
            (vec![i64::MIN + 1, i64::MAX, NULL, 0], 8),
            (vec![i64::MAX, i64::MAX - 1], 2),
        ] {
            let column = HeldColumn::of(values.clone());
            let width = match &column {
                HeldColumn::Same(_) => 0,
                HeldColumn::Two { .. } => 2,
                HeldColumn::Four { .. } => 4,
                HeldColumn::Eight(_) => 8,
            };
            assert_eq!(width, bytes, "{values:?}");
            assert_eq!((0..values.len()).map(|row| column.value(row)).collect::<Vec<_>>(), values);
        }
    }
}
