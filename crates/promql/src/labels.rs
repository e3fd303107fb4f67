use std::fmt;
use std::sync::Arc;

/// The label that carries a metric's name.
pub const METRIC_NAME: &str = "__name__";

/// Names and values that tell a series from others: each name once, in the order of names; a label with an empty value
/// is as good as none.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Vec<(Arc<str>, Arc<str>)>);

impl Labels {
    /// The value of a label; empty if there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.place(name).map_or("", |place| &self.0[place].1)
    }

    /// Sets a label, or takes it away if the value is empty.
    pub fn set(&mut self, name: &str, value: &str) {
        match (self.place(name), value.is_empty()) {
            (Ok(place), true) => _ = self.0.remove(place),
            (Ok(place), false) => self.0[place].1 = value.into(),
            (Err(_), true) => {}
            (Err(place), false) => self.0.insert(place, (name.into(), value.into())),
        }
    }

    /// Names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Whether there is no label.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn without_name(mut self) -> Self {
        self.set(METRIC_NAME, "");
        self
    }

    /// Those labels alone.
    pub(crate) fn only(&self, names: &[String]) -> Self {
        Self(self.0.iter().filter(|(name, _)| names.iter().any(|one| **one == **name)).cloned().collect())
    }

    /// All but those labels.
    pub(crate) fn without(&self, names: &[String]) -> Self {
        Self(self.0.iter().filter(|(name, _)| names.iter().all(|one| **one != **name)).cloned().collect())
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| (**known).cmp(name))
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut labels = Self::default();
        for (name, value) in pairs {
            labels.set(name.as_ref(), value.as_ref());
        }
        labels
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
