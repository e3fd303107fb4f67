use std::fs;

use super::*;

/// Layers of a file's text, variables and flags.
struct Case {
    folder: tempfile::TempDir,
    layers: Layers,
}

fn case(file: &str, variables: &[(&str, &str)], flags: &[(&'static str, &'static str, &str)]) -> Case {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("astranetmon.toml");
    fs::write(&path, file).expect("written");
    let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let flags = flags.iter().map(|&(flag, name, text)| Flag { flag, name, text: text.to_owned() }).collect();
    Case { folder, layers: Layers { flags, environment, file: Some(path) } }
}

impl Case {
    fn read(&self) -> Result<Configuration, String> {
        self.layers.read().map_err(|failure| {
            assert!(matches!(failure, Failure::Usage(_)), "{failure:?}");
            let sentence = failure.to_string();
            assert!(!sentence.contains('\n'), "{sentence}");
            sentence.replace(&self.folder.path().display().to_string(), "FOLDER")
        })
    }

    fn settings(&self) -> Settings {
        self.read().expect("valid").settings
    }

    fn refusal(&self) -> String {
        self.read().expect_err("invalid")
    }
}

#[test]
fn nothing_set_serves_on_loopback_from_an_embedded_database() {
    let settings = Layers::default().read().expect("defaults are valid").settings;
    assert_eq!(settings, Settings::default());
    assert!(settings.listen.ip().is_loopback());
    assert_eq!(settings.database_url.to_string(), "sqlite://astranetmon-data/astranetmon.sqlite3");
    assert_eq!(format!("{:?}", settings.api()), format!("{:?}", ApiSettings::default()));
}

#[test]
fn flag_beats_environment_beats_file_beats_default() {
    let file = "listen = '127.0.0.1:1'\n[limits]\nsession_burst = 1\n";
    let variables = [("ASTRANETMON_LISTEN", "127.0.0.1:2"), ("ASTRANETMON_LIMITS__SESSION_BURST", "2")];
    let flags = [("--listen", "listen", "127.0.0.1:3")];
    for (file, variables, flags, port, burst) in [
        ("", &variables[..0], &flags[..0], 8080, 200),
        (file, &variables[..0], &flags[..0], 1, 1),
        (file, &variables[..], &flags[..0], 2, 2),
        ("", &variables[..], &flags[..0], 2, 2),
        (file, &variables[..], &flags[..], 3, 2),
        (file, &variables[..0], &flags[..], 3, 1),
    ] {
        let settings = case(file, variables, flags).settings();
        assert_eq!(
            (settings.listen.port(), settings.limits.session_burst.get()),
            (port, burst),
            "{file} {variables:?}"
        );
    }
}

#[test]
fn every_setting_is_read_from_the_environment_under_both_spellings() {
    let text = |name: &str| match name {
        "listen" | "metrics_listen" => "127.0.0.1:7",
        "database_url" => "sqlite://elsewhere",
        "public_url" => "https://example.com",
        "trusted_proxies" => "10.0.0.0/8, ::1",
        "cors_origins" => "https://status.example.com, http://localhost:3000",
        "insecure_http" | "speedtest_server" => "true",
        "log_format" => "json",
        "log_level" => "info,actix_web=warn",
        "tls.cert" | "tls.key" => "/a/file",
        "alerts.interval" => "7s",
        "alerts.allowed_networks" => "10.0.0.0/8",
        "smtp.tls" => "starttls",
        "smtp.from" => "alerts@example.com",
        name if ["_timeout", "_wait", "_deadline"].iter().any(|end| name.ends_with(end)) => "7s",
        _ => "7",
    };
    for separator in ["_", "__"] {
        let variables: Vec<_> = SETTINGS
            .iter()
            .map(|setting| {
                let name = setting.name.replace('.', separator).to_ascii_uppercase();
                (format!("ASTRANETMON_{name}"), text(setting.name))
            })
            .collect();
        let variables: Vec<_> = variables.iter().map(|(name, text)| (name.as_str(), *text)).collect();
        let configuration = case("", &variables, &[]).read().expect("valid");
        let shown = configuration.effective();
        for (name, _) in &variables {
            assert!(shown.contains(&format!("# {name}\n")), "{name} is not in\n{shown}");
        }
        let settings = configuration.settings;
        assert_eq!(settings.trusted_proxies.len(), 2);
        assert_eq!(settings.cors_origins.len(), 2);
        assert_eq!(settings.workers.map(NonZeroUsize::get), Some(7));
        assert_eq!(settings.postgres.call_deadline, Span::from_secs(7));
    }
}

