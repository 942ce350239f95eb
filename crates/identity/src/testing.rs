//! What the tests of this crate build on: organizations with real keys and certificates.

use bytes::Bytes;
use windlass_proto::msp::{FabricMspConfig, FabricNodeOUs, FabricOuIdentifier};

use crate::{
    authority::{CertificateAuthority, LeafRequest},
    msp::{Msp, MspManager},
    policy::SignedData,
    sign::SigningIdentity,
};

/// An organization without folders.
pub(crate) struct TestOrg {
    pub(crate) msp_id: String,
    pub(crate) ca: CertificateAuthority,
}

impl TestOrg {
    pub(crate) fn new(msp_id: &str) -> Self {
        let domain = format!("{}.example.com", msp_id.to_lowercase());
        let ca = CertificateAuthority::generate(&format!("ca.{domain}"), &domain).expect("an authority");
        Self { msp_id: msp_id.to_owned(), ca }
    }

    /// Node OUs for all four roles, certified by the root.
    pub(crate) fn config(&self) -> FabricMspConfig {
        let ca = text(self.ca.certificate_pem());
        let unit = |name: &str| {
            Some(FabricOuIdentifier { certificate: ca.clone(), organizational_unit_identifier: name.to_owned() })
        };
        FabricMspConfig {
            name: self.msp_id.clone(),
            root_certs: vec![ca.clone()],
            tls_root_certs: vec![ca.clone()],
            fabric_node_ous: Some(FabricNodeOUs {
                enable: true,
                client_ou_identifier: unit("client"),
                peer_ou_identifier: unit("peer"),
                admin_ou_identifier: unit("admin"),
                orderer_ou_identifier: unit("orderer"),
            }),
            ..Default::default()
        }
    }

    pub(crate) fn msp(&self) -> Msp {
        Msp::from_config(&self.config()).expect("an MSP")
    }

    pub(crate) fn signer(&self, name: &str, unit: Option<&str>) -> SigningIdentity {
        signer_of(&self.ca, &self.msp_id, name, unit)
    }
}

/// An identity issued by any authority.
pub(crate) fn signer_of(ca: &CertificateAuthority, msp_id: &str, name: &str, unit: Option<&str>) -> SigningIdentity {
    let request = LeafRequest { common_name: name, organizational_unit: unit, ..Default::default() };
    let (certificate, key) = ca.issue(&request).expect("a certificate");
    SigningIdentity::new(msp_id, &certificate, key).expect("an identity")
}

/// A manager of these organizations' MSPs.
pub(crate) fn manager(orgs: &[&TestOrg]) -> MspManager {
    MspManager::new(orgs.iter().map(|org| org.msp()))
}

/// What a signer makes of a message.
pub(crate) fn signed(signer: &SigningIdentity, data: &'static [u8]) -> SignedData {
    SignedData {
        data: Bytes::from_static(data),
        identity: signer.serialized().clone(),
        signature: signer.sign(data).into(),
    }
}

pub(crate) fn text(pem: &str) -> Bytes {
    Bytes::copy_from_slice(pem.as_bytes())
}
