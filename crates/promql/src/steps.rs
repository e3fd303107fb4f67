/// The moments at which an expression is evaluated: equally far apart, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    start: i64,
    step: i64,
    count: usize,
    /// Where the range ends, which may be behind the last moment.
    end: i64,
}

impl Steps {
    /// One moment.
    #[must_use]
    pub const fn once(at: i64) -> Self {
        Self { start: at, step: 1, count: 1, end: at }
    }

    /// From `start` on, every `step` milliseconds, up to and with `end`; `None` if the step is not positive or the end
    /// is before the start.
    #[must_use]
    pub fn every(step: i64, start: i64, end: i64) -> Option<Self> {
        if step <= 0 || end < start {
            return None;
        }
        let count = usize::try_from(end.checked_sub(start)? / step).ok()?.checked_add(1)?;
        Some(Self { start, step, count, end })
    }

    /// The moments that are whole multiples of `step`, behind `start`, up to and with `end`; there may be none.
    pub(crate) fn aligned(step: i64, start: i64, end: i64) -> Self {
        let first = (start.div_euclid(step) + 1) * step;
        Self::every(step, first, end).unwrap_or(Self { start: first, step, count: 0, end })
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// The first one.
    #[must_use]
    pub const fn first(&self) -> i64 {
        self.start
    }

    /// The last one; before the first if there is none.
    #[must_use]
    pub const fn last(&self) -> i64 {
        self.start + self.step * (self.count as i64 - 1)
    }

    /// Where the range ends that they were made of.
    #[must_use]
    pub const fn end(&self) -> i64 {
        self.end
    }

    /// How far they are apart.
    #[must_use]
    pub const fn step(&self) -> i64 {
        self.step
    }

    /// All of them.
    pub fn times(&self) -> impl Iterator<Item = i64> + use<> {
        let Self { start, step, .. } = *self;
        (0..self.count as i64).map(move |place| start + place * step)
    }

    /// Whether one of them lies at `from` or behind it, and before `until`.
    pub(crate) const fn touch(&self, from: i64, until: i64) -> bool {
        if until <= self.start || from > self.last() {
            return false;
        }
        if from <= self.start {
            return true;
        }
        let next = self.start + (from - self.start).div_euclid(self.step) * self.step;
        let next = if next < from { next + self.step } else { next };
        next < until && next <= self.last()
    }

    /// The same moments, earlier by so much.
    pub(crate) const fn earlier(&self, by: i64) -> Self {
        Self { start: self.start - by, step: self.step, count: self.count, end: self.end - by }
    }
}
