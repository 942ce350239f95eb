//! What the `peer` command takes of a connection profile: the addresses and TLS certificates of peers.

use super::{connect::Root, golang};
use crate::profile::Profile;

impl Profile {
    /// Reads YAML or JSON.
    pub(crate) fn read(path: &str) -> Result<Self, String> {
        let text =
            golang::read_file(path.as_ref()).map_err(|error| format!("error reading connection profile: {error}"))?;
        let wrong = |error: String| format!("error unmarshalling YAML: {error}");
        let file = serde_saphyr::from_str(&String::from_utf8_lossy(&text)).map_err(|error| wrong(error.to_string()))?;
        Self::understand(file).map_err(|error| wrong(error.to_string()))
    }

    /// Whether the profile names peers of the channel.
    pub(crate) fn has_channel(&self, channel: &str) -> bool {
        self.channels.get(channel).is_some_and(|channel| !channel.peers.is_empty())
    }

    /// The peers of a channel that endorse. The error is the name of a peer that the profile does not describe.
    pub(crate) fn endorsing_peers(&self, channel: &str) -> Result<Vec<(String, Root)>, String> {
        let Some(channel) = self.channels.get(channel) else { return Ok(Vec::new()) };
        channel.peers.iter().filter(|(_, role)| role.endorsing_peer).map(|(name, _)| self.peer(name)).collect()
    }

    /// Address and TLS root of a peer. The error is its name.
    pub(crate) fn peer(&self, name: &str) -> Result<(String, Root), String> {
        let node = self.peers.get(name).ok_or_else(|| name.to_owned())?;
        let (path, pem) = (&node.tls_ca_certs.path, node.tls_ca_certs.inline());
        let root = if path.is_empty() && !pem.is_empty() { Root::Pem(pem) } else { Root::File(path.clone()) };
        Ok((node.address().to_owned(), root))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_endorsing_peers_of_a_channel() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("profile.yaml");
        let text = "name: n\nchannels:\n  ch:\n    peers:\n      a: {endorsingPeer: true}\n      b: {endorsingPeer: false}\n      c: {}\n  bad:\n    peers:\n      x: {endorsingPeer: true}\npeers:\n  a:\n    url: grpcs://localhost:7051\n    tlsCACerts: {path: /ca.pem}\n  b:\n    url: localhost:8051\n    tlsCACerts: {pem: [one, two]}\n    grpcOptions:\nclient:\n  tlsCerts: {client: {key: {path: }}}\n";
        std::fs::write(&path, text).expect("a file");
        let profile = Profile::read(&path.display().to_string()).expect("a profile");
        assert_eq!(profile.endorsing_peers("ch"), Ok(vec![("localhost:7051".into(), Root::File("/ca.pem".into()))]));
        assert_eq!(profile.peer("b"), Ok(("localhost:8051".into(), Root::Pem("one\ntwo".into()))));
        assert_eq!(profile.endorsing_peers("bad"), Err("x".to_owned()));
        assert_eq!(profile.endorsing_peers("none"), Ok(Vec::new()));
        assert!(profile.has_channel("ch") && !profile.has_channel("none"));
    }
}
