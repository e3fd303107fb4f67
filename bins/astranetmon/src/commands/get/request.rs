//! What is asked of the server, page by page.

use reqwest::Url;
use reqwest::header::{HeaderMap, LINK};

use super::output::Output;
use super::{GetArguments, List};

/// Rows of the largest page of any list; a list with smaller ones lowers it by itself.
const PAGE_ROWS: u64 = 10_000;
/// Only path and query of what is built on it are sent.
const ANYWHERE: &str = "http://server.invalid";

/// A page to ask for.
pub(super) struct Request(Url);

impl List {
    /// What its rows are called, in the path and in JSON.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Agents => "agents",
            Self::Metrics => "metrics",
            Self::Speedtests => "speedtests",
            Self::Traceroutes => "traceroutes",
            Self::Usage => "usage",
        }
    }

    /// What of a record fits on a line for people.
    const fn table_fields(self) -> &'static str {
        match self {
            Self::Agents => "id,hostname,status,last_seen_at,os,agent_version",
            Self::Metrics => {
                "agent_id,timestamp,cpu_percent,load_1,memory_percent,disk_percent,network_receive_bytes_per_second,\
                 network_transmit_bytes_per_second,latency_ms"
            }
            Self::Speedtests => "agent_id,timestamp,status,download_mbps,upload_mbps,ping_ms,provider",
            Self::Traceroutes => "agent_id,timestamp,target,protocol,status,reached,hop_count,rtt_ms,path_changed",
            Self::Usage => "",
        }
    }
}

impl Request {
    pub(super) fn first(arguments: &GetArguments, most: u64) -> Self {
        let list = arguments.list;
        let mut url = Url::parse(ANYWHERE).unwrap_or_else(|_| unreachable!("it is a URL"));
        url.set_path(&format!("/api/v1/{}", list.name()));
        {
            let mut query = url.query_pairs_mut();
            let mut add = |name: &str, value: &str| _ = query.append_pair(name, value);
            arguments.agents.iter().for_each(|agent| add("agent_id", agent));
            arguments.labels.iter().for_each(|label| add("label", label));
            let fields = arguments.fields.as_deref();
            // Figures of intervals are named by their fields: of those that were not chosen there are too many.
            let fields = fields.or((arguments.output == Output::Table).then(|| list.table_fields()));
            let sort = arguments.oldest_first.then_some("oldest_first");
            for (name, value) in [
                ("start_date", arguments.start.as_deref()),
                ("end_date", arguments.end.as_deref()),
                ("fields", fields),
                ("sort", sort),
                ("interval", arguments.interval.as_deref()),
                ("agg", arguments.agg.as_deref()),
            ] {
                if let Some(value) = value {
                    add(name, value);
                }
            }
            arguments.conditions.iter().for_each(|(name, value)| add(name, value));
            add("format", if arguments.output == Output::Csv { "csv" } else { "ndjson" });
            add("limit", &most.min(PAGE_ROWS).to_string());
        }
        Self(url)
    }

    /// The page that a link leads to, of which so many rows are wanted at most.
    pub(super) fn next(&self, link: &str, most: u64) -> Self {
        // A link may name the server as others reach it: what is asked is the one that was named here.
        let mut url = self.0.join(link).unwrap_or_else(|_| self.0.clone());
        let pairs: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(name, _)| name != "limit")
            .map(|(n, v)| (n.into_owned(), v.into_owned()))
            .collect();
        url.query_pairs_mut().clear().extend_pairs(pairs).append_pair("limit", &most.min(PAGE_ROWS).to_string());
        Self(url)
    }

    pub(super) fn path_and_query(&self) -> String {
        let query = self.0.query().map_or(String::new(), |query| format!("?{query}"));
        format!("{}{query}", self.0.path())
    }
}

/// Where the next page is, if there is one.
pub(super) fn next_page(headers: &HeaderMap) -> Option<String> {
    let links = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    let next = links.flat_map(|links| links.split(", <")).find(|link| link.contains("rel=\"next\""))?;
    let (target, _) = next.trim_start_matches('<').split_once('>')?;
    Some(target.to_owned())
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn the_link_to_the_next_page_is_found_among_others() {
        for (link, expected) in [
            (r#"</api/v1/metrics?limit=1&cursor=A>; rel="next""#, Some("/api/v1/metrics?limit=1&cursor=A")),
            (r#"</a>; rel="prev", </b>; rel="next""#, Some("/b")),
            (r#"</a>; rel="prev""#, None),
            ("nonsense", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(LINK, HeaderValue::from_str(link).expect("a header"));
            assert_eq!(next_page(&headers).as_deref(), expected, "{link}");
        }
        assert_eq!(next_page(&HeaderMap::new()), None);
    }
}
