use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use windlass_proto::{common::msp_role::MspRoleType, msp::FabricMspConfig};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::*;
use crate::{
    identity::serialize_identity,
    msp::{Msp, MspManager, MspVersion, folder_to_config},
    policy::role_principal,
    sign::SigningIdentity,
};

fn files(folder: &Path) -> Vec<String> {
    fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                found.push(path.strip_prefix(root).expect("inside").display().to_string());
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, folder, &mut found);
    found.sort();
    found
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

#[test]
fn writes_cryptogens_layout() {
    let dir = tempfile::tempdir().expect("a folder");
    let organizations =
        Organizations::create_or_open(dir.path(), &OrganizationsSpec::development(1)).expect("organizations");
    let mut expected = Vec::new();
    let mut organization = |folder: &str, domain: &str, members: &[(&str, &str)]| {
        let ca = format!("ca.{domain}-cert.pem");
        let tlsca = format!("tlsca.{domain}-cert.pem");
        expected.extend([format!("{folder}/ca/{ca}"), format!("{folder}/ca/priv_sk")]);
        expected.extend([format!("{folder}/tlsca/{tlsca}"), format!("{folder}/tlsca/priv_sk")]);
        let mut verifying = |msp: &str| {
            expected.extend([
                format!("{folder}/{msp}/cacerts/{ca}"),
                format!("{folder}/{msp}/tlscacerts/{tlsca}"),
                format!("{folder}/{msp}/config.yaml"),
            ]);
        };
        verifying("msp");
        for (member, _) in members {
            verifying(&format!("{member}/msp"));
        }
        for (member, side) in members {
            let name = member.rsplit('/').next().expect("a name");
            expected.extend([
                format!("{folder}/{member}/msp/signcerts/{name}-cert.pem"),
                format!("{folder}/{member}/msp/keystore/priv_sk"),
                format!("{folder}/{member}/tls/ca.crt"),
                format!("{folder}/{member}/tls/{side}.crt"),
                format!("{folder}/{member}/tls/{side}.key"),
            ]);
        }
    };
    organization(
        "peerOrganizations/org1.example.com",
        "org1.example.com",
        &[
            ("peers/peer0.org1.example.com", "server"),
            ("users/Admin@org1.example.com", "client"),
            ("users/User1@org1.example.com", "client"),
        ],
    );
    organization(
        "ordererOrganizations/example.com",
        "example.com",
        &[("orderers/orderer.example.com", "server"), ("users/Admin@example.com", "client")],
    );
    expected.sort();
    assert_eq!(files(organizations.folder()), expected);

    let org1 = organizations.peer_organization("Org1MSP").expect("the organization");
    assert_eq!(mode(&org1.peer_msp(0).join("keystore")), 0o700);
    assert_eq!(mode(&org1.peer_msp(0).join("keystore/priv_sk")), 0o600);
    assert_eq!(mode(&org1.peer_tls(0).join("server.key")), 0o600);
    assert_eq!(mode(&org1.folder().join("ca")), 0o700);
    assert_eq!(mode(&org1.folder().join("ca/priv_sk")), 0o600);
}

#[test]
fn makes_msps_that_accept_their_members() {
    let dir = tempfile::tempdir().expect("a folder");
    let organizations =
        Organizations::create_or_open(dir.path(), &OrganizationsSpec::development(2)).expect("organizations");
    let orderer = organizations.orderer_organization();
    let [org1, org2] = organizations.peer_organizations() else { panic!("two organizations") };
    for (msp_id, msp, member, role) in [
        ("Org1MSP", org1.msp(), org1.peer_msp(0), MspRoleType::Peer),
        ("Org1MSP", org1.peer_msp(0), org1.user_msp("Admin"), MspRoleType::Admin),
        ("Org2MSP", org2.user_msp("User1"), org2.user_msp("User1"), MspRoleType::Client),
        ("OrdererMSP", orderer.msp(), orderer.orderer_msp(0), MspRoleType::Orderer),
        ("OrdererMSP", orderer.orderer_msp(0), orderer.user_msp("Admin"), MspRoleType::Admin),
    ] {
        let config = folder_to_config(msp_id, &msp).expect("a configuration");
        assert_eq!(config.tls_root_certs.len(), 1);
        let msps = MspManager::new([Msp::from_config(&config).expect("an MSP")]);
        let signer = SigningIdentity::from_msp_folder(msp_id, &member).expect("an identity");
        let identity = msps.deserialize(signer.serialized()).expect("an identity");
        assert_eq!(msps.satisfies(&identity, &role_principal(msp_id, role)), Ok(()), "{}", member.display());
    }
}

