use super::*;

const EXAMPLE: &str = include_str!("../../../../packaging/agent.toml");

/// The example with the marks of its lines taken away: those that show defaults, and those that show examples.
fn uncommented(examples_too: bool) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with([' ', '#']) && !rest.is_empty() => rest.to_owned(),
        Some(rest) if examples_too && rest.starts_with("# ") => rest[2..].to_owned(),
        _ => String::new(),
    };
    EXAMPLE.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_shows_the_defaults() {
    assert_eq!(Settings::parse(EXAMPLE).expect("the file as it is"), Settings::default());
    assert_eq!(Settings::parse("").expect("an empty file"), Settings::default());
    let settings = Settings::parse(&uncommented(false)).expect("without the marks");
    assert_eq!(settings, Settings::default());
}

#[test]
fn the_example_documents_every_key() {
    let text = uncommented(true);
    Settings::parse(&text).expect("every line is understood");
    let table: toml::Table = text.parse().expect("TOML");
    let mut shown: Vec<String> = Vec::new();
    for (key, value) in &table {
        match value.as_table() {
            Some(section) => shown.extend(section.keys().map(|name| format!("{key}.{name}"))),
            None => shown.push(key.clone()),
        }
    }
    shown.sort();
    assert_eq!(
        shown,
        [
            "insecure_http",
            "interval",
            "jitter",
            "latency.probes",
            "latency.targets",
            "latency.tcp_port",
            "latency.timeout",
            "log_format",
            "log_level",
            "server",
            "speedtest.duration",
            "speedtest.interval",
            "speedtest.server",
            "speedtest.streams",
            "spool.max_bytes",
            "state_dir",
            "tls.ca_file",
            "traceroute.as_table",
            "traceroute.interval",
            "traceroute.max_hops",
            "traceroute.probes",
            "traceroute.protocol",
            "traceroute.reverse_names",
            "traceroute.targets",
        ]
    );
    // A key that is asked for and not shown would be in the list of known ones.
    for (section, count) in [("", 12), ("tls", 1), ("latency", 4), ("traceroute", 7), ("speedtest", 4), ("spool", 1)] {
        let heading = if section.is_empty() { String::new() } else { format!("[{section}]\n") };
        let refused = Settings::parse(&format!("{heading}something_quite_different = 1")).expect_err("unknown");
        let known = refused.to_string().split("known are ").nth(1).expect("a list").split(", ").count();
        assert_eq!(known, count, "{refused}");
    }
}

#[test]
fn what_is_set_is_read() {
    let text = r#"
        server = "http://127.0.0.1:8080/"
        interval = "10s"
        jitter = "0s"
        log_level = "debug"
        log_format = "json"
        [latency]
        targets = ["192.0.2.1", "example.com", "fe80::1%eth0"]
        [traceroute]
        protocol = "udp"
        [speedtest]
        server = "own"
        [spool]
        max_bytes = 1048576
    "#;
    let settings = Settings::parse(text).expect("good");
    assert_eq!(settings.server.as_ref().map(ToString::to_string).as_deref(), Some("http://127.0.0.1:8080"));
    assert_eq!((settings.interval, settings.jitter), (Duration::from_secs(10), Duration::ZERO));
    assert_eq!((settings.log_level, settings.log_format), (Level::DEBUG, LogFormat::Json));
    assert_eq!(settings.latency.targets.len(), 3);
    assert_eq!(settings.traceroute.protocol, TracerouteProtocol::Udp);
    assert_eq!(settings.speedtest.server, Some(SpeedtestServer::Own));
    assert_eq!(settings.spool.max_bytes, 1 << 20);
}

