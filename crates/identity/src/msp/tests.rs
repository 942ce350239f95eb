use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::{any, prop, prop_assert_eq, proptest};
use prost::Message;
use windlass_proto::{
    common::{
        CombinedPrincipal, MspIdentityAnonymity, MspPrincipal, OrganizationUnit, msp_principal::Classification,
        msp_role::MspRoleType,
    },
    msp::{FabricMspConfig, FabricOuIdentifier, SerializedIdentity},
};

use super::*;
use crate::{
    authority::{CertificateAuthority, LeafRequest, LeafUsage},
    der,
    identity::serialize_identity,
    keys::{Curve, low_s},
    pem,
    policy::role_principal,
    sign::SigningIdentity,
    testing::{TestOrg, manager, signer_of, text},
};

fn read(msps: &MspManager, signer: &SigningIdentity) -> Arc<Identity> {
    msps.deserialize(signer.serialized()).expect("an identity")
}

fn validated(msp: Msp, signer: &SigningIdentity) -> Result<(), MspError> {
    let msps = MspManager::new([msp]);
    let identity = read(&msps, signer);
    msps.validate(&identity)
}

fn principal(class: Classification, message: &impl Message) -> MspPrincipal {
    MspPrincipal { principal_classification: class.into(), principal: message.encode_to_vec().into() }
}

#[test]
fn tells_roles_apart_by_unit() {
    let org = TestOrg::new("Org1MSP");
    let msps = manager(&[&org]);
    for (unit, role) in [
        ("client", MspRoleType::Client),
        ("peer", MspRoleType::Peer),
        ("admin", MspRoleType::Admin),
        ("orderer", MspRoleType::Orderer),
    ] {
        let identity = read(&msps, &org.signer("someone", Some(unit)));
        for asked in
            [MspRoleType::Member, MspRoleType::Client, MspRoleType::Peer, MspRoleType::Admin, MspRoleType::Orderer]
        {
            let satisfied = msps.satisfies(&identity, &role_principal("Org1MSP", asked)).is_ok();
            assert_eq!(satisfied, asked == MspRoleType::Member || asked == role, "{unit} as {asked:?}");
        }
    }
}

#[test]
fn refuses_in_fabrics_words() {
    let org = TestOrg::new("Org1MSP");
    let msps = manager(&[&org]);
    let client = read(&msps, &org.signer("user", Some("client")));
    for (principal, expected) in [
        (
            role_principal("Org1MSP", MspRoleType::Admin),
            "The identity is not an admin under this MSP [Org1MSP]: The identity does not contain OU [ADMIN], MSP: [Org1MSP]",
        ),
        (
            role_principal("Org1MSP", MspRoleType::Peer),
            "The identity is not a [PEER] under this MSP [Org1MSP]: The identity does not contain OU [PEER], MSP: [Org1MSP]",
        ),
        (
            role_principal("Org2MSP", MspRoleType::Member),
            "the identity is a member of a different MSP (expected Org2MSP, got Org1MSP)",
        ),
        (MspPrincipal { principal_classification: 9, principal: Bytes::new() }, "invalid principal type 9"),
        (
            principal(
                Classification::Role,
                &windlass_proto::common::MspRole { msp_identifier: "Org1MSP".into(), role: 7 },
            ),
            "invalid MSP role type 7",
        ),
        (
            principal(Classification::Anonymity, &MspIdentityAnonymity { anonymity_type: 1 }),
            "Principal is anonymous, but X.509 MSP does not support anonymous identities",
        ),
        (principal(Classification::Combined, &CombinedPrincipal::default()), "No principals in CombinedPrincipal"),
    ] {
        assert_eq!(msps.satisfies(&client, &principal).expect_err(expected).to_string(), expected);
    }
    let stranger = read(&msps, &signer_of(&TestOrg::new("Evil").ca, "Org1MSP", "user", Some("admin")));
    assert_eq!(
        msps.satisfies(&stranger, &role_principal("Org1MSP", MspRoleType::Admin)).expect_err("unknown").to_string(),
        "The identity is not valid under this MSP [Org1MSP]: could not obtain certification chain: failed getting validation chain: the supplied identity is not valid: x509: certificate signed by unknown authority"
    );
}

