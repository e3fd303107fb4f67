use crate::{AgentId, MetricField, MetricFieldKind, Timestamp, round_to};

/// Stands for an unknown value in [`MetricColumns`].
pub const NULL: i64 = i64::MIN;

macro_rules! field_kind {
    (i64) => {
        MetricFieldKind::Integer
    };
    (f64, $decimals:literal) => {
        MetricFieldKind::Float { decimals: $decimals }
    };
}
macro_rules! normalize {
    ($value:expr, i64) => {
        $value
    };
    ($value:expr, f64, $decimals:literal) => {
        $value.and_then(|value| round_to(value, $decimals))
    };
}
macro_rules! fixed {
    ($value:expr, i64) => {
        $value
    };
    ($value:expr, f64, $decimals:literal) => {
        $value.map(|value| to_fixed(value, $decimals))
    };
}
macro_rules! from_fixed {
    ($value:expr, i64) => {
        $value
    };
    ($value:expr, f64, $decimals:literal) => {
        $value.map(|value| unfixed(value, $decimals))
    };
}

macro_rules! metric_fields {
    ($($(#[$doc:meta])* $name:ident: $type:ident $(/ $decimals:literal)?,)*) => {
        /// One metric: what one agent measured at one time. Unknown is `None`.
        #[derive(Clone, Debug, PartialEq)]
        pub struct MetricSample {
            /// The agent that measured.
            pub agent_id: AgentId,
            /// When; whole milliseconds once stored.
            pub timestamp: Timestamp,
            $($(#[$doc])* pub $name: Option<$type>,)*
        }

        impl MetricSample {
            /// A sample of which nothing is known yet.
            #[must_use]
            pub fn new(agent_id: AgentId, timestamp: Timestamp) -> Self {
                Self { agent_id, timestamp, $($name: None,)* }
            }

            /// The sample as it is stored: time in whole milliseconds, floats at their scale.
            #[must_use]
            pub fn normalized(self) -> Self {
                Self {
                    agent_id: self.agent_id,
                    timestamp: self.timestamp.to_millis_precision(),
                    $($name: normalize!(self.$name, $type $(, $decimals)?),)*
                }
            }

            /// The values in the order of [`METRIC_FIELDS`], floats as whole numbers of their last decimal.
            #[must_use]
            pub fn fixed_values(&self) -> [i64; METRIC_FIELDS.len()] {
                [$(fixed!(self.$name, $type $(, $decimals)?).unwrap_or(NULL),)*]
            }

            /// The inverse of [`MetricSample::fixed_values`].
            #[must_use]
            pub fn from_fixed_values(
                agent_id: AgentId,
                timestamp: Timestamp,
                values: &[i64; METRIC_FIELDS.len()],
            ) -> Self {
                let mut values = values.iter().map(|&value| (value != NULL).then_some(value));
                let mut next = || values.next().flatten();
                Self { agent_id, timestamp, $($name: from_fixed!(next(), $type $(, $decimals)?),)* }
            }
        }

        /// Every measured field, in the order of the contract.
        pub const METRIC_FIELDS: [MetricField; [$(stringify!($name),)*].len()] = {
            let named = [$((stringify!($name), field_kind!($type $(, $decimals)?)),)*];
            let mut fields = [MetricField::new(0, named[0].0, named[0].1); _];
            let mut index = 0;
            while index < named.len() {
                fields[index] = MetricField::new(index, named[index].0, named[index].1);
                index += 1;
            }
            fields
        };
    };
}

/// Calls `$callback!` with every measured field in the order of the contract: `name: type`, and for floats
/// `/ decimals`. The one list from which structs, storage rows and answers are made.
#[macro_export]
macro_rules! with_metric_fields {
    ($callback:ident) => {
        $callback! {
            /// Time that the sample covers.
            interval_seconds: i64,
            /// All processors; 100 is all of them busy.
            cpu_percent: f64 / 2,
            /// Load average over 1 minute.
            load_1: f64 / 2,
            /// Load average over 5 minutes.
            load_5: f64 / 2,
            /// Load average over 15 minutes.
            load_15: f64 / 2,
            /// Installed memory.
            memory_total_bytes: i64,
            /// Total less available.
            memory_used_bytes: i64,
            /// Used over total.
            memory_percent: f64 / 2,
            /// Swap space.
            swap_total_bytes: i64,
            /// Swap in use.
            swap_used_bytes: i64,
            /// Size of the root file system.
            disk_total_bytes: i64,
            /// Used on the root file system.
            disk_used_bytes: i64,
            /// Used over total.
            disk_percent: f64 / 2,
            /// Sum over physical disks.
            disk_read_bytes_per_second: i64,
            /// Sum over physical disks.
            disk_write_bytes_per_second: i64,
            /// Sum over physical interfaces.
            network_receive_bytes_per_second: i64,
            /// Sum over physical interfaces.
            network_transmit_bytes_per_second: i64,
            /// Since boot.
            network_receive_bytes_total: i64,
            /// Since boot.
            network_transmit_bytes_total: i64,
            /// Receive and transmit errors within the interval.
            network_errors_count: i64,
            /// Round trip to the first latency target.
            latency_ms: f64 / 3,
            /// Variation of the round trip.
            jitter_ms: f64 / 3,
            /// Probes that did not come back.
            packet_loss_percent: f64 / 2,
            /// The hottest sensor.
            temperature_celsius: f64 / 1,
            /// Running processes.
            process_count: i64,
            /// Since boot.
            uptime_seconds: i64,
        }
    };
}

with_metric_fields!(metric_fields);

/// A normalized float as a whole number of its last decimal: the scale of [`MetricColumns`].
#[inline]
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "rounded and in range: stored floats are normalized")]
pub fn to_fixed(value: f64, decimals: u8) -> i64 {
    // Half away from zero, as `round` does it, but without its call.
    (value * 10f64.powi(i32::from(decimals)) + 0.5f64.copysign(value)) as i64
}

#[expect(clippy::cast_precision_loss, reason = "a normalized float has at most 53 significant bits")]
fn unfixed(value: i64, decimals: u8) -> f64 {
    value as f64 / 10f64.powi(i32::from(decimals))
}

/// Many metrics, column by column: one vector a field, all of the same length.
///
/// Values are whole numbers at the field's fixed scale ([`METRIC_FIELDS`]), [`NULL`] where unknown. This is the shape
/// in which storage answers and from which JSON is written; a back end may fill it from rows or from packed columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricColumns {
    agents: Vec<AgentId>,
    agent_indexes: Vec<u32>,
    timestamps: Vec<i64>,
    values: [Vec<i64>; METRIC_FIELDS.len()],
}

impl MetricColumns {
    /// No rows, with room for `rows`.
    #[must_use]
    pub fn with_capacity(rows: usize) -> Self {
        Self {
            agents: Vec::new(),
            agent_indexes: Vec::with_capacity(rows),
            timestamps: Vec::with_capacity(rows),
            values: std::array::from_fn(|_| Vec::with_capacity(rows)),
        }
    }

    /// Rows whose columns are there already: the agents' ids, the place of each row's agent among them, times in
    /// microseconds, and values in the order of [`METRIC_FIELDS`].
    ///
    /// # Panics
    /// If the columns differ in length, or an agent's place is not in the list.
    #[must_use]
    pub fn from_columns(
        agents: Vec<AgentId>,
        agent_indexes: Vec<u32>,
        timestamps: Vec<i64>,
        values: [Vec<i64>; METRIC_FIELDS.len()],
    ) -> Self {
        let rows = timestamps.len();
        assert!(agent_indexes.len() == rows && values.iter().all(|column| column.len() == rows), "equal columns");
        assert!(agent_indexes.iter().all(|&agent| (agent as usize) < agents.len()), "known agents");
        Self { agents, agent_indexes, timestamps, values }
    }

    /// What [`MetricColumns::from_columns`] takes.
    #[must_use]
    pub fn into_columns(self) -> (Vec<AgentId>, Vec<u32>, Vec<i64>, [Vec<i64>; METRIC_FIELDS.len()]) {
        (self.agents, self.agent_indexes, self.timestamps, self.values)
    }

    /// Appends one row of values in the order of [`METRIC_FIELDS`].
    pub fn push(&mut self, agent_id: &str, timestamp: Timestamp, values: &[i64; METRIC_FIELDS.len()]) {
        let index = match self.agent_indexes.last() {
            Some(&last) if self.agents[last as usize].as_str() == agent_id => last,
            _ => self.agent_index(agent_id),
        };
        self.agent_indexes.push(index);
        self.timestamps.push(timestamp.as_micros());
        for (column, &value) in self.values.iter_mut().zip(values) {
            column.push(value);
        }
    }

    /// Appends a sample.
    pub fn push_sample(&mut self, sample: &MetricSample) {
        self.push(sample.agent_id.as_str(), sample.timestamp, &sample.fixed_values());
    }

    fn agent_index(&mut self, agent_id: &str) -> u32 {
        let known = self.agents.iter().position(|known| known.as_str() == agent_id);
        let index = known.unwrap_or_else(|| {
            // Stored ids were checked when they arrived; what fails here was never one of ours.
            self.agents.extend(AgentId::parse(agent_id));
            self.agents.len().saturating_sub(1)
        });
        u32::try_from(index).unwrap_or(u32::MAX)
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.timestamps.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.timestamps.is_empty()
    }

    /// Drops all rows from `rows` on.
    pub fn truncate(&mut self, rows: usize) {
        self.agent_indexes.truncate(rows);
        self.timestamps.truncate(rows);
        for column in &mut self.values {
            column.truncate(rows);
        }
    }

    /// The distinct agents, to which [`MetricColumns::agent_indexes`] points.
    #[must_use]
    pub fn agents(&self) -> &[AgentId] {
        &self.agents
    }

    /// The agent of each row.
    #[must_use]
    pub fn agent_indexes(&self) -> &[u32] {
        &self.agent_indexes
    }

    /// The time of each row, in microseconds since the epoch.
    #[must_use]
    pub fn timestamps(&self) -> &[i64] {
        &self.timestamps
    }

    /// The columns, in the order of [`METRIC_FIELDS`].
    #[must_use]
    pub fn values(&self) -> &[Vec<i64>; METRIC_FIELDS.len()] {
        &self.values
    }

    /// The agent of a row.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn agent_id(&self, row: usize) -> &AgentId {
        &self.agents[self.agent_indexes[row] as usize]
    }

    /// The time of a row.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn timestamp(&self, row: usize) -> Timestamp {
        Timestamp::from_micros(self.timestamps[row])
    }

    /// A row as a sample.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn sample(&self, row: usize) -> MetricSample {
        let values = std::array::from_fn(|field| self.values[field][row]);
        MetricSample::from_fixed_values(self.agent_id(row).clone(), self.timestamp(row), &values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_give_back_the_samples_that_were_pushed() {
        let sample = |agent: &str, seconds: i64| MetricSample {
            interval_seconds: Some(60),
            cpu_percent: Some(12.345),
            latency_ms: Some(0.1),
            temperature_celsius: Some(-3.25),
            memory_total_bytes: Some(1 << 52),
            ..MetricSample::new(
                AgentId::parse(agent).expect("valid"),
                Timestamp::from_micros(seconds * 1_000_000 + 1_234),
            )
        };
        let samples = [sample("a", 3), sample("b", 2), sample("a", 1)].map(MetricSample::normalized);
        let mut columns = MetricColumns::default();
        samples.iter().for_each(|sample| columns.push_sample(sample));
        assert_eq!(columns.len(), 3);
        assert_eq!(columns.agents().len(), 2);
        for (row, sample) in samples.iter().enumerate() {
            assert_eq!(&columns.sample(row), sample);
        }
        assert_eq!(columns.sample(0).cpu_percent, Some(12.35));
        assert_eq!(columns.timestamp(0).as_micros(), 3_001_000);
        assert_eq!(columns.sample(0).load_1, None);
        columns.truncate(1);
        assert_eq!(columns.len(), 1);
    }

    #[test]
    fn a_float_that_is_no_number_is_unknown() {
        let mut sample = MetricSample::new(AgentId::parse("a").expect("valid"), Timestamp::from_seconds(0));
        sample.cpu_percent = Some(f64::NAN);
        sample.load_1 = Some(f64::INFINITY);
        let sample = sample.normalized();
        assert_eq!((sample.cpu_percent, sample.load_1), (None, None));
    }
}