#[test]
fn what_is_wrong_is_said_in_one_sentence() {
    let long_list = format!("[latency]\ntargets = [{}]", "\"a\",".repeat(17));
    for (text, sentence) in [
        ("intervall = \"10s\"", "intervall is no setting, did you mean interval?"),
        ("[latency]\ntarget = []", "latency.target is no setting, did you mean latency.targets?"),
        ("[traceroute]\nmaxhops = 3", "traceroute.maxhops is no setting, did you mean traceroute.max_hops?"),
        ("[tls]\ncertificate = \"x\"", "tls.certificate is no setting; known are tls.ca_file"),
        ("interval = 10", "interval = 10 must be a whole number and one of ms, s, m, h, d, such as \"1m\""),
        ("interval = \"10\"", "interval = \"10\" must be a whole number and one of ms, s, m, h, d, such as \"1m\""),
        ("interval = \"1.5m\"", "interval = \"1.5m\" must be a whole number and one of ms, s, m, h, d, such as \"1m\""),
        ("interval = \"1s\"", "interval = \"1s\" must be from 10s to 1d, such as \"1m\""),
        ("interval = \"25h\"", "interval = \"25h\" must be from 10s to 1d, such as \"1m\""),
        (
            "interval = \"99999999999999999999d\"",
            "interval = \"99999999999999999999d\" must be a whole number and one of ms, s, m, h, d, such as \"1m\"",
        ),
        ("jitter = \"61s\"", "jitter must not be longer than interval, such as \"5s\" of \"60s\""),
        ("server = 1", "server = 1 must be a URL, such as \"https://monitor.example.com\""),
        ("server = \" \"", "server = \" \" must be a URL, such as \"https://monitor.example.com\""),
        (
            "server = \"monitor\"",
            "the server monitor must be an http or https URL, such as https://monitor.example.com",
        ),
        ("insecure_http = \"yes\"", "insecure_http = \"yes\" must be true or false"),
        ("state_dir = []", "state_dir = [] must be a path, such as \"/var/lib/astranetmon-agent\""),
        ("log_level = \"loud\"", "log_level = \"loud\" must be one of error, warn, info, debug, trace"),
        ("log_level = \"2\"", "log_level = \"2\" must be one of error, warn, info, debug, trace"),
        ("log_format = \"xml\"", "log_format = \"xml\" must be text or json"),
        ("latency = 1", "latency = 1 must be a section, [latency]"),
        (
            "[latency]\ntargets = \"a\"",
            "latency.targets = \"a\" must be a list of at most 16 names or addresses, such as [\"192.0.2.1\", \"example.com\"]",
        ),
        (
            "[latency]\ntargets = [\"a b\"]",
            "latency.targets = [\"a b\"] must be a list of at most 16 names or addresses, such as [\"192.0.2.1\", \"example.com\"]",
        ),
        (
            "[latency]\ntargets = [\"-I\"]",
            "latency.targets = [\"-I\"] must be a list of at most 16 names or addresses, such as [\"192.0.2.1\", \"example.com\"]",
        ),
        (
            &long_list,
            "latency.targets = […] with 17 elements must be a list of at most 16 names or addresses, such as [\"192.0.2.1\", \"example.com\"]",
        ),
        ("[latency]\nprobes = 0", "latency.probes = 0 must be a whole number from 1 to 50, such as 5"),
        ("[latency]\nprobes = -1", "latency.probes = -1 must be a whole number from 1 to 50, such as 5"),
        ("[latency]\ntcp_port = 65536", "latency.tcp_port = 65536 must be a whole number from 1 to 65535, such as 443"),
        (
            "interval = \"10s\"\n[latency]\ntargets = [\"a\"]\nprobes = 11",
            "latency.probes times latency.timeout must not be longer than interval, such as 5 of \"1s\" in \"10s\"",
        ),
        ("[traceroute]\nprotocol = \"sctp\"", "traceroute.protocol = \"sctp\" must be one of icmp, udp, tcp"),
        ("[traceroute]\nmax_hops = 65", "traceroute.max_hops = 65 must be a whole number from 1 to 64, such as 30"),
        ("[traceroute]\nreverse_names = 1", "traceroute.reverse_names = 1 must be true or false"),
        ("[traceroute]\ninterval = \"1s\"", "traceroute.interval = \"1s\" must be from 1m to 1d, such as \"15m\""),
        (
            "[speedtest]\nserver = \"fast\"",
            "speedtest.server = \"fast\" must be \"own\" or the URL of a LibreSpeed server, such as \"https://speed.example.com\"",
        ),
        ("[speedtest]\nduration = \"1h\"", "speedtest.duration = \"1h\" must be from 1s to 1m, such as \"10s\""),
        (
            "[spool]\nmax_bytes = 10",
            "spool.max_bytes = 10 must be a whole number from 1048576 to 1099511627776, such as 104857600",
        ),
        (
            "[spool]\nmax_bytes = \"1MB\"",
            "spool.max_bytes = \"1MB\" must be a whole number from 1048576 to 1099511627776, such as 104857600",
        ),
        (
            "interval = \"10s\"\ninterval = \"20s\"",
            "line 2 is no TOML: duplicate key; a line reads for example interval = \"60s\"",
        ),
        (
            "\n\ninterval 10s",
            "line 3 is no TOML: key with no value, expected `=`; a line reads for example interval = \"60s\"",
        ),
    ] {
        assert_eq!(Settings::parse(text).expect_err(text).to_string(), sentence, "{text}");
    }
}

#[test]
fn a_file_that_is_named_must_be_there_and_is_named_in_what_is_wrong_with_it() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("agent.toml");
    let missing = Settings::load(Some(&path)).expect_err("missing").to_string();
    assert!(missing.starts_with(&format!("the configuration {} cannot be read: ", path.display())), "{missing}");
    fs::write(&path, "intervall = 1").expect("written");
    let wrong = Settings::load(Some(&path)).expect_err("wrong").to_string();
    assert_eq!(wrong, format!("{}: intervall is no setting, did you mean interval?", path.display()));
}