#[test]
fn names_hosts_in_server_certificates() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut spec = OrganizationsSpec::development(1);
    spec.peer_organizations[0].extra_names = vec!["host.docker.internal".into(), "10.0.0.7".into()];
    let organizations = Organizations::create_or_open(dir.path(), &spec).expect("organizations");
    let tls = organizations.peer_organizations()[0].peer_tls(0);
    let pem = fs::read(tls.join("server.crt")).expect("a file");
    let certificate = Certificate::from_pem(&pem).expect("a certificate");
    let (_, parsed) = X509Certificate::from_der(certificate.der()).expect("a certificate");
    let names = parsed.subject_alternative_name().expect("well formed").expect("names");
    let shown: Vec<String> = names
        .value
        .general_names
        .iter()
        .map(|name| match name {
            GeneralName::DNSName(name) => (*name).to_owned(),
            GeneralName::IPAddress(bytes) => format!("{bytes:?}"),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        shown,
        [
            "peer0.org1.example.com",
            "peer0",
            "host.docker.internal",
            "[10, 0, 0, 7]",
            "localhost",
            "[127, 0, 0, 1]",
            "[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]",
        ]
    );
    let ca = Certificate::from_pem(&fs::read(tls.join("ca.crt")).expect("a file")).expect("a certificate");
    assert!(certificate.is_signed_by(&ca));
    let key = SigningKey::from_pem(&fs::read_to_string(tls.join("server.key")).expect("a file")).expect("a key");
    assert_eq!(key.public_key(), certificate.public_key());
}

#[test]
fn keeps_what_exists_and_adds_what_is_missing() {
    let dir = tempfile::tempdir().expect("a folder");
    let first = Organizations::create_or_open(dir.path(), &OrganizationsSpec::development(1)).expect("organizations");
    let read_all = |organizations: &Organizations| -> Vec<(String, String)> {
        let folder = organizations.folder().to_path_buf();
        files(&folder)
            .into_iter()
            .map(|name| (name.clone(), fs::read_to_string(folder.join(name)).expect("text")))
            .collect()
    };
    let before = read_all(&first);
    let mut spec = OrganizationsSpec::development(2);
    spec.peer_organizations[0].peers = 2;
    spec.peer_organizations[0].users = 2;
    let second = Organizations::create_or_open(dir.path(), &spec).expect("organizations");
    let after = read_all(&second);
    assert!(before.iter().all(|file| after.contains(file)));
    let org1 = &second.peer_organizations()[0];
    let msps = MspManager::new([
        Msp::from_config(&folder_to_config("Org1MSP", &org1.msp()).expect("a configuration")).expect("an MSP")
    ]);
    for member in [org1.peer_msp(1), org1.user_msp("User2")] {
        let signer = SigningIdentity::from_msp_folder("Org1MSP", &member).expect("an identity");
        let identity = msps.deserialize(signer.serialized()).expect("an identity");
        assert_eq!(msps.validate(&identity), Ok(()));
    }
    assert!(second.peer_organizations()[1].peer_tls(0).join("server.key").is_file());
    let third = Organizations::create_or_open(dir.path(), &spec).expect("organizations");
    assert_eq!(read_all(&third), after);
}

#[test]
fn starts_over_where_it_was_interrupted() {
    let dir = tempfile::tempdir().expect("a folder");
    let leftover = dir.path().join("organizations/peerOrganizations/.incomplete-org1.example.com/ca");
    fs::create_dir_all(&leftover).expect("a folder");
    fs::write(leftover.join("priv_sk"), "half").expect("a file");
    let organizations =
        Organizations::create_or_open(dir.path(), &OrganizationsSpec::default()).expect("organizations");
    assert!(!leftover.exists());
    assert!(organizations.peer_organizations()[0].msp().is_dir());
}

#[test]
fn refuses_names_that_leave_the_folder() {
    let dir = tempfile::tempdir().expect("a folder");
    for name in ["", "..", "a/b", ".hidden"] {
        let mut spec = OrganizationsSpec::development(1);
        spec.peer_organizations[0].domain = name.to_owned();
        let error = Organizations::create_or_open(dir.path(), &spec).expect_err(name).to_string();
        assert_eq!(
            error,
            format!("'{name}' cannot be the name of a folder: expected letters, digits, '.', '-' and '_'")
        );
    }
}

