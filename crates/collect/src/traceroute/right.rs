//! The right to open raw sockets.

use std::io::ErrorKind;

use socket2::{Domain, Protocol, Socket, Type};

use crate::address::{IpVersion, system_text};

/// Whether this process may send traceroutes.
///
/// # Errors
/// A sentence that names the missing right and the command that gives it.
pub fn may_trace() -> Result<(), String> {
    may_trace_in(IpVersion::V4)
}

pub(super) fn may_trace_in(version: IpVersion) -> Result<(), String> {
    let (domain, protocol) = match version {
        IpVersion::V4 => (Domain::IPV4, Protocol::ICMPV4),
        IpVersion::V6 => (Domain::IPV6, Protocol::ICMPV6),
    };
    match Socket::new(domain, Type::RAW, Some(protocol)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(missing_right(&this_program())),
        Err(error) => Err(format!("Traceroutes over IPv{} cannot be sent: {}.", version.number(), system_text(&error))),
    }
}

fn missing_right(program: &str) -> String {
    if cfg!(target_os = "linux") {
        format!(
            "Traceroutes need the right to open raw sockets (CAP_NET_RAW), which this process lacks; give it by \
             `sudo setcap cap_net_raw+ep {program}`."
        )
    } else {
        "Traceroutes need the right to open raw sockets, which only an administrator has on this system.".to_owned()
    }
}

/// The path of this program. A program that was replaced while it runs has a mark behind its path.
fn this_program() -> String {
    let path = std::env::current_exe().map(|path| path.display().to_string()).unwrap_or_default();
    let path = path.trim_end_matches(" (deleted)");
    match path {
        "" => "/path/of/this/program".to_owned(),
        path if path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte)) => path.to_owned(),
        path => format!("'{}'", path.replace('\'', r"'\''")),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_missing_right_is_named_with_the_command_that_gives_it() {
        let text = missing_right(&this_program());
        let program = std::env::current_exe().expect("a path");
        assert!(text.contains("CAP_NET_RAW"), "{text}");
        assert!(text.contains(&format!("`sudo setcap cap_net_raw+ep {}`", program.display())), "{text}");
        assert!(text.chars().count() < 500, "records keep 500 characters");
    }
}
