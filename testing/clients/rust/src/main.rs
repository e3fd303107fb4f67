//! The client that progenitor makes of the document, against running services.
//!
//! What it is run against stands in the environment, as testing/steps/clients sets it.

mod failing;
mod observed;
mod reading;
mod sending;

use std::error::Error;

/// The generated code, as it is.
#[allow(clippy::all, dead_code, unused_imports)]
mod client {
    include!(concat!(env!("OUT_DIR"), "/client.rs"));
}

type Checked = Result<(), Box<dyn Error>>;

/// What the step has started and made.
struct Services {
    /// The demonstration: a week of three fleets, and this machine.
    demo: String,
    starter_key: String,
    enterprise_key: String,
    /// Enrols an agent at the demonstration.
    demo_enrolment: String,
    /// A service without records, which offers speed tests to one agent at a time.
    service: String,
    service_key: String,
    /// One that may read agents only.
    agents_key: String,
    /// Enrols agents at that service.
    enrolment: String,
}

#[expect(clippy::disallowed_methods, reason = "only main reads the environment")]
fn main() -> Checked {
    let variable = |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set"));
    let services = Services {
        demo: variable("DEMO_URL")?,
        starter_key: variable("STARTER_KEY")?,
        enterprise_key: variable("ENTERPRISE_KEY")?,
        demo_enrolment: variable("DEMO_ENROLMENT")?,
        service: variable("SERVICE_URL")?,
        service_key: variable("SERVICE_KEY")?,
        agents_key: variable("AGENTS_KEY")?,
        enrolment: variable("ENROLMENT")?,
    };
    let called = variable("CALLED")?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        reading::check(&services).await?;
        // What is refused at last makes this address suspect for a while.
        let agents = sending::check(&services).await?;
        failing::check(&services, &agents).await
    })?;
    std::fs::write(called, observed::calls())?;
    Ok(())
}

fn ok(what: &str) {
    println!("ok {what}");
}
