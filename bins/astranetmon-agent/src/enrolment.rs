//! What an agent was given when it was enrolled: its id and its token, in a file that only it can read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use astranetmon_domain::AgentId;
use astranetmon_ingest::Secret;
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::configuration::ServerUrl;
use crate::private_file::FreshFile;

/// Who the agent is, and where it reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// Where it was enrolled.
    pub server: ServerUrl,
    /// Whether the operator accepted plain http when it was enrolled.
    pub insecure_http: bool,
    /// Its id.
    pub agent_id: AgentId,
    /// Its token.
    pub agent_token: Secret,
}

#[derive(Serialize, Deserialize)]
struct File {
    server: String,
    #[serde(default)]
    insecure_http: bool,
    agent_id: String,
    agent_token: Secret,
}

/// Where the enrolment lies in a state directory.
#[must_use]
pub fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("enrolment.json")
}

impl Enrolment {
    /// Reads the enrolment of a state directory; `None` if there is none.
    ///
    /// # Errors
    /// A file that cannot be read, that others can read, or that is no enrolment.
    pub fn load(state_dir: &Path) -> Result<Option<Self>, Failure> {
        let path = path(state_dir);
        let shown = path.display();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::failed(format!("the enrolment {shown} cannot be read: {error}"))),
        };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).map_or(0, |metadata| metadata.permissions().mode());
            if mode & 0o077 != 0 {
                return Err(Failure::failed(format!(
                    "the enrolment {shown} holds a token and can be read by others: run chmod 600 {shown}"
                )));
            }
        }
        let damaged = || {
            Failure::failed(format!(
                "the enrolment {shown} is damaged: enrol again with astranetmon-agent enroll --replace"
            ))
        };
        let file: File = serde_json::from_str(&text).map_err(|_| damaged())?;
        Ok(Some(Self {
            server: ServerUrl::parse(&file.server).map_err(|_| damaged())?,
            insecure_http: file.insecure_http,
            agent_id: AgentId::parse(&file.agent_id).map_err(|_| damaged())?,
            agent_token: file.agent_token,
        }))
    }

    /// Writes it into a file that was made for it.
    pub(crate) fn store(&self, file: FreshFile) -> io::Result<()> {
        let content = File {
            server: self.server.to_string(),
            insecure_http: self.insecure_http,
            agent_id: self.agent_id.to_string(),
            agent_token: self.agent_token.clone(),
        };
        let mut text = serde_json::to_string_pretty(&content).map_err(io::Error::other)?;
        text.push('\n');
        file.put(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enrolment() -> Enrolment {
        Enrolment {
            server: ServerUrl::parse("https://monitor.example.com").expect("good"),
            insecure_http: false,
            agent_id: AgentId::parse("web-1").expect("good"),
            agent_token: Secret::new("astra_agent_x".to_owned()),
        }
    }

    #[test]
    fn an_enrolment_is_kept_in_a_file_of_its_owner() {
        let folder = tempfile::tempdir().expect("folder");
        assert_eq!(Enrolment::load(folder.path()), Ok(None));
        let path = path(folder.path());
        drop(FreshFile::beside(&path).expect("made"));
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 0, "nothing is left behind");
        for _ in 0..2 {
            enrolment().store(FreshFile::beside(&path).expect("made")).expect("stored");
            assert_eq!(Enrolment::load(folder.path()), Ok(Some(enrolment())));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
            for mode in [0o640, 0o604, 0o644] {
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
                let refused = Enrolment::load(folder.path()).expect_err("open to others").to_string();
                assert!(
                    refused.ends_with(&format!("can be read by others: run chmod 600 {}", path.display())),
                    "{refused}"
                );
            }
        }
    }

    #[test]
    fn a_damaged_enrolment_says_what_to_do() {
        let folder = tempfile::tempdir().expect("folder");
        let path = path(folder.path());
        for text in ["", "{}", r#"{"server": "x", "agent_id": "a", "agent_token": "t"}"#] {
            FreshFile::beside(&path).and_then(|file| file.put(text.as_bytes())).expect("written");
            let refused = Enrolment::load(folder.path()).expect_err("damaged").to_string();
            assert!(refused.ends_with("is damaged: enrol again with astranetmon-agent enroll --replace"), "{refused}");
        }
        assert!(!format!("{:?}", enrolment()).contains("astra_agent_x"));
    }
}
