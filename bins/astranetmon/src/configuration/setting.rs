use figment::value::Value;

/// The form in which a setting's text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    WholeNumber,
    YesOrNo,
    /// Separated by commas.
    List,
}

/// One thing that can be set.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its name in a file; a dot before the name within a table.
    pub name: &'static str,
    /// Whether it may be read from a file that `ASTRANETMON_…_FILE` names.
    pub secret: bool,
    pub(super) form: Form,
}

const fn setting(name: &'static str, form: Form) -> Setting {
    Setting { name, secret: false, form }
}

/// Everything that can be set, in the order in which it is shown: names of tables last, as TOML demands.
pub const SETTINGS: &[Setting] = &[
    setting("listen", Form::Text),
    setting("metrics_listen", Form::Text),
    Setting { name: "database_url", secret: true, form: Form::Text },
    setting("public_url", Form::Text),
    setting("trusted_proxies", Form::List),
    setting("cors_origins", Form::List),
    setting("setup_link_file", Form::Text),
    setting("insecure_http", Form::YesOrNo),
    setting("workers", Form::WholeNumber),
    setting("log_format", Form::Text),
    setting("log_level", Form::Text),
    setting("shutdown_timeout", Form::Text),
    setting("speedtest_server", Form::YesOrNo),
    setting("tls.cert", Form::Text),
    setting("tls.key", Form::Text),
    setting("limits.key_concurrency", Form::WholeNumber),
    setting("limits.key_concurrency_wait", Form::Text),
    setting("limits.address_failures_per_minute", Form::WholeNumber),
    setting("limits.session_requests_per_second", Form::WholeNumber),
    setting("limits.session_burst", Form::WholeNumber),
    setting("limits.sign_ins_per_minute", Form::WholeNumber),
    setting("limits.agent_concurrency", Form::WholeNumber),
    setting("limits.speedtest_concurrency", Form::WholeNumber),
    setting("limits.speedtest_mebibytes", Form::WholeNumber),
    setting("alerts.interval", Form::Text),
    setting("alerts.allowed_networks", Form::List),
    setting("smtp.host", Form::Text),
    setting("smtp.port", Form::WholeNumber),
    setting("smtp.tls", Form::Text),
    setting("smtp.user", Form::Text),
    Setting { name: "smtp.password", secret: true, form: Form::Text },
    setting("smtp.from", Form::Text),
    setting("sqlite.reader_threads", Form::WholeNumber),
    setting("postgres.read_connections", Form::WholeNumber),
    setting("postgres.write_connections", Form::WholeNumber),
    setting("postgres.gate_connections", Form::WholeNumber),
    setting("postgres.call_deadline", Form::Text),
    setting("postgres.append_deadline", Form::Text),
    setting("postgres.connection_wait", Form::Text),
];

impl Setting {
    /// Its variable without the prefix: `TLS_CERT`.
    pub(super) fn variable(&self) -> String {
        self.name.replace('.', "_").to_ascii_uppercase()
    }

    /// The value that the text stands for; `Err` says what is accepted and never repeats the text.
    pub(super) fn parse(&self, text: &str) -> Result<Value, &'static str> {
        match self.form {
            Form::Text => Ok(Value::from(text)),
            Form::WholeNumber => text.parse::<u64>().map(Value::from).map_err(|_| "a whole number"),
            Form::YesOrNo => match text {
                "true" | "1" => Ok(Value::from(true)),
                "false" | "0" => Ok(Value::from(false)),
                _ => Err("true or false"),
            },
            Form::List => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                Ok(Value::from(parts.map(Value::from).collect::<Vec<_>>()))
            }
        }
    }
}

/// The candidate that a mistyped name is nearest to, if it is near at all.
pub(super) fn nearest(name: &str, candidates: impl Iterator<Item = String>) -> Option<String> {
    candidates
        .map(|candidate| (strsim::jaro_winkler(name, &candidate), candidate))
        .filter(|(nearness, _)| *nearness > 0.7)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, candidate)| candidate)
}