#[test]
fn the_database_has_an_alias_and_a_file_for_its_secret() {
    let secret = tempfile::NamedTempFile::new().expect("a file");
    fs::write(secret.path(), "postgres://u:p@file/d\n").expect("written");
    let path = secret.path().display().to_string();
    let of = |variables: &[(&str, &str)]| match case("", variables, &[]).settings().database_url.database() {
        Database::Postgres(url) => url.to_owned(),
        Database::Sqlite(path) => path.display().to_string(),
    };
    assert_eq!(of(&[("DATABASE_URL", "postgres://alias/d")]), "postgres://alias/d");
    assert_eq!(
        of(&[("DATABASE_URL", "postgres://alias/d"), ("ASTRANETMON_DATABASE_URL_FILE", &path)]),
        "postgres://u:p@file/d"
    );
    assert_eq!(of(&[("DATABASE_URL", ""), ("ASTRANETMON_DATABASE_URL", "sqlite://own")]), "own");
    let both = [("ASTRANETMON_DATABASE_URL", "sqlite://own"), ("ASTRANETMON_DATABASE_URL_FILE", path.as_str())];
    assert_eq!(
        case("", &both, &[]).refusal(),
        "ASTRANETMON_DATABASE_URL and ASTRANETMON_DATABASE_URL_FILE are both set: keep one of them"
    );
    let missing = case("", &[("ASTRANETMON_DATABASE_URL_FILE", "/nowhere/secret")], &[]).refusal();
    assert!(
        missing.starts_with("ASTRANETMON_DATABASE_URL_FILE names /nowhere/secret, which cannot be read"),
        "{missing}"
    );
}

#[test]
fn the_file_is_named_by_a_variable_and_the_flag_wins() {
    let mut named = case("listen = '127.0.0.1:1'", &[], &[]);
    let path = named.layers.file.take().expect("a path").display().to_string();
    named.layers.environment.insert("ASTRANETMON_CONFIG".to_owned(), path);
    assert_eq!(named.settings().listen.port(), 1);
    let other = case("listen = '127.0.0.1:2'", &[], &[]);
    named.layers.file.clone_from(&other.layers.file);
    assert_eq!(named.settings().listen.port(), 2);
    named.layers.file = Some("/nowhere/astranetmon.toml".into());
    assert!(named.refusal().starts_with("the configuration file /nowhere/astranetmon.toml cannot be read"));
}

#[test]
fn mistakes_are_named_with_the_nearest_setting() {
    let file = |text: &str| case(text, &[], &[]).refusal();
    let variable = |name: &str, text: &str| case("", &[(name, text)], &[]).refusal();
    for (refusal, sentence) in [
        (file("lisen = '127.0.0.1:1'"), "unknown setting lisen in FOLDER/astranetmon.toml: did you mean listen?"),
        (
            file("[limits]\nkey_concurency = 1"),
            "unknown setting limits.key_concurency in FOLDER/astranetmon.toml: did you mean limits.key_concurrency?",
        ),
        (
            file("[tls]\ncert = 1"),
            "tls.cert (set by FOLDER/astranetmon.toml): invalid type: found signed int `1`, expected path string",
        ),
        (
            variable("ASTRANETMON_LISEN", "127.0.0.1:1"),
            "unknown variable ASTRANETMON_LISEN: did you mean ASTRANETMON_LISTEN?",
        ),
        (variable("ASTRANETMON_QQQ", ""), "unknown variable ASTRANETMON_QQQ"),
        (
            variable("ASTRANETMON_LISTEN_FILE", "x"),
            "unknown variable ASTRANETMON_LISTEN_FILE: did you mean ASTRANETMON_LISTEN?",
        ),
        (variable("ASTRANETMON_WORKERS", "many"), "ASTRANETMON_WORKERS accepts a whole number"),
        (variable("ASTRANETMON_INSECURE_HTTP", "yes"), "ASTRANETMON_INSECURE_HTTP accepts true or false"),
        (
            variable("ASTRANETMON_SHUTDOWN_TIMEOUT", "10"),
            "shutdown_timeout (set by ASTRANETMON_SHUTDOWN_TIMEOUT): a length of time is a whole number and one of ms, s, m, h, d, w, such as 10s",
        ),
        (
            variable("ASTRANETMON_POSTGRES_CONNECTION_WAIT", "0s"),
            "postgres.connection_wait is at least 1ms: without a bound a frozen server hangs us",
        ),
        (variable("ASTRANETMON_ALERTS_INTERVAL", "999ms"), "alerts.interval is at least 1s"),
        (
            variable("ASTRANETMON_SMTP_HOST", "mail.example.com"),
            "smtp.from is set together with smtp.host: who the e-mail is from",
        ),
        (
            file("[smtp]\nhost = 'mail.example.com'\nfrom = 'a@example.com'\ntls = 'none'"),
            "e-mail cannot be sent: smtp.tls may be none for a mail server on this host only",
        ),
        (
            file("[smtp]\nhost = 'localhost'\nfrom = 'a@example.com'\nuser = 'u'"),
            "e-mail cannot be sent: smtp.user and smtp.password are set together or not at all",
        ),
        (variable("ASTRANETMON_TLS_CERT", "/a"), "tls.cert and tls.key are set together or not at all"),
    ] {
        assert_eq!(refusal, sentence);
    }
    let refusal = file("listen = \n");
    assert!(refusal.starts_with("the configuration file FOLDER/astranetmon.toml is not TOML: "), "{refusal}");
    assert!(case("", &[("ASTRANETMON_TEST_POSTGRES_URL", "x")], &[]).read().is_ok());
}

