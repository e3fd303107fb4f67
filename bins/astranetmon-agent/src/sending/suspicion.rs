use super::BATCH_ROWS;

/// Finds the one row at which a server fails, so that it does not hold up all that wait behind it.
///
/// A server that fails at rows and still answers heartbeats may have a fault that only these rows touch. After a few
/// attempts at the whole, windows are halved as long as it fails; a row at which it fails alone is given up.
#[derive(Debug)]
pub(super) struct Suspicion {
    /// At the same window, one behind the other.
    failures: u32,
    /// Rows of the next window at most.
    rows: usize,
    /// One of so many rows that come next is the one; 0 if none is suspected.
    among: usize,
}

/// What to do with a window at which the server failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Send it again later, perhaps a part of it only.
    TryAgain,
    /// It is one row, and the server fails at it for good.
    GiveUp,
}

/// Failures at the same window before it is suspected, and at a row alone before it is given up.
const ATTEMPTS: u32 = 3;

impl Suspicion {
    pub(super) const fn none() -> Self {
        Self { failures: 0, rows: BATCH_ROWS, among: 0 }
    }

    /// How many rows to send at once at most.
    pub(super) const fn rows(&self) -> usize {
        self.rows
    }

    /// The server failed at a window of so many rows, and answered a heartbeat then.
    pub(super) fn failed(&mut self, rows: usize) -> Verdict {
        self.failures += 1;
        if self.failures < ATTEMPTS && (self.among == 0 || rows == 1) {
            return Verdict::TryAgain;
        }
        if rows == 1 {
            return Verdict::GiveUp;
        }
        self.failures = 0;
        self.among = rows;
        self.rows = rows.div_ceil(2);
        Verdict::TryAgain
    }

    /// So many rows were answered for, or given up.
    pub(super) fn settled(&mut self, rows: usize) {
        self.failures = 0;
        self.among = self.among.saturating_sub(rows);
        if self.among == 0 {
            self.rows = BATCH_ROWS;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends `0..waiting` to a server that fails at the rows `bad`; the rows that were given up, and how often it failed.
    fn send_all(waiting: usize, bad: &[usize]) -> (Vec<usize>, u32) {
        let (mut suspicion, mut given_up, mut failures, mut next) = (Suspicion::none(), Vec::new(), 0, 0);
        while next < waiting {
            let window = next..waiting.min(next + suspicion.rows());
            if window.clone().any(|row| bad.contains(&row)) {
                failures += 1;
                if suspicion.failed(window.len()) == Verdict::TryAgain {
                    continue;
                }
                given_up.push(next);
            }
            suspicion.settled(window.len());
            next = window.end;
        }
        (given_up, failures)
    }

    #[test]
    fn only_the_rows_at_which_a_server_fails_are_given_up_after_few_attempts() {
        for (waiting, bad) in [
            (1, vec![0]),
            (2, vec![1]),
            (1_000, vec![0]),
            (1_000, vec![999]),
            (1_000, vec![456]),
            (2_500, vec![1_000]),
            (2_500, vec![7, 8]),
            (2_500, vec![100, 2_499]),
            (2_500, vec![]),
        ] {
            let (given_up, failures) = send_all(waiting, &bad);
            assert_eq!(given_up, bad, "of {waiting}");
            assert!(failures <= 16 * u32::try_from(bad.len()).expect("few"), "{failures} failures at {bad:?}");
        }
    }

    #[test]
    fn a_server_that_failed_for_a_while_gets_whole_windows_again() {
        let mut suspicion = Suspicion::none();
        for _ in 0..ATTEMPTS + 2 {
            assert_eq!(suspicion.failed(suspicion.rows()), Verdict::TryAgain);
        }
        assert!(suspicion.rows() < BATCH_ROWS);
        let mut sent = 0;
        while suspicion.rows() < BATCH_ROWS {
            sent += suspicion.rows();
            suspicion.settled(suspicion.rows());
        }
        assert!(sent <= BATCH_ROWS, "{sent}");
    }
}
