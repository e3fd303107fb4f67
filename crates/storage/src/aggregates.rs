//! Pages of metrics that are put together, whichever database they come from.

use std::collections::BTreeMap;
use std::sync::Arc;

use astranetmon_domain::{Order, PageRequest, Timestamp};

use crate::figures::{Figures, Wanted};
use crate::repository::{
    AggregatePage, AggregatePosition, AggregateQuery, AggregateRow, GroupName, Grouping, TimeAxis,
};

/// Figures that are held at once: an interval, a group and a field each.
const MOST_CELLS: usize = 1 << 20;

/// Agents whose samples are put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    name: GroupName,
    /// By id.
    pub(crate) agents: Vec<String>,
}

/// The groups of agents, given by id with their labels as they are stored.
pub(crate) fn groups(grouping: &Grouping, agents: Vec<(String, String)>) -> Vec<Group> {
    let mut groups: BTreeMap<(bool, GroupName), Vec<String>> = BTreeMap::new();
    for (id, labels) in agents {
        let name: GroupName = match grouping {
            Grouping::Agent => Some(Arc::from(id.as_str())),
            Grouping::Nothing => None,
            Grouping::Label(label) => serde_json::from_str::<BTreeMap<String, String>>(&labels)
                .ok()
                .and_then(|labels| labels.get(label).map(|value| Arc::from(value.as_str()))),
        };
        groups.entry((name.is_none(), name)).or_default().push(id);
    }
    let in_order = |((_, name), mut agents): (_, Vec<String>)| {
        agents.sort_unstable();
        Group { name, agents }
    };
    groups.into_iter().map(in_order).collect()
}

/// A page in the making.
pub(crate) struct AggregateMerge<'a> {
    query: &'a AggregateQuery,
    axis: TimeAxis,
    wanted: Wanted,
    /// The place of each column's field among those that are wanted.
    places: Vec<usize>,
    after: Option<&'a AggregatePosition>,
    order: Order,
    limit: usize,
    /// The first rows behind `after`, one more than the page holds, in its order.
    first: Vec<AggregateRow>,
    total: u64,
}

impl<'a> AggregateMerge<'a> {
    pub(crate) fn new(query: &'a AggregateQuery, page: &'a PageRequest<AggregatePosition, 10_000>) -> Self {
        let wanted = Wanted::of_columns(query.columns());
        Self {
            query,
            axis: query.axis(),
            places: query.columns().iter().map(|column| wanted.place_of(column.field)).collect(),
            wanted,
            after: page.after.as_ref(),
            order: page.order,
            limit: page.limit.rows() as usize,
            first: Vec::new(),
            total: 0,
        }
    }

    /// How many groups are put together at once.
    pub(crate) fn groups_at_once(&self) -> usize {
        if self.wanted.needs_values() {
            return 1;
        }
        (MOST_CELLS / (self.axis.intervals * self.wanted.fields()).max(1)).max(1)
    }

    /// Where samples of some groups are to be pushed.
    pub(crate) fn figures(&self, groups: usize) -> Figures {
        Figures::new(self.axis, self.wanted.clone(), groups)
    }

    pub(crate) const fn axis(&self) -> TimeAxis {
        self.axis
    }

    /// Whether summaries say too little.
    pub(crate) const fn needs_samples(&self) -> bool {
        self.wanted.needs_samples()
    }

    /// Takes the figures of some groups, which come by name.
    pub(crate) fn take(&mut self, groups: &[Group], mut figures: Figures) {
        let mut rows: Vec<AggregateRow> = Vec::new();
        let (intervals, count) = (self.axis.intervals, groups.len());
        for cell in 0..intervals * count {
            let (interval, group) = (cell / count, cell % count);
            let (interval, group) = match self.order {
                Order::NewestFirst => (intervals - 1 - interval, group),
                Order::OldestFirst => (interval, count - 1 - group),
            };
            let sample_count = figures.sample_count(group, interval);
            if sample_count == 0 && !self.query.has_empty_intervals() {
                continue;
            }
            self.total += 1;
            if rows.len() > self.limit {
                continue;
            }
            let start = Timestamp::from_micros(self.axis.start_of(interval));
            let position = AggregatePosition { start, group: groups[group].name.clone() };
            if self.after.is_some_and(|after| !self.is_behind(&position, after)) {
                continue;
            }
            let columns = self.query.columns().iter().zip(&self.places);
            let values = columns.map(|(column, place)| figures.figure(group, interval, *place, *column)).collect();
            rows.push(AggregateRow { position, sample_count, values });
        }
        self.first = if self.first.is_empty() { rows } else { self.merged(rows) };
    }

    fn is_behind(&self, one: &AggregatePosition, other: &AggregatePosition) -> bool {
        match self.order {
            Order::NewestFirst => one > other,
            Order::OldestFirst => one < other,
        }
    }

    /// The first of those that are there and of others.
    fn merged(&mut self, others: Vec<AggregateRow>) -> Vec<AggregateRow> {
        let mut all = std::mem::take(&mut self.first);
        all.extend(others);
        all.sort_by(|one, other| match self.order {
            Order::NewestFirst => one.position.cmp(&other.position),
            Order::OldestFirst => other.position.cmp(&one.position),
        });
        all.truncate(self.limit + 1);
        all
    }

    pub(crate) fn finish(mut self) -> AggregatePage {
        let more = self.first.len() > self.limit;
        self.first.truncate(self.limit);
        AggregatePage { rows: self.first, total: self.total, more }
    }
}