#[test]
fn opens_an_authority_again() {
    let authority = CertificateAuthority::generate("ca.x", "x").expect("an authority");
    let again = CertificateAuthority::from_pem(authority.certificate_pem(), &authority.key_pem()).expect("the same");
    let (leaf, key) = again.issue(&LeafRequest { common_name: "y", ..Default::default() }).expect("a certificate");
    let leaf = Certificate::from_pem(leaf.as_bytes()).expect("a certificate");
    let ca = Certificate::from_pem(authority.certificate_pem().as_bytes()).expect("a certificate");
    assert!(leaf.is_signed_by(&ca));
    assert_eq!(leaf.organization(), Some("x"));
    let other = CertificateAuthority::generate("ca.z", "z").expect("an authority");
    for (certificate, key) in
        [(authority.certificate_pem().to_owned(), other.key_pem()), (leaf.to_pem(), key.to_pkcs8_pem())]
    {
        let error = CertificateAuthority::from_pem(&certificate, &key).expect_err("not its own").to_string();
        assert!(error.ends_with("is no certificate authority's, or belongs to another key"), "{error}");
    }
}

#[test]
fn signs_certificates_with_the_lower_s() {
    let authority = CertificateAuthority::generate("ca.x", "x").expect("an authority");
    let ca = Certificate::from_pem(authority.certificate_pem().as_bytes()).expect("a certificate");
    for _ in 0..16 {
        let (leaf, _) =
            authority.issue(&LeafRequest { common_name: "y", ..Default::default() }).expect("a certificate");
        let leaf = Certificate::from_pem(leaf.as_bytes()).expect("a certificate");
        assert_eq!(leaf.clone().normalized(&ca).hash(), leaf.hash());
    }
}

#[test]
fn reads_msp_folders_with_any_key_name() {
    let dir = tempfile::tempdir().expect("a folder");
    let organizations =
        Organizations::create_or_open(dir.path(), &OrganizationsSpec::default()).expect("organizations");
    let msp = organizations.peer_organizations()[0].user_msp("Admin");
    let keystore = msp.join("keystore");
    fs::rename(keystore.join("priv_sk"), keystore.join("zz_sk")).expect("renamed");
    fs::write(keystore.join("aa_sk"), SigningKey::generate().expect("a key").to_pkcs8_pem()).expect("written");
    fs::write(keystore.join("note.txt"), "not a key").expect("written");
    assert!(SigningIdentity::from_msp_folder("Org1MSP", &msp).is_ok());
    fs::remove_file(keystore.join("zz_sk")).expect("removed");
    let error = SigningIdentity::from_msp_folder("Org1MSP", &msp).expect_err("no key").to_string();
    assert!(error.contains("keystore: no private key for the certificate in signcerts ("), "{error}");
    let error = folder_to_config("Org1MSP", &keystore).expect_err("no MSP").to_string();
    assert!(error.ends_with("cacerts: could not load a valid ca certificate: no PEM file found"), "{error}");
    fs::write(msp.join("config.yaml"), "NodeOUs: [1]").expect("written");
    let error = folder_to_config("Org1MSP", &msp).expect_err("no YAML of ours").to_string();
    assert!(error.contains("config.yaml: "), "{error}");
}

#[test]
fn takes_ed25519_keys_from_v3_on() {
    let authority = CertificateAuthority::generate("ca.x", "x").expect("an authority");
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
    let mut request = params(VALIDITY);
    request.distinguished_name = subject("y", "x", Some("peer"));
    let certificate = request.signed_by(&key, &authority.issuer().expect("an issuer")).expect("a certificate");
    let serialized = serialize_identity("X", &to_pem(&certificate));
    let config = FabricMspConfig {
        name: "X".into(),
        root_certs: vec![authority.certificate_pem().to_owned().into()],
        admins: vec![
            authority.issue(&LeafRequest { common_name: "z", ..Default::default() }).expect("a certificate").0.into(),
        ],
        ..Default::default()
    };
    let msps = |version| MspManager::new([Msp::with_version(&config, version).expect("an MSP")]);
    let refused = msps(MspVersion::V1_4_3).deserialize(&serialized).expect_err("too early");
    assert_eq!(refused.to_string(), "Ed25519 is not supported");
    let msps = msps(MspVersion::V3_0);
    let identity = msps.deserialize(&serialized).expect("an identity");
    assert_eq!(msps.validate(&identity), Ok(()));
    // Ed25519 signs the message itself.
    let signature = rcgen::SigningKey::sign(&key, b"m").expect("a signature");
    assert_eq!(identity.verify(b"m", &signature), Ok(()));
    assert!(identity.verify(b"n", &signature).is_err());
}