#[test]
fn refuses_units_that_do_not_fit() {
    let org = TestOrg::new("Org1MSP");
    let none = validated(org.msp(), &org.signer("x", Some("boss"))).expect_err("no role").to_string();
    assert!(none.starts_with("could not validate identity's OUs: the identity does not have an OU that resolves to client, peer, orderer, or admin role. OUs: [boss("), "{none}");
    assert!(none.ends_with(")], MSP: [Org1MSP]"), "{none}");
    let bare = validated(org.msp(), &org.signer("x", None)).expect_err("no unit").to_string();
    assert!(bare.ends_with("OUs: [], MSP: [Org1MSP]"), "{bare}");
}

#[test]
fn counts_a_role_only_under_its_certifier() {
    let org = TestOrg::new("Org1MSP");
    let second = CertificateAuthority::generate("ca2", "org1").expect("an authority");
    let mut config = org.config();
    config.root_certs.push(text(second.certificate_pem()));
    let signer = signer_of(&second, "Org1MSP", "x", Some("peer"));
    let error = validated(Msp::from_config(&config).expect("an MSP"), &signer).expect_err("other CA").to_string();
    assert!(
        error.starts_with("could not validate identity's OUs: certifiersIdentifier does not match: [peer("),
        "{error}"
    );
    // Without a certificate any CA of the MSP certifies the unit.
    if let Some(units) = &mut config.fabric_node_ous {
        units.peer_ou_identifier =
            Some(FabricOuIdentifier { certificate: Bytes::new(), organizational_unit_identifier: "peer".into() });
    }
    assert_eq!(validated(Msp::from_config(&config).expect("an MSP"), &signer), Ok(()));
}

#[test]
fn accepts_expired_certificates() {
    let org = TestOrg::new("Org1MSP");
    let request = LeafRequest {
        common_name: "late",
        organizational_unit: Some("client"),
        // Certificates begin five minutes ago.
        validity: Some(Duration::ZERO),
        ..Default::default()
    };
    let (certificate, key) = org.ca.issue(&request).expect("a certificate");
    let signer = SigningIdentity::new("Org1MSP", &certificate, key).expect("an identity");
    let msps = manager(&[&org]);
    let identity = read(&msps, &signer);
    assert!(identity.expires_at() <= std::time::SystemTime::now());
    assert_eq!(msps.validate(&identity), Ok(()));
}

#[test]
fn builds_chains_through_intermediates() {
    let org = TestOrg::new("Org1MSP");
    let middle = org.ca.issue_authority("middle").expect("an authority");
    let low = middle.issue_authority("low").expect("an authority");
    let mut config = org.config();
    config.intermediate_certs = vec![text(low.certificate_pem()), text(middle.certificate_pem())];
    config.fabric_node_ous = None;
    config.admins = vec![text(signer_of(&low, "Org1MSP", "boss", None).certificate_pem())];
    let msp = || Msp::from_config(&config).expect("an MSP");
    assert_eq!(validated(msp(), &signer_of(&low, "Org1MSP", "x", None)), Ok(()));
    for above in [&org.ca, &middle] {
        let error = validated(msp(), &signer_of(above, "Org1MSP", "x", None)).expect_err("not a leaf").to_string();
        assert!(error.contains("Parent certificate should be a leaf of the certification tree ["), "{error}");
    }
    let mut broken = config.clone();
    broken.intermediate_certs.pop();
    broken.admins.clear();
    let error = Msp::from_config(&broken).expect_err("no path").to_string();
    assert!(error.starts_with("CA Certificate is not valid, (SN: "), "{error}");
}

#[test]
fn shows_the_candidate_that_did_not_fit() {
    let org = TestOrg::new("Org1MSP");
    let namesake = TestOrg::new("Org1MSP");
    let error = validated(org.msp(), &namesake.signer("x", Some("peer"))).expect_err("another key").to_string();
    assert!(
        error.ends_with("x509: certificate signed by unknown authority (possibly because of \"x509: ECDSA verification failure\" while trying to verify candidate authority certificate \"ca.org1msp.example.com\")"),
        "{error}"
    );
}

