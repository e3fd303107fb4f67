use clap::CommandFactory;

use super::*;

fn parse(line: &str) -> Result<CommandLine, clap::Error> {
    CommandLine::try_parse_from(line.split_ascii_whitespace())
}

#[test]
fn the_command_line_is_consistent() {
    CommandLine::command().debug_assert();
}

#[test]
fn known_command_lines_are_read_and_others_refused() {
    for line in [
        "astranetmon serve",
        "astranetmon serve --check --config a.toml --listen 127.0.0.1:1 --tls-cert a --tls-key b --no-migrate",
        "astranetmon demo",
        "astranetmon demo --listen 127.0.0.1:0 --data d --format json --seed 7",
        "astranetmon migrate --database-url sqlite://x",
        "astranetmon copy --from sqlite://a --to postgres://b@c/d --format json",
        "astranetmon copy --to sqlite://a --config a.toml",
        "astranetmon backup b.sqlite3",
        "astranetmon restore b.sqlite3 --database-url postgres://b@c/d",
        "astranetmon openapi --output openapi.json",
        "astranetmon openapi --openapi-version 3.0 --output openapi-3.0.json",
        "astranetmon account create acme --plan starter",
        "astranetmon account list --format json",
        "astranetmon account set-plan acme enterprise",
        "astranetmon account retention --account acme",
        "astranetmon account retention --account acme --raw-days 7 --hourly-days 30 --daily-days 365 --format json",
        "astranetmon account retention --account acme --plan-default",
        "astranetmon agent list --account acme",
        "astranetmon agent rename web-1 door --account acme",
        "astranetmon agent rename web-1 --account acme",
        "astranetmon agent label web-1 site=ber rack- --account acme",
        "astranetmon agent disable web-1 --account acme",
        "astranetmon agent enable web-1 --account acme",
        "astranetmon agent delete web-1 --account acme --format json",
        "astranetmon enrolment create --account acme --name n",
        "astranetmon enrolment create --account acme --name n --uses 10 --expires-in 7d --label site=ber --label rack=7",
        "astranetmon enrolment create --account acme --name n --agent web-1",
        "astranetmon enrolment list --account acme",
        "astranetmon enrolment revoke 3 --account acme",
        "astranetmon import --account acme --agent web-1 a.json",
        "astranetmon import --account acme --agent web-1 --create-agent --format mtr --at 2026-11-23 --json a.json -",
        "astranetmon key create --account acme --name n",
        "astranetmon key create --account acme --name n --permission read:metrics --permission read:agents --expires-in 90d",
        "astranetmon key create --account acme --name n --expires-at 2027-01-31",
        "astranetmon key list --account acme",
        "astranetmon key roll --account acme 3 --overlap 168",
        "astranetmon key revoke --account acme 3",
        "astranetmon user create ada@example.com --account acme --role owner",
        "astranetmon user create ada@example.com --account acme --role viewer --password-file - --format json",
        "astranetmon user list --account acme",
        "astranetmon user set-password ada@example.com --password-file p",
        "astranetmon user disable ada@example.com",
        "astranetmon user enable ada@example.com",
    ] {
        assert!(parse(line).is_ok(), "{line}");
    }
    for line in [
        "astranetmon",
        "astranetmon sevre",
        "astranetmon serve --lisen x",
        "astranetmon copy --from mysql://a --to sqlite://b",
        "astranetmon backup",
        "astranetmon restore",
        "astranetmon account create acme",
        "astranetmon account create acme --plan gold",
        "astranetmon account set-plan acme",
        "astranetmon account retention --account acme --raw-days 7 --plan-default",
        "astranetmon account retention --account acme --raw-days -7",
        "astranetmon agent list",
        "astranetmon agent label web-1 --account acme",
        "astranetmon agent label web-1 site --account acme",
        "astranetmon agent delete web:1 --account acme",
        "astranetmon enrolment create --account acme",
        "astranetmon enrolment create --account acme --name n --agent web-1 --uses 2",
        "astranetmon enrolment create --account acme --name n --label site",
        "astranetmon import --account acme --agent web-1",
        "astranetmon import --account acme a.json",
        "astranetmon import --account acme --agent web-1 --format xml a.json",
        "astranetmon key create --account acme",
        "astranetmon key create --account acme --name n --permission write:metrics",
        "astranetmon key create --account acme --name n --expires-in 90",
        "astranetmon key create --account acme --name n --expires-in 90d --expires-at 2027-01-31",
        "astranetmon key roll --account acme 3",
        "astranetmon key roll --account acme 3 --overlap 169",
        "astranetmon key roll --account acme 3 --overlap -1",
        "astranetmon key revoke --account acme three",
        "astranetmon user create ada --account acme --role owner",
        "astranetmon user create ada@example.com --account acme",
        "astranetmon user create ada@example.com --account acme --role king",
        "astranetmon user set-password ada@example.com",
        "astranetmon user set-password ada@example.com secret",
    ] {
        assert_eq!(parse(line).map(|_| ()).map_err(|error| error.exit_code()), Err(2), "{line}");
    }
}

#[test]
fn the_flags_of_serve_become_settings() {
    let line = "astranetmon serve --listen 127.0.0.1:1 --metrics-listen off --public-url https://a.example \
                --trusted-proxies 10.0.0.0/8,::1 --insecure-http --workers 2 --log-format json --log-level warn \
                --shutdown-timeout 3s --database-url sqlite://x --tls-cert c --tls-key k";
    let Ok(CommandLine { command: Command::Serve(arguments) }) = parse(line) else { panic!("serve") };
    let shown = arguments.layers(Environment::new()).read().expect("valid").effective();
    for (flag, setting) in [
        ("--listen", "listen = \"127.0.0.1:1\""),
        ("--metrics-listen", "metrics_listen = \"off\""),
        ("--public-url", "public_url = \"https://a.example\""),
        ("--trusted-proxies", "trusted_proxies = [\"10.0.0.0/8\",\"::1/128\"]"),
        ("--insecure-http", "insecure_http = true"),
        ("--workers", "workers = 2"),
        ("--log-format", "log_format = \"json\""),
        ("--log-level", "log_level = \"warn\""),
        ("--shutdown-timeout", "shutdown_timeout = \"3s\""),
        ("--database-url", "database_url = \"sqlite://x\""),
        ("--tls-cert", "cert = \"c\""),
        ("--tls-key", "key = \"k\""),
    ] {
        assert!(shown.contains(&format!("{setting} # {flag}\n")), "{setting} is not in\n{shown}");
    }
}
