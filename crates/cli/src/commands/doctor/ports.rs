//! The ports that `windlass dev` listens at, and who holds them.

use std::{fs, io, net::Ipv4Addr, path::Path};

use tokio::net::TcpListener;

use super::{Finding, Subject};
use crate::dev::{folder::is_in_use, ports::usual};

/// What is checked.
const WHAT: &str = "ports";

/// Tries each port of a network of as many organizations as this one has.
pub(super) async fn check(subject: &Subject) -> Vec<Finding> {
    if subject.folder().is_some_and(|folder| is_in_use(folder)) {
        return vec![Finding::ok(WHAT, "held by the network itself, which runs")];
    }
    let organizations = subject.network().map_or(1, |network| network.organizations.len());
    let mut free = Vec::new();
    let mut findings = Vec::new();
    for port in usual(organizations) {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            Ok(_) => free.push(port.to_string()),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                let who = holder(port).unwrap_or_else(|| "another process".to_owned());
                let hint = "`windlass dev` takes a free port instead; --port-base N chooses others for all";
                findings.push(Finding::warn(format!("port {port}"), format!("held by {who}"), hint));
            }
            Err(error) => {
                let hint = "--port-base N chooses others";
                findings.push(Finding::warn(format!("port {port}"), format!("cannot be used: {error}"), hint));
            }
        }
    }
    if !free.is_empty() {
        findings.insert(0, Finding::ok(WHAT, format!("{} free", free.join(", "))));
    }
    findings
}

/// Who listens at a port, where the system tells: `process 7 (java)`.
fn holder(port: u16) -> Option<String> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| {
        fs::read_to_string(table).ok()?.lines().find_map(|line| Some(listener(line, port)?.to_owned()))
    })?;
    let socket = format!("socket:[{inode}]");
    let is_process = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    for process in fs::read_dir("/proc").ok()?.flatten().filter(|one| one.file_name().to_str().is_some_and(is_process))
    {
        let has = fs::read_dir(process.path().join("fd"))
            .is_ok_and(|files| files.flatten().any(|file| leads_to(&file.path(), &socket)));
        if has {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("process {} ({})", process.file_name().to_string_lossy(), name.trim()));
        }
    }
    None
}

/// The inode of the socket that a line of `/proc/net/tcp` tells of, if it listens at the port.
fn listener(line: &str, port: u16) -> Option<&str> {
    const LISTENING: &str = "0A";
    let fields: Vec<_> = line.split_whitespace().collect();
    let (_, found) = fields.get(1)?.rsplit_once(':')?;
    let listens = fields.get(3) == Some(&LISTENING) && u16::from_str_radix(found, 16) == Ok(port);
    fields.get(9).filter(|_| listens).copied()
}

fn leads_to(link: &Path, to: &str) -> bool {
    fs::read_link(link).is_ok_and(|target| target.as_os_str() == to)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpSocket;

    use super::*;

    #[tokio::test]
    async fn names_who_listens_at_a_port() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = taken.local_addr().expect("an address").port();
        if Path::new("/proc/net/tcp").exists() {
            let who = holder(port).expect("this process");
            assert!(who.starts_with(&format!("process {} (", std::process::id())), "{who}");
        }
        drop(taken);
        // Ours still, so that nobody else can listen there, but nobody does.
        let silent = TcpSocket::new_v4().expect("a socket");
        silent.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
        assert_eq!(holder(silent.local_addr().expect("an address").port()), None);
    }

    #[test]
    fn finds_a_listener_in_the_systems_table() {
        let line =
            "   0: 0100007F:1B8B 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 4711 1 x 100 0 0 10 0";
        assert_eq!(listener(line, 0x1b8b), Some("4711"));
        assert_eq!(listener(line, 7052), None);
        assert_eq!(listener(&line.replace(" 0A ", " 01 "), 0x1b8b), None, "a connection does not listen");
    }
}
