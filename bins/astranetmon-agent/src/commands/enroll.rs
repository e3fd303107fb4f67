use astranetmon_collect::HostCollector;
use astranetmon_domain::{AgentId, Clock, SystemClock};
use astranetmon_ingest::{EnrollAnswer, EnrollBody, Facts, Secret};

use super::{Environment, Places, Site};
use crate::Failure;
use crate::configuration::{Clear, ServerUrl};
use crate::enrolment::{self, Enrolment};
use crate::pace::Pace;
use crate::private_file::FreshFile;
use crate::server::Server;
use crate::spool::make_private_folder;

/// Exchange an enrolment token for this machine's own token
#[derive(Debug, clap::Args)]
pub(super) struct Enroll {
    /// Where the server is
    #[arg(long, value_name = "URL", help = "Where the server is, such as https://monitor.example.com")]
    server: Option<String>,
    /// The enrolment token
    #[arg(
        long,
        help = "The enrolment token; the environment variable ASTRANETMON_ENROLMENT_TOKEN keeps it from others' eyes"
    )]
    token: Option<String>,
    /// The id that the agent would have; without it the token's own, or one made from the host's name
    #[arg(long)]
    id: Option<String>,
    /// Replace an enrolment that is there
    #[arg(long)]
    replace: bool,
    /// Let the token travel in the clear, over plain http, to an address that is not private
    #[arg(long)]
    insecure_http: bool,
    #[command(flatten)]
    pub(super) places: Places,
}

impl Enroll {
    pub(super) async fn execute(self, site: &Site, environment: &Environment) -> Result<(), Failure> {
        let url = match &self.server {
            Some(text) => ServerUrl::parse(text)?,
            None => site.settings.server.clone().ok_or_else(|| {
                Failure::usage(
                    "--server is missing: say where the server is, such as --server https://monitor.example.com",
                )
            })?,
        };
        let token = self.token(environment)?;
        let agent_id = match &self.id {
            Some(text) => Some(
                AgentId::parse(text).map_err(|error| Failure::usage(format!("--id {text}: {error}, such as web-1")))?,
            ),
            None => None,
        };
        let insecure_http = self.insecure_http || site.settings.insecure_http;
        if url.clear(insecure_http)? != Clear::Never {
            eprintln!("astranetmon-agent: warning: {url} is plain http, so the token travels in the clear");
        }
        let server =
            Server::new(url.clone(), &site.settings.tls, insecure_http, Pace::of(&site.settings).request_timeout)?;
        let path = enrolment::path(&site.state_dir);
        let shown = path.display();
        if !self.replace && path.exists() {
            return Err(Failure::failed(format!(
                "this machine is enrolled already, in {shown}: --replace enrols it anew"
            )));
        }
        // A token may be good for one use only, so what may fail here fails before it is spent.
        let file = make_private_folder(&site.state_dir)
            .and_then(|()| FreshFile::beside(&path))
            .map_err(|error| Failure::failed(format!("{shown} cannot be written: {error}")))?;
        let answer = exchange(&server, token, agent_id).await?;
        let agent_id = AgentId::parse(&answer.agent_id)
            .map_err(|_| Failure::failed(format!("{url} gave this agent an id that is none")))?;
        let enrolment = Enrolment { server: url, insecure_http, agent_id, agent_token: answer.agent_token };
        enrolment.store(file).map_err(|error| {
            Failure::failed(format!("{shown} cannot be written, and the enrolment token is spent: {error}"))
        })?;
        println!("Enrolled as {} of {}; the token is in {shown}.", enrolment.agent_id, answer.account);
        println!("Start it with: systemctl enable --now astranetmon-agent");
        Ok(())
    }

    fn token(&self, environment: &Environment) -> Result<Secret, Failure> {
        let from_environment = || environment.enrolment_token.as_ref()?.to_str().map(str::to_owned);
        let token = self.token.clone().or_else(from_environment).map(|token| token.trim().to_owned());
        match token {
            Some(token) if token.starts_with("astra_enroll_") => Ok(Secret::new(token)),
            Some(_) => Err(Failure::usage(
                "the token is no enrolment token: it begins with astra_enroll_ and comes from Dashboard → Agents, or \
                 from astranetmon enrolment create",
            )),
            None => Err(Failure::usage(
                "--token is missing: give the enrolment token, such as --token astra_enroll_…, or set \
                 ASTRANETMON_ENROLMENT_TOKEN",
            )),
        }
    }
}

async fn exchange(server: &Server, token: Secret, agent_id: Option<AgentId>) -> Result<EnrollAnswer, Failure> {
    let facts = HostCollector::new(60).facts();
    let body = EnrollBody { token: Some(token), agent_id, facts: Some(Facts::from(&facts)) };
    let body = serde_json::to_vec(&body).map_err(|error| Failure::caused("the request cannot be written", &error))?;
    let reply =
        server.post("/ingest/v1/enroll", None, body, false, SystemClock.now()).await.map_err(Failure::failed)?;
    if reply.status != 201 {
        return Err(Failure::failed(format!("{} refused the enrolment, {}", server.url(), reply.complaint())));
    }
    serde_json::from_slice(&reply.body)
        .map_err(|_| Failure::failed(format!("{} answered 201 with something else than an enrolment", server.url())))
}