#[test]
fn refuses_an_authority_as_identity() {
    let org = TestOrg::new("Org1MSP");
    let msps = manager(&[&org]);
    let identity = msps.deserialize(&serialize_identity("Org1MSP", org.ca.certificate_pem())).expect("an identity");
    assert_eq!(
        msps.validate(&identity).expect_err("a CA").to_string(),
        "could not obtain certification chain: An X509 certificate with Basic Constraint: Certificate Authority equals true cannot be used as an identity"
    );
}

#[test]
fn refuses_certificates_for_clients_of_tls_only() {
    let org = TestOrg::new("Org1MSP");
    for (usage, valid) in [(LeafUsage::TlsClient, false), (LeafUsage::TlsBoth, true), (LeafUsage::TlsServer, true)] {
        let request =
            LeafRequest { common_name: "x", organizational_unit: Some("client"), usage, ..Default::default() };
        let (certificate, key) = org.ca.issue(&request).expect("a certificate");
        let signer = SigningIdentity::new("Org1MSP", &certificate, key).expect("an identity");
        assert_eq!(validated(org.msp(), &signer).is_ok(), valid, "{usage:?}");
    }
}

#[test]
fn refuses_revoked_certificates() {
    let org = TestOrg::new("Org1MSP");
    let (gone, kept) = (org.signer("gone", Some("client")), org.signer("kept", Some("client")));
    let mut config = org.config();
    config.revocation_list = vec![text(&org.ca.revoke(&[gone.certificate()]).expect("a list"))];
    let msp = |config: &FabricMspConfig| Msp::from_config(config).expect("an MSP");
    assert_eq!(
        validated(msp(&config), &gone).expect_err("revoked").to_string(),
        "could not validate identity against certification chain: The certificate has been revoked"
    );
    assert_eq!(validated(msp(&config), &kept), Ok(()));
    // A list that the issuer did not sign counts for nothing.
    let list = pem::decode(&config.revocation_list[0]).expect("a block").0.contents;
    let forged = der::with_signature(&list, &TestOrg::new("Evil").signer("x", None).sign(b"list")).expect("a list");
    config.revocation_list = vec![forged.into()];
    assert_eq!(validated(msp(&config), &gone), Ok(()));
    config.revocation_list = vec![Bytes::from_static(b"x")];
    assert!(matches!(Msp::from_config(&config), Err(MspError::Setup(SetupError::RevocationList(0)))));
}

#[test]
fn knows_listed_admins() {
    let org = TestOrg::new("Org1MSP");
    let admin = org.signer("boss", None);
    let mut config = org.config();
    config.fabric_node_ous = None;
    assert_eq!(
        Msp::from_config(&config).expect_err("nobody").to_string(),
        "administrators must be declared when no admin ou classification is set"
    );
    config.admins = vec![text(admin.certificate_pem())];
    let msps = MspManager::new([Msp::from_config(&config).expect("an MSP")]);
    let as_admin = role_principal("Org1MSP", MspRoleType::Admin);
    assert_eq!(msps.satisfies(&read(&msps, &admin), &as_admin), Ok(()));
    let other = read(&msps, &org.signer("other", Some("admin")));
    assert_eq!(msps.satisfies(&other, &as_admin).expect_err("not listed").to_string(), "This identity is not an admin");
    let as_client = role_principal("Org1MSP", MspRoleType::Client);
    assert_eq!(
        msps.satisfies(&other, &as_client).expect_err("no units").to_string(),
        "The identity is not a [CLIENT] under this MSP [Org1MSP]: NodeOUs not activated. Cannot tell apart identities."
    );
    let as_orderer = role_principal("Org1MSP", MspRoleType::Orderer);
    assert_eq!(msps.satisfies(&other, &as_orderer).expect_err("no units").to_string(), "invalid MSP role type 4");
}

#[test]
fn refuses_listed_admins_that_are_strangers_or_peers() {
    let org = TestOrg::new("Org1MSP");
    let mut config = org.config();
    config.admins = vec![text(TestOrg::new("Evil").signer("x", Some("admin")).certificate_pem())];
    let error = Msp::from_config(&config).expect_err("a stranger").to_string();
    assert!(error.starts_with("admin 0 is invalid: could not obtain certification chain: "), "{error}");
    config.admins = vec![text(org.signer("x", Some("peer")).certificate_pem())];
    assert_eq!(Msp::from_config(&config).expect_err("a peer").to_string(), "admin 0 is invalid");
}

