//! What the rounds of a trace say together.

use std::net::IpAddr;

use crate::round_trips::RoundTrips;

use super::rounds::{Meaning, Probe, reached_at};

/// A path as far as it was seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Path {
    /// Dense from `ttl` 1.
    pub(super) hops: Vec<PathHop>,
    pub(super) reached: bool,
    /// The router that ended it, and the code of its ICMP message.
    pub(super) ended_by: Option<(IpAddr, u8)>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct PathHop {
    /// Who answered most often; of several, who answered in the earlier round, so that a tie is broken alike in each
    /// trace.
    pub(super) address: Option<IpAddr>,
    /// Answers in all, whoever gave them.
    pub(super) received_count: u32,
    /// Of `address` alone, but with every probe of the hop counted as sent.
    pub(super) trips: RoundTrips,
}

impl Path {
    /// The path ends with the target, or with the router that said that there is no way on. Else it ends with one
    /// silent hop after the last that answered, whatever number of hops was probed beyond.
    pub(super) fn of(rounds: &[Vec<Probe>]) -> Self {
        let probes = || rounds.iter().flatten();
        let answered = |wanted: fn(Meaning) -> bool| {
            probes()
                .filter(move |probe| probe.answer.is_some_and(|answer| wanted(answer.meaning)))
                .map(|probe| probe.ttl)
        };
        let reached = rounds.iter().filter_map(|round| reached_at(round)).min();
        let furthest = answered(|meaning| meaning == Meaning::OnTheWay).max().unwrap_or(0);
        let refused = answered(|meaning| matches!(meaning, Meaning::Unreachable { .. }))
            .min()
            .filter(|&ttl| reached.is_none() && ttl > furthest);
        let probed = probes().map(|probe| probe.ttl).max().unwrap_or(0);
        let last = reached.or(refused).unwrap_or_else(|| furthest.saturating_add(1).min(probed));
        let ended_by = probes().filter(|probe| Some(probe.ttl) == refused).find_map(|probe| {
            let answer = probe.answer?;
            match answer.meaning {
                Meaning::Unreachable { code } => Some((answer.from, code)),
                Meaning::OnTheWay | Meaning::Reached => None,
            }
        });
        Self {
            hops: (1..=last).map(|ttl| PathHop::of(probes().filter(|probe| probe.ttl == ttl))).collect(),
            reached: reached.is_some(),
            ended_by,
        }
    }
}

impl PathHop {
    fn of<'a>(probes: impl Iterator<Item = &'a Probe> + Clone) -> Self {
        let answers = || probes.clone().filter_map(|probe| probe.answer);
        let mut responders: Vec<(IpAddr, usize)> = Vec::new();
        for answer in answers() {
            match responders.iter_mut().find(|(address, _)| *address == answer.from) {
                Some((_, count)) => *count += 1,
                None => responders.push((answer.from, 1)),
            }
        }
        // The first of several greatest: max_by_key gives the last.
        let address = responders.iter().rev().max_by_key(|(_, count)| *count).map(|&(address, _)| address);
        let mut hop = Self { address, ..Self::default() };
        for probe in probes.clone() {
            hop.trips.sent();
            if let Some(answer) = probe.answer {
                hop.received_count += 1;
                if Some(answer.from) == address
                    && let Some(after) = answer.after
                {
                    hop.trips.answered(after);
                }
            }
        }
        hop
    }

    /// `None` if nothing was sent.
    pub(super) fn loss_percent(&self) -> Option<f64> {
        let sent = self.trips.sent_count;
        let lost = sent.saturating_sub(self.received_count);
        (sent > 0).then(|| 100.0 * f64::from(lost) / f64::from(sent))
    }
}

/// What a router means that lets nothing on (RFC 792, RFC 1812, RFC 4443).
pub(super) const fn unreachable_text(address: IpAddr, code: u8) -> &'static str {
    match (address.is_ipv4(), code) {
        (true, 0 | 6 | 11) => "the network is unreachable",
        (true, 9 | 10 | 13) | (false, 1 | 5 | 6) => "it is forbidden to go on",
        (true, 3) | (false, 4) => "the port is unreachable",
        (true, 4) => "the packet is too large",
        (false, 0) => "there is no route",
        _ => "the host is unreachable",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::rounds::Answer;
    use super::*;

    /// `.` is silent, `a` to `e` are routers, `T` is the target, `X` says unreachable; one character a hop.
    fn round(text: &str) -> Vec<Probe> {
        let probe = |(index, letter): (usize, u8)| {
            let meaning = match letter {
                b'T' => Meaning::Reached,
                b'X' => Meaning::Unreachable { code: 1 },
                _ => Meaning::OnTheWay,
            };
            let ttl = u8::try_from(index + 1).expect("few hops");
            let after = Some(Duration::from_millis(u64::from(ttl)));
            let from = IpAddr::from([10, 0, 0, letter]);
            Probe { ttl, answer: (letter != b'.').then_some(Answer { from, after, meaning }) }
        };
        text.bytes().enumerate().map(probe).collect()
    }

    fn letters(path: &Path) -> String {
        let letter = |hop: &PathHop| match hop.address {
            Some(IpAddr::V4(address)) => char::from(address.octets()[3]),
            _ => '.',
        };
        path.hops.iter().map(letter).collect()
    }

    #[test]
    fn a_path_ends_where_the_trace_ended_and_keeps_its_gaps() {
        // (rounds, path, reached, ended by a router)
        for (rounds, expected, reached, ended) in [
            (&["abT", "abT", "abT"] as &[&str], "abT", true, false),
            (&["abTTT", "abT"], "abT", true, false),
            (&["a.T", "a.T"], "a.T", true, false),
            (&["a.T", "abT"], "abT", true, false),
            (&["ab.T", "abT"], "abT", true, false),
            (&["T"], "T", true, false),
            (&["ab......", "ab......"], "ab.", false, false),
            (&["ab"], "ab", false, false),
            (&["........"], ".", false, false),
            (&["abXXXX", "abXXXX"], "abX", false, true),
            (&["aX.X", "abT", "abT"], "abT", true, false),
            (&["aX..", "abc."], "aXc.", false, false),
            (&[""], "", false, false),
            (&[], "", false, false),
            // Several on one hop: who answers most, and of equals the earlier.
            (&["aT", "bT", "bT"], "bT", true, false),
            (&["aT", "bT", "cT"], "aT", true, false),
            (&[".T", "bT", "aT"], "bT", true, false),
        ] {
            let rounds: Vec<_> = rounds.iter().map(|text| round(text)).collect();
            let path = Path::of(&rounds);
            assert_eq!((letters(&path).as_str(), path.reached, path.ended_by.is_some()), (expected, reached, ended));
        }
    }

    #[test]
    fn a_hop_counts_every_answer_but_times_those_of_the_main_responder() {
        let path = Path::of(&[round("aT"), round("b."), round(".T"), round("bT")]);
        let hop = &path.hops[0];
        assert_eq!((hop.trips.sent_count, hop.received_count, hop.trips.received_count()), (4, 3, 2));
        assert_eq!((hop.loss_percent(), hop.trips.avg_ms()), (Some(25.0), Some(1.0)));
        assert_eq!((path.hops[1].loss_percent(), path.hops[1].trips.max_ms()), (Some(25.0), Some(2.0)));
    }
}
