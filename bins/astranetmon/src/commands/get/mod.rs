//! `astranetmon get`: what a server has, read over its API with a key.

mod call;
mod output;
mod request;

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use self::call::Caller;
use self::output::{Output, Printer};
use self::request::{Request, next_page};
use crate::Failure;
use crate::configuration::{API_KEY, Environment, SERVER, Span};

/// Where a server is that was started without settings.
const LOCAL: &str = "http://127.0.0.1:8080";

/// What can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum List {
    Agents,
    Metrics,
    Speedtests,
    Traceroutes,
    /// How much the key was used
    Usage,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The key is taken from ASTRANETMON_API_KEY. Exit codes: 0, all that was asked for was printed; 1, the \
                        server cannot be reached or failed; 2, the request is wrong; 3, the key may not read this; 4, the \
                        server asks to try again later than --longest-wait."
)]
pub(super) struct GetArguments {
    /// What to read
    list: List,
    /// Where the server is; also `ASTRANETMON_SERVER`; `http://127.0.0.1:8080` if neither says so
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// How to print it
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
    /// Only of this agent; repeatable
    #[arg(long = "agent", value_name = "ID")]
    agents: Vec<String>,
    /// Only of agents with this label; repeatable, all must match
    #[arg(long = "label", value_name = "NAME:VALUE")]
    labels: Vec<String>,
    /// From this moment on: 2026-11-23T00:00:00Z, 2026-11-23, -7d
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    start: Option<String>,
    /// Before this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    end: Option<String>,
    /// Only these fields, with commas between them
    #[arg(long, value_name = "NAMES")]
    fields: Option<String>,
    /// Oldest first
    #[arg(long)]
    oldest_first: bool,
    /// Put metrics together in intervals: 5m, 1h, 1d
    #[arg(long, value_name = "SPAN")]
    interval: Option<String>,
    /// Figures of intervals: avg,min,max,sum,count,p50,p95,p99,first,last
    #[arg(long, value_name = "NAMES")]
    agg: Option<String>,
    /// Any other parameter of the API, such as status=failed; repeatable
    #[arg(long = "where", value_name = "NAME=VALUE", value_parser = parse_condition)]
    conditions: Vec<(String, String)>,
    /// Most rows to read, over as many pages as it takes
    #[arg(long, value_name = "ROWS", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// Read all rows
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Longest wait that the server may ask for before it is given up
    #[arg(long, value_name = "SPAN", default_value = "5m")]
    longest_wait: Span,
    /// Certificates to trust beside the system's (PEM)
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Allow plain HTTP to another machine, which sends the key in the clear
    #[arg(long)]
    insecure_http: bool,
}

fn parse_condition(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a condition is NAME=VALUE, such as status=failed")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl GetArguments {
    pub(super) async fn execute(self, environment: Environment) -> Result<(), Failure> {
        // Never on the command line, which other people of the machine can read.
        let key = environment.get(API_KEY).filter(|key| !key.is_empty()).ok_or_else(|| {
            Failure::usage(format!(
                "no key: set {API_KEY} to an API key, which `astranetmon key create` or the dashboard makes"
            ))
        })?;
        let server = self.server.as_deref().or_else(|| environment.get(SERVER).map(String::as_str)).unwrap_or(LOCAL);
        let caller = Caller::new(server, key, self.ca_file.as_deref(), self.insecure_http, self.longest_wait.0)?;
        let mut printer = Printer::new(self.output, self.list.name());
        if self.list == List::Usage {
            let body = caller.get("/api/v1/usage").await?.bytes().await;
            let body = body.map_err(|error| Failure::caused("the answer ended too early", &error))?;
            return printer.usage(&body);
        }
        let most = if self.all { u64::MAX } else { self.limit };
        let mut request = Request::first(&self, most);
        let bar = bar();
        let (mut rows, mut total) = (0, 0);
        loop {
            let response = caller.get(&request.path_and_query()).await?;
            let next = next_page(response.headers());
            let page = printer.page(response).await?;
            rows += page.rows;
            total = page.total.unwrap_or(total);
            if let Some(bar) = &bar {
                bar.set_length(if self.all { total } else { total.min(most) });
                bar.set_position(rows);
            }
            match next {
                Some(next) if rows < most => request = request.next(&next, most - rows),
                _ => break,
            }
        }
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        printer.finish(total)
    }
}

/// Shown where somebody looks on and the rows go elsewhere.
fn bar() -> Option<ProgressBar> {
    (std::io::stderr().is_terminal() && !std::io::stdout().is_terminal()).then(|| {
        let style = ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} rows, {eta} left");
        ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    })
}
