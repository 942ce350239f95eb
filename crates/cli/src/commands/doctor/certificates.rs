//! Certificates, and when they end.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use time::{OffsetDateTime, macros::format_description};
use windlass_identity::Certificate;

use super::{Finding, Subject};

/// What ends sooner is worth a word.
const SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Deeper than cryptogen's folders.
const DEEPEST: usize = 12;

/// A certificate in a file.
struct Found {
    path: PathBuf,
    expires_at: SystemTime,
}

/// Looks at every certificate of the network's folder, and at those of the configuration.
pub(super) fn check(subject: &Subject) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(folder) = subject.folder() {
        let mut found = Vec::new();
        collect(&folder.join("organizations"), DEEPEST, &mut found);
        let hint = "`windlass dev --fresh` makes new ones, and starts over";
        findings.extend(judge("certificates of the network", &found, hint, SystemTime::now()));
    }
    if let (Ok((config, _)), Some(_)) = (&subject.configuration.outcome, &subject.configuration.file) {
        let mut found = Vec::new();
        collect(&config.peer.msp_config_path, DEEPEST, &mut found);
        let tls = &config.peer.tls;
        let files = [&tls.certificate, &tls.root_certificate, &tls.client_certificate];
        files.into_iter().flatten().for_each(|file| read(file, &mut found));
        let hint = "have the organization's authority issue new ones";
        findings.extend(judge("certificates of the peer", &found, hint, SystemTime::now()));
    }
    findings
}

fn judge(what: &str, found: &[Found], hint: &str, now: SystemTime) -> Option<Finding> {
    let first = found.iter().min_by_key(|one| one.expires_at)?;
    let (when, path) = (date(first.expires_at), first.path.display());
    Some(if first.expires_at <= now {
        let expired = found.iter().filter(|one| one.expires_at <= now).count();
        let of = format!("{expired} of {} expired, the first on {when}: {path}", found.len());
        Finding::fail(what, of, hint)
    } else if first.expires_at <= now + SOON {
        Finding::warn(what, format!("the first ends soon, on {when}: {path}"), hint)
    } else {
        Finding::ok(what, format!("{}, the first ends on {when}", found.len()))
    })
}

fn date(time: SystemTime) -> String {
    let format = format_description!("[year]-[month]-[day]");
    OffsetDateTime::from(time).format(&format).unwrap_or_default()
}

/// Every certificate in files below a folder.
fn collect(folder: &Path, depth: usize, found: &mut Vec<Found>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth > 0 => collect(&path, depth - 1, found),
            Ok(_) if path.extension().is_some_and(|end| end == "pem" || end == "crt") => read(&path, found),
            _ => {}
        }
    }
}

fn read(path: &Path, found: &mut Vec<Found>) {
    let certificate = fs::read(path).ok().and_then(|text| Certificate::from_pem(&text).ok());
    found.extend(certificate.map(|one| Found { path: path.to_owned(), expires_at: one.expires_at() }));
}

#[cfg(test)]
mod tests {
    use windlass_identity::{Organizations, OrganizationsSpec};

    use super::*;
    use crate::commands::doctor::finding::Level;

    #[test]
    fn tells_what_is_good_what_ends_soon_and_what_has_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        Organizations::create_or_open(folder.path(), &OrganizationsSpec::development(1)).expect("certificates");
        let mut found = Vec::new();
        collect(&folder.path().join("organizations"), DEEPEST, &mut found);
        assert!(found.len() > 10, "{}", found.len());
        let first = found.iter().map(|one| one.expires_at).min().expect("one");
        let level = |now| judge("x", &found, "", now).expect("a finding").level;
        assert_eq!(level(SystemTime::now()), Level::Ok);
        assert_eq!(level(first - Duration::from_secs(60)), Level::Warn);
        assert_eq!(level(first), Level::Fail);
        assert_eq!(judge("x", &[], "", first), None);
    }
}
