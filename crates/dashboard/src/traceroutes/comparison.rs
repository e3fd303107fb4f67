//! Two traces of one path, hop by hop.

use astranetmon_domain::Hop;

/// What became of a hop since the trace before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// There is no trace before.
    Unknown,
    /// It answers, or is silent, as before.
    Same,
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Another address answers in its place.
    Changed,
}

impl Change {
    /// The word for it; empty for what nobody need look at.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Unknown | Self::Same => "",
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }

    /// The class of its badge.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Unknown | Self::Same => "",
            Self::Added => "ok",
            Self::Removed => "bad",
            Self::Changed => "warn",
        }
    }
}

/// A row of the comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ComparedHop<'a> {
    pub(crate) change: Change,
    /// The hop now; of a removed one, as it was.
    pub(crate) hop: &'a Hop,
    /// Of a changed one, as it was.
    pub(crate) before: Option<&'a Hop>,
}

/// The hops of a trace against those of the one before, in the order of the path; what is gone stands where it was.
/// Hops are alike if the same address answers, or none.
pub(crate) fn compare<'a>(now: &'a [Hop], before: Option<&'a [Hop]>) -> Vec<ComparedHop<'a>> {
    let Some(before) = before else {
        return now.iter().map(|hop| ComparedHop { change: Change::Unknown, hop, before: None }).collect();
    };
    let mut rows = Vec::with_capacity(now.len());
    let (mut taken, mut taken_before) = (0, 0);
    for (index, index_before) in alike(now, before) {
        push_differing(&mut rows, &now[taken..index], &before[taken_before..index_before]);
        rows.push(ComparedHop { change: Change::Same, hop: &now[index], before: None });
        (taken, taken_before) = (index + 1, index_before + 1);
    }
    push_differing(&mut rows, &now[taken..], &before[taken_before..]);
    rows
}

/// A stretch without equal hops: those that stand opposite each other changed, the rest came or went.
fn push_differing<'a>(rows: &mut Vec<ComparedHop<'a>>, now: &'a [Hop], before: &'a [Hop]) {
    let both = now.len().min(before.len());
    rows.extend(now.iter().zip(before).map(|(hop, old)| ComparedHop {
        change: Change::Changed,
        hop,
        before: Some(old),
    }));
    rows.extend(now[both..].iter().map(|hop| ComparedHop { change: Change::Added, hop, before: None }));
    rows.extend(before[both..].iter().map(|hop| ComparedHop { change: Change::Removed, hop, before: None }));
}

/// The longest sequence of hops that both have, as pairs of indexes. Traces have at most
/// [`MAX_HOPS`](astranetmon_domain::Traceroute::MAX_HOPS), so the table of lengths is small.
fn alike(now: &[Hop], before: &[Hop]) -> Vec<(usize, usize)> {
    let width = before.len() + 1;
    let mut lengths = vec![0_u16; (now.len() + 1) * width];
    for (i, hop) in now.iter().enumerate().rev() {
        for (j, old) in before.iter().enumerate().rev() {
            lengths[i * width + j] = if hop.ip == old.ip {
                lengths[(i + 1) * width + j + 1] + 1
            } else {
                lengths[(i + 1) * width + j].max(lengths[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut pairs = Vec::new();
    while let (Some(hop), Some(old)) = (now.get(i), before.get(j)) {
        if hop.ip == old.ip {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if lengths[(i + 1) * width + j] >= lengths[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A letter a hop, a dot for a silent one.
    fn path(letters: &str) -> Vec<Hop> {
        let hop = |(letter, ttl): (char, u8)| Hop {
            ttl,
            ip: (letter != '.').then(|| letter.to_string()),
            hostname: None,
            asn: None,
            as_name: None,
            rtt_min_ms: None,
            rtt_avg_ms: None,
            rtt_max_ms: None,
            sent_count: 3,
            received_count: 3,
            packet_loss_percent: None,
        };
        letters.chars().zip(1..).map(hop).collect()
    }

    #[test]
    fn hops_are_the_same_changed_added_or_removed() {
        for (before, now, expected) in [
            ("abc", "abc", "=a =b =c"),
            ("abc", "axc", "=a b>x =c"),
            ("abc", "abxc", "=a =b +x =c"),
            ("abxc", "abc", "=a =b -x =c"),
            ("abcde", "axye", "=a b>x c>y -d =e"),
            ("ade", "axyze", "=a d>x +y +z =e"),
            ("a.c", "a.c", "=a =. =c"),
            ("a.c", "abc", "=a .>b =c"),
            ("", "ab", "+a +b"),
            ("ab", "", "-a -b"),
            ("", "", ""),
        ] {
            let (before, now) = (path(before), path(now));
            let name = |hop: &Hop| hop.ip.clone().unwrap_or_else(|| ".".to_owned());
            let told: Vec<_> = compare(&now, Some(&before))
                .iter()
                .map(|row| match row.change {
                    Change::Changed => format!("{}>{}", row.before.map_or_else(String::new, name), name(row.hop)),
                    Change::Same => format!("={}", name(row.hop)),
                    Change::Added => format!("+{}", name(row.hop)),
                    Change::Removed => format!("-{}", name(row.hop)),
                    Change::Unknown => "?".to_owned(),
                })
                .collect();
            assert_eq!(told.join(" "), expected);
        }
        assert!(compare(&path("ab"), None).iter().all(|row| row.change == Change::Unknown));
    }
}