#[test]
fn follows_the_rules_of_older_channels() {
    let org = TestOrg::new("Org1MSP");
    let admin = org.signer("boss", Some("client"));
    let mut config = org.config();
    config.admins = vec![text(admin.certificate_pem())];
    let msp = |version| Msp::with_version(&config, version).expect("an MSP");
    let by_unit = org.signer("x", Some("admin"));
    assert_eq!(validated(msp(MspVersion::V1_0), &by_unit), Ok(()));
    let error = validated(msp(MspVersion::V1_3), &by_unit).expect_err("no client").to_string();
    assert!(error.contains("the identity must be a client or a peer identity to be valid, not a combination of them."));
    assert_eq!(validated(msp(MspVersion::V1_4_3), &by_unit), Ok(()));
    let msps = MspManager::new([msp(MspVersion::V1_3)]);
    assert_eq!(msps.satisfies(&read(&msps, &admin), &role_principal("Org1MSP", MspRoleType::Admin)), Ok(()));
}

#[test]
fn asks_for_units_outside_of_roles() {
    let org = TestOrg::new("Org1MSP");
    let mut config = org.config();
    config.fabric_node_ous = None;
    let required = FabricOuIdentifier {
        certificate: text(org.ca.certificate_pem()),
        organizational_unit_identifier: "sales".into(),
    };
    config.organizational_unit_identifiers = vec![required];
    config.admins = vec![text(org.signer("boss", Some("sales")).certificate_pem())];
    let msp = || Msp::from_config(&config).expect("an MSP");
    assert_eq!(validated(msp(), &org.signer("x", Some("sales"))), Ok(()));
    assert_eq!(
        validated(msp(), &org.signer("x", None)).expect_err("none").to_string(),
        "could not validate identity's OUs: the identity certificate does not contain an Organizational Unit (OU)"
    );
    let error = validated(msp(), &org.signer("x", Some("legal"))).expect_err("another").to_string();
    assert!(error.contains("none of the identity's organizational units [legal("), "{error}");
    assert!(error.ends_with("are in MSP Org1MSP"), "{error}");
}

#[test]
fn judges_units_identities_and_combinations() {
    let org = TestOrg::new("Org1MSP");
    let msps = manager(&[&org]);
    let signer = org.signer("x", Some("peer"));
    let identity = read(&msps, &signer);
    let root = crate::Certificate::from_pem(org.ca.certificate_pem().as_bytes()).expect("a certificate");
    let unit = |name: &str, certifiers: &[u8]| {
        principal(
            Classification::OrganizationUnit,
            &OrganizationUnit {
                msp_identifier: "Org1MSP".into(),
                organizational_unit_identifier: name.into(),
                certifiers_identifier: Bytes::copy_from_slice(certifiers),
            },
        )
    };
    // The identifier of certifiers is the hash of the chain above the identity, here of the root alone.
    let peer = unit("peer", root.hash());
    let itself = MspPrincipal {
        principal_classification: Classification::Identity.into(),
        principal: signer.serialized().clone(),
    };
    let member = role_principal("Org1MSP", MspRoleType::Member);
    let both = |parts: [&MspPrincipal; 2]| {
        principal(Classification::Combined, &CombinedPrincipal { principals: parts.into_iter().cloned().collect() })
    };
    let nominal = principal(Classification::Anonymity, &MspIdentityAnonymity { anonymity_type: 0 });
    for satisfied in [&peer, &itself, &nominal, &both([&peer, &member]), &both([&both([&itself, &member]), &peer])] {
        assert_eq!(msps.satisfies(&identity, satisfied), Ok(()));
    }
    let another = MspPrincipal {
        principal_classification: Classification::Identity.into(),
        principal: org.signer("y", Some("peer")).serialized().clone(),
    };
    for refused in [&unit("peer", b""), &unit("client", root.hash()), &another, &both([&member, &another])] {
        assert_eq!(msps.satisfies(&identity, refused), Err(MspError::NoMatch));
    }
}

