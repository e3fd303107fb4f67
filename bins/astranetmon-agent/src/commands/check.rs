use astranetmon_collect::traceroute::may_trace;
use astranetmon_domain::{Clock, SystemClock};

use super::Site;
use crate::Failure;
use crate::agent::server;
use crate::pace::Pace;

/// Says line by line what is well and what is not; fails if something is not.
pub(super) async fn check(site: &Site) -> Result<(), Failure> {
    println!(
        "ok      configuration: every {} s, state in {}",
        site.settings.interval.as_secs(),
        site.state_dir.display()
    );
    match may_trace() {
        Ok(()) => println!("ok      raw packets: traceroutes may be sent"),
        Err(sentence) if site.settings.traceroute.targets.is_empty() => println!("note    {sentence}"),
        Err(sentence) => return Err(Failure::failed(sentence)),
    }
    let enrolment = site.enrolment()?;
    println!("ok      enrolment: {} at {}", enrolment.agent_id, enrolment.server);
    let server = server(&site.settings, &enrolment, &Pace::of(&site.settings))?;
    let empty = br#"{"metrics": []}"#.to_vec();
    let reply = server.post("/ingest/v1/metrics", Some(&enrolment.agent_token), empty, false, SystemClock.now()).await;
    let url = server.url();
    match reply {
        Err(sentence) => Err(Failure::failed(sentence)),
        Ok(reply) if reply.status == 200 => {
            println!("ok      server: {url} takes rows of this agent");
            Ok(())
        }
        Ok(reply) if reply.status == 401 => Err(Failure::failed(format!(
            "{url} does not accept this agent's token ({}): enrol it again, if it was not disabled",
            reply.complaint()
        ))),
        Ok(reply) => Err(Failure::failed(format!("{url} answered {}", reply.complaint()))),
    }
}
