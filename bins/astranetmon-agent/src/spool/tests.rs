use super::*;

/// Rows are told apart by a number inside.
fn row(number: u64) -> Row {
    Row {
        kind: RowKind::ALL[usize::try_from(number % 3).expect("small")],
        timestamp: Timestamp::from_seconds(i64::try_from(number).expect("small")),
        json: format!("{{\"number\":{number}}}").into_bytes(),
    }
}

fn number(row: &Row) -> u64 {
    let text = std::str::from_utf8(&row.json).expect("text");
    text.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect("a number")
}

const WIDE: SpoolBounds = SpoolBounds { max_bytes: 1 << 20, segment_bytes: 1 << 16 };
/// A frame of one of these rows has 42 to 44 bytes, so that a segment takes three rows.
const NARROW: SpoolBounds = SpoolBounds { max_bytes: 1 << 20, segment_bytes: 100 };

fn open(folder: &Path, bounds: SpoolBounds) -> Spool {
    Spool::open(folder, bounds).expect("opened")
}

fn fill(spool: &mut Spool, numbers: std::ops::Range<u64>) {
    for number in numbers {
        spool.append(&row(number)).expect("appended");
    }
}

/// Takes everything out, `max_rows` at a time.
fn drain(spool: &mut Spool, max_rows: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(window) = spool.window(max_rows, 1 << 20).expect("readable") {
        assert!((1..=max_rows).contains(&window.rows.len()));
        numbers.extend(window.rows.iter().map(number));
        spool.settle(&window, 0).expect("settled");
    }
    assert_eq!(spool.counts().waiting, 0);
    numbers
}