#[test]
fn explains_what_is_not_an_identity() {
    let org = TestOrg::new("Org1MSP");
    let msps = manager(&[&org]);
    let pem = org.signer("x", Some("peer")).certificate_pem().to_owned();
    let refused = |msp_id: &str, id: &str| {
        let message = SerializedIdentity { mspid: msp_id.into(), id_bytes: text(id) };
        msps.deserialize(&message.encode_to_vec()).expect_err("no identity").to_string()
    };
    assert_eq!(refused("Org2MSP", &pem), "MSP Org2MSP is not defined on channel");
    assert_eq!(refused("Org1MSP", ""), "could not decode the PEM structure");
    assert_eq!(refused("Org1MSP", &format!("{pem}x")), format!("identity {pem}x for MSP Org1MSP has trailing bytes"));
    assert_eq!(
        refused("Org1MSP", &format!("{pem}{pem}")),
        format!("identity {pem}{pem} for MSP Org1MSP has trailing bytes")
    );
    assert_eq!(
        refused("Org1MSP", &pem.replace("CERTIFICATE", "KEY")),
        "pem type is KEY, should be 'CERTIFICATE' or missing"
    );
    assert!(refused("Org1MSP", &pem::encode("CERTIFICATE", b"x")).starts_with("parseCertificate failed: "));
    assert!(
        msps.deserialize(b"\xff")
            .expect_err("garbage")
            .to_string()
            .starts_with("could not deserialize a SerializedIdentity: ")
    );
}

/// The certificate with another signature: (r, s) mirrored, and then with a third integer.
fn resigned(pem_text: &str, change: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let der = pem::decode(pem_text.as_bytes()).expect("a block").0.contents;
    let content = der::sequence_content(&der).expect("a sequence");
    let (_, rest) = der::take_element(content).expect("to be signed");
    let (_, bits) = der::take_element(rest).expect("algorithm");
    let signature = &bits[3..];
    pem::encode("CERTIFICATE", &der::with_signature(&der, &change(signature)).expect("a certificate"))
}

#[test]
fn knows_a_certificate_by_its_lower_s() {
    let org = TestOrg::new("Org1MSP");
    let msps = manager(&[&org]);
    let signer = org.signer("x", Some("peer"));
    let high =
        resigned(signer.certificate_pem(), |signature| low_s::mirrored(Curve::P256, signature).expect("a signature"));
    assert_ne!(high, signer.certificate_pem());
    let identity = msps.deserialize(&serialize_identity("Org1MSP", &high)).expect("an identity");
    assert_eq!(identity.certificate_hash(), read(&msps, &signer).certificate_hash());
    assert_eq!(msps.validate(&identity), Ok(()));

    let loose = resigned(signer.certificate_pem(), |signature| {
        let content = der::sequence_content(signature).expect("a sequence");
        der::element(0x30, &[content, &[0x02, 0x01, 0x64]].concat())
    });
    assert_eq!(
        msps.deserialize(&serialize_identity("Org1MSP", &loose)).expect_err("three integers").to_string(),
        format!("identity {loose} for MSP Org1MSP has a non canonical signature")
    );
}

#[test]
fn explains_what_is_not_an_msp() {
    let org = TestOrg::new("Org1MSP");
    let error = |change: &dyn Fn(&mut FabricMspConfig)| {
        let mut config = org.config();
        change(&mut config);
        Msp::from_config(&config).expect_err("no MSP").to_string()
    };
    assert_eq!(error(&|config| config.root_certs.clear()), "expected at least one CA certificate");
    assert_eq!(
        error(&|config| config.root_certs[0] = Bytes::from_static(b"x")),
        "root CA: could not decode the PEM structure"
    );
    let leaf = org.signer("x", None);
    let leaf_error = error(&|config| config.root_certs.push(text(leaf.certificate_pem())));
    assert_eq!(
        leaf_error,
        format!("CA Certificate did not have the CA attribute, (SN: {})", leaf.certificate().serial_hex())
    );
    let stranger = TestOrg::new("Evil");
    let certifier = error(&|config| {
        if let Some(unit) = config.fabric_node_ous.as_mut().and_then(|units| units.peer_ou_identifier.as_mut()) {
            unit.certificate = text(stranger.ca.certificate_pem());
        }
    });
    assert_eq!(certifier, "failed adding OU. Certificate for [ca.evil.example.com] not in root or intermediate certs.");
}