#[test]
fn no_refusal_and_no_printed_configuration_shows_a_password() {
    let wrong = "postgers://u:s3cret@h/d";
    for refused in [
        case(&format!("database_url = '{wrong}'"), &[], &[]),
        case(&format!("database_url = '{wrong}"), &[], &[]),
        case("", &[("ASTRANETMON_DATABASE_URL", wrong)], &[]),
        case("", &[], &[("--database-url", "database_url", wrong)]),
    ] {
        let refusal = refused.refusal();
        assert!(!refusal.contains("s3cret"), "{refusal}");
    }
    let refusal = case("[smtp]\npassword = ['s3cret']", &[], &[]).refusal();
    assert!(!refusal.contains("s3cret"), "{refusal}");
    let mail = "[smtp]\nhost = 'mail.example.com'\nfrom = 'a@example.com'\nuser = 'u'\npassword = 's3cret'\n";
    let configuration = case(mail, &[("DATABASE_URL", "postgres://u:s3cret@h/d")], &[]).read().expect("valid");
    let shown = configuration.effective();
    assert!(shown.contains("database_url = \"postgres://u:***@h/d\" # DATABASE_URL\n"), "{shown}");
    assert!(!format!("{shown}{:?}", configuration.settings).contains("s3cret"));
}

#[test]
fn what_is_printed_is_a_file_with_the_same_settings() {
    let file = "public_url = 'https://example.com/'\ntrusted_proxies = ['10.0.0.1', '::/0']\nmetrics_listen = 'off'\n\
                workers = 3\n[postgres]\nconnection_wait = '250ms'\n";
    let first = case(file, &[], &[("--listen", "listen", "127.0.0.1:3")]).read().expect("valid");
    let shown = first.effective();
    assert!(shown.starts_with("listen = \"127.0.0.1:3\" # --listen\n"), "{shown}");
    assert!(shown.contains("workers = 3 # ") && shown.contains("# default\n") && shown.contains("# cert is not set\n"));
    assert_eq!(case(&shown, &[], &[]).settings(), first.settings);
    let names = SETTINGS.iter().filter(|setting| shown.contains(setting.name.rsplit('.').next().unwrap_or_default()));
    assert_eq!(names.count(), SETTINGS.len());
}

#[test]
fn plain_http_is_kept_from_addresses_that_others_reach() {
    let tls = [("ASTRANETMON_TLS_CERT", "/c"), ("ASTRANETMON_TLS_KEY", "/k")];
    let proxies = [("ASTRANETMON_TRUSTED_PROXIES", "10.0.0.0/8")];
    let insecure = [("ASTRANETMON_INSECURE_HTTP", "true")];
    let none: [(&str, &str); 0] = [];
    for (listen, variables, accepted) in [
        ("127.0.0.1:8080", &none[..], true),
        ("127.9.9.9:8080", &none[..], true),
        ("[::1]:8080", &none[..], true),
        ("0.0.0.0:8080", &none[..], false),
        ("[::]:8080", &none[..], false),
        ("192.0.2.1:8080", &none[..], false),
        ("0.0.0.0:8080", &tls[..], true),
        ("0.0.0.0:8080", &proxies[..], true),
        ("0.0.0.0:8080", &insecure[..], true),
    ] {
        let result = case("", variables, &[("--listen", "listen", listen)]).read();
        assert_eq!(result.is_ok(), accepted, "{listen} {variables:?}");
        if let Err(refusal) = result {
            assert!(refusal.contains("in the clear") && refusal.contains("insecure_http"), "{refusal}");
        }
    }
}
