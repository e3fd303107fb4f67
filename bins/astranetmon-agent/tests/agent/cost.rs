use std::time::Duration;

use crate::support::fake_server::FakeServer;

/// The promise is half a percent of a core and 20 MB at an interval of ten seconds, of a release build. A debug build
/// is held to twice of that; it runs with its shortest interval, and a heartbeat that says what it takes.
#[cfg(target_os = "linux")]
#[test]
fn the_agent_takes_little_of_the_machine_that_it_measures() {
    use std::process::{Command, Stdio};

    use crate::support::{row, spool};

    const WAITING: usize = 20_000;

    let (server, folder) = (FakeServer::start(), tempfile::tempdir().expect("folder"));
    let program = env!("CARGO_BIN_EXE_astranetmon-agent");
    let state_dir = folder.path().to_str().expect("text");
    let enrolled = Command::new(program)
        .args(["enroll", "--server", &server.url(), "--token", "astra_enroll_good", "--state-dir", state_dir])
        .output()
        .expect("started");
    assert!(enrolled.status.success());
    let mut waiting = spool(folder.path());
    for number in (0..).take(WAITING) {
        let mut row = row(number);
        row.json.pop();
        // As long as a metric of a machine that knows everything of itself.
        row.json.extend(format!(",\"padding\":\"{}\"}}", "x".repeat(750)).bytes());
        waiting.append(&row).expect("kept");
    }
    drop(waiting);
    let config = folder.path().join("agent.toml");
    std::fs::write(&config, "interval = \"10s\"\njitter = \"0s\"\n").expect("written");
    let mut child = Command::new(program)
        .args(["--state-dir", state_dir, "--config", config.to_str().expect("text")])
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let path = format!("/proc/{}/", child.id());
    let wait = |seconds| {
        #[expect(clippy::disallowed_methods, reason = "the process works meanwhile")]
        std::thread::sleep(Duration::from_secs(seconds));
    };
    // The start, and what had waited, are paid once, so their time is not measured; the memory that they took is.
    for _ in 0..30 {
        wait(1);
        if server.store().rows.len() >= WAITING {
            break;
        }
    }
    let before = processor_seconds(&path);
    wait(25);
    let used = processor_seconds(&path) - before;
    let status = std::fs::read_to_string(format!("{path}status")).expect("it lives");
    child.kill().expect("killed");
    child.wait().expect("gone");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("known").trim();
    let kibibytes: u64 = resident.strip_suffix(" kB").expect("kB").parse().expect("a number");
    let percent = 100.0 * used / 25.0;
    println!("{percent:.2} % of a core, {kibibytes} KiB");
    assert!(server.store().rows.len() >= WAITING + 2, "it measured");
    assert!(used > 0.0, "it worked");
    assert!(percent <= 1.0, "{percent} % of a core");
    assert!(kibibytes * 1024 <= 40_000_000, "{kibibytes} KiB");
}

/// Of all threads that live: the scheduler counts nanoseconds, where `stat` has ticks that short work escapes.
#[cfg(target_os = "linux")]
fn processor_seconds(path: &str) -> f64 {
    let threads = std::fs::read_dir(format!("{path}task")).expect("it lives");
    let nanoseconds = threads.flatten().filter_map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_ascii_whitespace().next()?.parse::<u64>().ok()
    });
    nanoseconds.map(|nanoseconds| Duration::from_nanos(nanoseconds).as_secs_f64()).sum()
}