#[test]
fn verifies_messages() {
    let org = TestOrg::new("Org1MSP");
    let msps = manager(&[&org]);
    let signer = org.signer("x", Some("peer"));
    let identity = read(&msps, &signer);
    assert_eq!(identity.verify(b"m", &signer.sign(b"m")), Ok(()));
    let error = identity.verify(b"n", &signer.sign(b"m")).expect_err("another message");
    assert_eq!(error.to_string(), "The signature is invalid");
    assert_eq!(identity.common_name(), Some("x"));
    assert!(Arc::ptr_eq(&identity, &read(&msps, &signer)));
    assert_eq!(msps.ids(), ["Org1MSP"]);
    assert_eq!(msps.msp("Org1MSP").map(Msp::tls_roots_pem), Some(vec![org.ca.certificate_pem().to_owned()]));
}

#[test]
fn refuses_a_key_that_is_not_the_certificates() {
    let org = TestOrg::new("Org1MSP");
    let (one, two) = (org.signer("one", None), org.signer("two", None));
    let error = SigningIdentity::new("Org1MSP", one.certificate_pem(), two.key().clone()).expect_err("mixed up");
    assert_eq!(error.to_string(), "the private key does not match the public key of the certificate of 'one'");
}

#[test]
fn knows_no_second_form_of_a_certificate() {
    let org = TestOrg::new("Org1MSP");
    let msps = manager(&[&org]);
    let signer = org.signer("x", Some("peer"));
    let der = signer.certificate().der().clone();
    let content = der::sequence_content(&der).expect("a sequence");
    let (signed, rest) = der::take_element(content).expect("to be signed");
    let (algorithm, bits) = der::take_element(rest).expect("algorithm");
    let algorithm = der::sequence_content(algorithm).expect("a sequence");
    let with_null = der::element(0x30, &[algorithm, &[0x05, 0x00]].concat());
    let mut long_length = vec![0x30, 0x84, 0, 0];
    long_length.extend((content.len() as u16).to_be_bytes());
    for second in [
        der::element(0x30, &[signed, &with_null, bits].concat()),
        der::element(0x30, &[content, &[0x05, 0x00]].concat()),
        [&long_length[..], content].concat(),
        [&der[..], &[0]].concat(),
    ] {
        let serialized = serialize_identity("Org1MSP", &pem::encode("CERTIFICATE", &second));
        let error = msps.deserialize(&serialized).expect_err("a second form").to_string();
        assert!(error.starts_with("parseCertificate failed: "), "{error}");
    }
}

#[test]
fn never_takes_a_changed_certificate() {
    let org = TestOrg::new("Org1MSP");
    let msps = manager(&[&org]);
    let signer = org.signer("x", Some("peer"));
    let original = signer.certificate().der().clone();
    proptest!(|(at in any::<prop::sample::Index>(), value in any::<u8>())| {
        let mut der = original.to_vec();
        let at = at.index(der.len());
        der[at] = value;
        let serialized = serialize_identity("Org1MSP", &pem::encode("CERTIFICATE", &der));
        let valid = msps.deserialize(&serialized).is_ok_and(|identity| msps.validate(&identity).is_ok());
        prop_assert_eq!(valid, der == original);
    });
}

#[test]
fn never_panics_on_what_it_is_sent() {
    let org = TestOrg::new("Org1MSP");
    let msps = manager(&[&org]);
    let original = org.signer("x", Some("peer")).serialized().clone();
    proptest!(|(at in any::<prop::sample::Index>(), piece in prop::collection::vec(any::<u8>(), 0..8))| {
        let mut bytes = original.to_vec();
        let at = at.index(bytes.len());
        let end = (at + piece.len()).min(bytes.len());
        bytes.splice(at..end, piece);
        if let Ok(identity) = msps.deserialize(&bytes) {
            let _ = msps.validate(&identity);
        }
    });
}
