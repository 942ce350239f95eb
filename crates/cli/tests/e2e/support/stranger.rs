//! Identities that are not, or no longer, what they should be.

use std::{path::Path, time::Duration};

use windlass_identity::{CertificateAuthority, LeafRequest, SigningIdentity};

use super::ready::Ready;

/// From an authority of its own that claims to be of this MSP.
pub(crate) fn of_another_authority(msp_id: &str) -> SigningIdentity {
    let authority = CertificateAuthority::generate("ca.elsewhere.example.com", "elsewhere.example.com");
    issue(&authority.expect("an authority"), msp_id, "client", None)
}

/// From the network's own authority, but its certificate has expired.
pub(crate) fn expired(ready: &Ready) -> SigningIdentity {
    issue(&network_authority(ready), &ready.msp_id, "client", Some(Duration::ZERO))
}

/// From the network's own authority, in this role.
pub(crate) fn with_role(ready: &Ready, role: &str) -> SigningIdentity {
    issue(&network_authority(ready), &ready.msp_id, role, None)
}

fn issue(authority: &CertificateAuthority, msp_id: &str, role: &str, validity: Option<Duration>) -> SigningIdentity {
    let request = LeafRequest {
        common_name: "stranger@example.com",
        organizational_unit: Some(role),
        validity,
        ..Default::default()
    };
    let (certificate, key) = authority.issue(&request).expect("a certificate");
    SigningIdentity::new(msp_id, &certificate, key).expect("an identity")
}

fn network_authority(ready: &Ready) -> CertificateAuthority {
    let folder = ready.data.join("organizations/peerOrganizations/org1.example.com/ca");
    let read = |path: &Path| std::fs::read_to_string(path).expect("a file of the authority");
    let certificate = read(&folder.join("ca.org1.example.com-cert.pem"));
    CertificateAuthority::from_pem(&certificate, &read(&folder.join("priv_sk"))).expect("an authority")
}
