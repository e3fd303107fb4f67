use std::fs;
use std::path::Path;
use std::process::Command;

const UNIT: &str = include_str!("../../../../packaging/systemd/astranetmon-agent.service");

#[test]
fn systemd_understands_the_unit() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("astranetmon-agent.service");
    // The program need not be installed where the test runs.
    let unit = UNIT.replace("ExecStart=astranetmon-agent run", "ExecStart=/bin/true run");
    assert_ne!(unit, UNIT);
    fs::write(&path, unit).expect("written");
    let Ok(output) = Command::new("systemd-analyze").arg("verify").arg("--man=no").arg(&path).output() else {
        eprintln!("systemd is not installed here");
        return;
    };
    let complaints = String::from_utf8(output.stderr).expect("text");
    let ours: Vec<&str> = complaints.lines().filter(|line| line.contains("astranetmon-agent")).collect();
    assert!(output.status.success() && ours.is_empty(), "{complaints}");
}

#[test]
fn the_unit_keeps_its_state_where_the_agent_looks_for_it() {
    let value = |key: &str| UNIT.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).expect("there");
    let state_dir = Path::new(astranetmon_agent::configuration::DEFAULT_STATE_DIR);
    assert_eq!(Path::new("/var/lib").join(value("StateDirectory")), state_dir);
    assert_eq!(value("AmbientCapabilities"), "CAP_NET_RAW");
    assert_eq!(value("CapabilityBoundingSet"), "CAP_NET_RAW");
}