fn segment_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("readable").map(|entry| entry.expect("entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|suffix| suffix == "rows"));
    files.sort();
    files
}

#[test]
fn rows_come_out_in_order_whatever_the_size_of_windows_and_segments() {
    for bounds in [WIDE, NARROW] {
        for max_rows in [1, 2, 7, 1_000] {
            let folder = tempfile::tempdir().expect("folder");
            let mut spool = open(folder.path(), bounds);
            fill(&mut spool, 0..50);
            assert_eq!(spool.counts().waiting, 50);
            assert_eq!(spool.oldest_timestamp().expect("readable"), Some(Timestamp::from_seconds(0)));
            assert_eq!(drain(&mut spool, max_rows), (0..50).collect::<Vec<_>>());
            assert_eq!(spool.oldest_timestamp().expect("readable"), None);
            fill(&mut spool, 50..60);
            assert_eq!(drain(&mut spool, max_rows), (50..60).collect::<Vec<_>>());
            assert_eq!(spool.counts(), SpoolCounts { settled: 60, ..SpoolCounts::default() });
            assert_eq!(segment_files(folder.path()).len(), 1, "only the one that is appended to is left");
        }
    }
}

#[test]
fn a_window_is_bounded_in_bytes_but_has_a_row() {
    let folder = tempfile::tempdir().expect("folder");
    let mut spool = open(folder.path(), WIDE);
    fill(&mut spool, 0..5);
    for (max_bytes, rows) in [(0, 1), (11, 1), (24, 2), (36, 3), (10_000, 5)] {
        assert_eq!(spool.window(100, max_bytes).expect("readable").expect("rows").rows.len(), rows, "{max_bytes}");
    }
}

#[test]
fn what_is_not_settled_is_there_after_a_restart_and_what_is_settled_is_not() {
    for bounds in [WIDE, NARROW] {
        let folder = tempfile::tempdir().expect("folder");
        let mut received = Vec::new();
        for round in 0..20 {
            let mut spool = open(folder.path(), bounds);
            fill(&mut spool, round * 5..round * 5 + 5);
            // Three rows a round leave, so that the spool grows.
            for _ in 0..3 {
                let window = spool.window(1, 1_000).expect("readable").expect("a row");
                received.extend(window.rows.iter().map(number));
                spool.settle(&window, 0).expect("settled");
            }
            assert_eq!(spool.counts().waiting, (round + 1) * 2);
        }
        received.extend(drain(&mut open(folder.path(), bounds), 10));
        assert_eq!(received, (0..100).collect::<Vec<_>>());
        assert_eq!(open(folder.path(), bounds).counts(), SpoolCounts { settled: 100, ..SpoolCounts::default() });
    }
}

#[test]
fn one_process_has_a_spool() {
    let folder = tempfile::tempdir().expect("folder");
    let first = open(folder.path(), WIDE);
    let second = Spool::open(folder.path(), WIDE).expect_err("in use");
    assert!(matches!(second, OpenError::InUse(_)), "{second}");
    drop(first);
    open(folder.path(), WIDE);
}

#[test]
fn beyond_its_bound_the_oldest_rows_go_and_are_counted_also_over_restarts() {
    let folder = tempfile::tempdir().expect("folder");
    let bounds = SpoolBounds { max_bytes: 1_000, segment_bytes: 100 };
    let mut next = 0;
    for round in 1..=10 {
        let mut spool = open(folder.path(), bounds);
        fill(&mut spool, next..next + 17);
        next += 17;
        let counts = spool.counts();
        assert_eq!(counts.waiting + counts.dropped, next, "round {round}");
        assert!(spool.bytes() <= bounds.max_bytes);
        let on_disk: u64 =
            segment_files(folder.path()).iter().map(|path| fs::metadata(path).expect("file").len()).sum();
        assert_eq!(on_disk, spool.bytes());
    }
    let mut spool = open(folder.path(), bounds);
    let dropped = spool.counts().dropped;
    assert!(dropped > 100, "{dropped}");
    assert_eq!(drain(&mut spool, 4), (dropped..next).collect::<Vec<_>>());
    assert_eq!(spool.counts().dropped, dropped);
}

#[test]
fn rows_that_were_dropped_on_their_way_and_arrived_are_not_counted() {
    let folder = tempfile::tempdir().expect("folder");
    let mut spool = open(folder.path(), SpoolBounds { max_bytes: 300, segment_bytes: 100 });
    fill(&mut spool, 0..3);
    let window = spool.window(3, 1_000).expect("readable").expect("rows");
    fill(&mut spool, 3..20);
    let before = spool.counts();
    assert_eq!(before.waiting + before.dropped, 20);
    spool.settle(&window, 1).expect("settled");
    let after = spool.counts();
    assert_eq!((after.waiting, after.dropped, after.refused), (before.waiting, before.dropped - 3, 1));
    let rest = drain(&mut spool, 100);
    assert_eq!(rest.len() as u64 + after.dropped + 3, 20);
}

#[test]
fn a_row_without_any_room_is_counted() {
    let folder = tempfile::tempdir().expect("folder");
    let mut spool = open(folder.path(), SpoolBounds { max_bytes: 60, segment_bytes: 30 });
    spool.append(&Row { json: vec![b'x'; 100], ..row(0) }).expect_err("too long");
    spool.append(&Row { json: vec![b'x'; MAX_ROW_BYTES + 1], ..row(0) }).expect_err("too long");
    fill(&mut spool, 1..3);
    assert_eq!(spool.counts(), SpoolCounts { waiting: 1, dropped: 3, settled: 1, ..SpoolCounts::default() });
}

/// A spool with closed segments of three rows and an open one, settled up to the first row.
fn small_spool(folder: &Path) -> u64 {
    let mut spool = open(folder, NARROW);
    fill(&mut spool, 0..8);
    let window = spool.window(1, 0).expect("readable").expect("a row");
    spool.settle(&window, 0).expect("settled");
    8
}

/// Opens what is left, twice, and gives what comes out and what is counted.
fn what_is_left(folder: &Path) -> (Vec<u64>, SpoolCounts) {
    drop(open(folder, NARROW));
    let mut spool = open(folder, NARROW);
    let before = spool.counts().waiting;
    let rows = drain(&mut spool, 3);
    assert_eq!(rows.len() as u64, before, "the count of what waits is true");
    spool.append(&row(99)).expect("it goes on");
    assert_eq!(drain(&mut spool, 3), [99]);
    (rows, spool.counts())
}

#[test]
fn a_changed_byte_loses_one_row_and_counts_it() {
    let original = tempfile::tempdir().expect("folder");
    let rows = small_spool(original.path());
    for file in segment_files(original.path()) {
        let bytes = fs::read(&file).expect("readable");
        for at in 0..bytes.len() {
            let folder = tempfile::tempdir().expect("folder");
            copy(original.path(), folder.path());
            let mut changed = bytes.clone();
            changed[at] ^= 0x41;
            fs::write(folder.path().join(file.file_name().expect("name")), changed).expect("written");
            let (left, counts) = what_is_left(folder.path());
            // The first row is settled: its damage costs nothing.
            let lost: Vec<u64> = (1..rows).filter(|number| !left.contains(number)).collect();
            assert!(lost.len() <= 1, "byte {at} of {file:?} lost {lost:?}");
            assert_eq!(counts.dropped, lost.len() as u64, "byte {at} of {file:?} lost {lost:?}");
            assert_eq!(counts.damaged, counts.dropped);
            assert!(left.is_sorted());
        }
    }
}

#[test]
fn a_file_cut_anywhere_keeps_what_is_before_the_cut() {
    let original = tempfile::tempdir().expect("folder");
    let rows = small_spool(original.path());
    let files = segment_files(original.path());
    for (index, file) in files.iter().enumerate() {
        let bytes = fs::read(file).expect("readable");
        let is_newest = index + 1 == files.len();
        for length in 0..bytes.len() {
            let folder = tempfile::tempdir().expect("folder");
            copy(original.path(), folder.path());
            fs::write(folder.path().join(file.file_name().expect("name")), &bytes[..length]).expect("written");
            let (left, counts) = what_is_left(folder.path());
            let lost = (1..rows).filter(|number| !left.contains(number)).count() as u64;
            if is_newest {
                // How many rows followed a torn one, nothing tells.
                let (mut whole, mut at) = (0, 0);
                while let Some(frame) = next_frame(&bytes[..length], at) {
                    (whole, at) = (whole + 1, frame.end);
                }
                assert_eq!(left, (1..6 + whole).collect::<Vec<_>>(), "{length} bytes left of {file:?}");
                assert_eq!(counts.dropped, u64::from(at < length), "{length} bytes left of {file:?}");
            } else {
                assert_eq!(counts.dropped, lost, "{length} bytes left of {file:?}");
            }
        }
    }
}

#[test]
fn a_lost_state_sends_again_and_loses_nothing() {
    let folder = tempfile::tempdir().expect("folder");
    let rows = small_spool(folder.path());
    fs::write(folder.path().join("state"), "").expect("written");
    assert_eq!(what_is_left(folder.path()).0, (0..rows).collect::<Vec<_>>());
}

#[test]
fn a_segment_that_vanishes_under_an_open_spool_is_counted() {
    let folder = tempfile::tempdir().expect("folder");
    let mut spool = open(folder.path(), NARROW);
    fill(&mut spool, 0..8);
    fs::write(&segment_files(folder.path())[1], "").expect("written");
    assert_eq!(drain(&mut spool, 100), [0, 1, 2, 6, 7]);
    assert_eq!(spool.counts().damaged, 3);
}

#[test]
fn files_are_for_their_owner() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("state").join("spool");
    let mut spool = open(&path, NARROW);
    fill(&mut spool, 0..2);
    #[cfg(unix)]
    for (path, mode) in [(path.clone(), 0o700), (segment_files(&path)[0].clone(), 0o600)] {
        let found = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).expect("there").permissions());
        assert_eq!(found & 0o777, mode, "{path:?}");
    }
    spool.flush().expect("a descriptor").expect("something to do").run().expect("durable");
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("readable") {
        let entry = entry.expect("entry");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}
