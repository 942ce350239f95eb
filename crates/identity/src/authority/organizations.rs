//! The organizations of a development network, in cryptogen's folders.

use std::path::{Path, PathBuf};

use super::{
    AuthorityError,
    layout::{Authorities, Member, TlsSide, create_whole, make_folder},
};

/// What a development network consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationsSpec {
    /// The organizations that run peers.
    pub peer_organizations: Vec<PeerOrganizationSpec>,
    /// The organization that orders.
    pub orderer_organization: OrdererOrganizationSpec,
}

/// An organization that runs peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerOrganizationSpec {
    /// Such as `org1.example.com`.
    pub domain: String,
    /// Such as `Org1MSP`.
    pub msp_id: String,
    /// How many peers: `peer0`, `peer1`, …
    pub peers: usize,
    /// How many users beside the admin: `User1`, `User2`, …
    pub users: usize,
    /// Host names and addresses for the peers' TLS certificates, beside their own and the local host's.
    pub extra_names: Vec<String>,
}

/// An organization that orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrdererOrganizationSpec {
    /// Such as `example.com`.
    pub domain: String,
    /// Such as `OrdererMSP`.
    pub msp_id: String,
    /// The orderers' host names without the domain.
    pub orderers: Vec<String>,
    /// Host names and addresses for the orderers' TLS certificates, beside their own and the local host's.
    pub extra_names: Vec<String>,
}

impl OrganizationsSpec {
    /// One orderer and this many organizations with one peer and one user each: `org1.example.com` with `Org1MSP`
    /// and so on.
    pub fn development(organizations: usize) -> Self {
        let peer_organization = |number: usize| PeerOrganizationSpec {
            domain: format!("org{number}.example.com"),
            msp_id: format!("Org{number}MSP"),
            peers: 1,
            users: 1,
            extra_names: Vec::new(),
        };
        Self {
            peer_organizations: (1..=organizations).map(peer_organization).collect(),
            orderer_organization: OrdererOrganizationSpec {
                domain: "example.com".to_owned(),
                msp_id: "OrdererMSP".to_owned(),
                orderers: vec!["orderer".to_owned()],
                extra_names: Vec::new(),
            },
        }
    }
}

impl Default for OrganizationsSpec {
    fn default() -> Self {
        Self::development(1)
    }
}

/// The folders of a network's organizations.
#[derive(Clone, Debug)]
pub struct Organizations {
    folder: PathBuf,
    peer_organizations: Vec<PeerOrganization>,
    orderer_organization: OrdererOrganization,
}

/// The folders of an organization that runs peers.
#[derive(Clone, Debug)]
pub struct PeerOrganization {
    folder: PathBuf,
    spec: PeerOrganizationSpec,
}

/// The folders of an organization that orders.
#[derive(Clone, Debug)]
pub struct OrdererOrganization {
    folder: PathBuf,
    spec: OrdererOrganizationSpec,
}

impl Organizations {
    /// Makes what is missing below `dir/organizations`: organizations, or nodes and users of organizations made
    /// earlier. What exists is left alone. Every folder appears complete or not at all.
    pub fn create_or_open(dir: &Path, spec: &OrganizationsSpec) -> Result<Self, AuthorityError> {
        let folder = make_folder(&dir.join("organizations"))?;
        let mut peer_organizations = Vec::with_capacity(spec.peer_organizations.len());
        for spec in &spec.peer_organizations {
            check_name(&spec.domain)?;
            let folder = folder.join("peerOrganizations").join(&spec.domain);
            let organization = PeerOrganization { folder, spec: spec.clone() };
            ensure(&organization.folder, &spec.domain, &organization.members())?;
            peer_organizations.push(organization);
        }
        let orderer = &spec.orderer_organization;
        for name in orderer.orderers.iter().chain([&orderer.domain]) {
            check_name(name)?;
        }
        let orderer_folder = folder.join("ordererOrganizations").join(&orderer.domain);
        let orderer_organization = OrdererOrganization { folder: orderer_folder, spec: orderer.clone() };
        ensure(&orderer_organization.folder, &orderer.domain, &orderer_organization.members())?;
        Ok(Self { folder, peer_organizations, orderer_organization })
    }

    /// `DIR/organizations`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The organizations that run peers, in the order of the specification.
    pub fn peer_organizations(&self) -> &[PeerOrganization] {
        &self.peer_organizations
    }

    /// The organization of this MSP that runs peers.
    pub fn peer_organization(&self, msp_id: &str) -> Option<&PeerOrganization> {
        self.peer_organizations.iter().find(|organization| organization.msp_id() == msp_id)
    }

    /// The organization that orders.
    pub fn orderer_organization(&self) -> &OrdererOrganization {
        &self.orderer_organization
    }
}

impl PeerOrganization {
    /// The organization's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Such as `org1.example.com`.
    pub fn domain(&self) -> &str {
        &self.spec.domain
    }

    /// Such as `Org1MSP`.
    pub fn msp_id(&self) -> &str {
        &self.spec.msp_id
    }

    /// How many peers it has.
    pub fn peers(&self) -> usize {
        self.spec.peers
    }

    /// The organization's MSP, without keys.
    pub fn msp(&self) -> PathBuf {
        self.folder.join("msp")
    }

    /// The host name of a peer, counted from 0.
    pub fn peer_host(&self, peer: usize) -> String {
        format!("peer{peer}.{}", self.spec.domain)
    }

    /// The MSP folder of a peer, counted from 0.
    pub fn peer_msp(&self, peer: usize) -> PathBuf {
        self.peer_folder(peer).join("msp")
    }

    /// The TLS folder of a peer: `ca.crt`, `server.crt`, `server.key`.
    pub fn peer_tls(&self, peer: usize) -> PathBuf {
        self.peer_folder(peer).join("tls")
    }

    /// The names of the users: `Admin`, `User1`, …
    pub fn users(&self) -> Vec<String> {
        let users = (1..=self.spec.users).map(|number| format!("User{number}"));
        std::iter::once("Admin".to_owned()).chain(users).collect()
    }

    /// The MSP folder of a user, such as `Admin`.
    pub fn user_msp(&self, user: &str) -> PathBuf {
        user_folder(&self.folder, &self.spec.domain, user).join("msp")
    }

    /// The TLS folder of a user: `ca.crt`, `client.crt`, `client.key`.
    pub fn user_tls(&self, user: &str) -> PathBuf {
        user_folder(&self.folder, &self.spec.domain, user).join("tls")
    }

    /// The certificate of the authority behind the organization's TLS certificates.
    pub fn tls_ca(&self) -> PathBuf {
        tls_ca(&self.folder, &self.spec.domain)
    }

    fn peer_folder(&self, peer: usize) -> PathBuf {
        self.folder.join("peers").join(self.peer_host(peer))
    }

    fn members(&self) -> Vec<(PathBuf, OwnedMember)> {
        let peer = |number: usize| {
            let tls = OwnedSide::Server(self.spec.extra_names.clone());
            (self.peer_folder(number), OwnedMember { name: self.peer_host(number), role: "peer", tls })
        };
        let users = self.users().into_iter().map(|user| user_member(&self.folder, &self.spec.domain, &user));
        (0..self.spec.peers).map(peer).chain(users).collect()
    }
}

impl OrdererOrganization {
    /// The organization's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Such as `example.com`.
    pub fn domain(&self) -> &str {
        &self.spec.domain
    }

    /// Such as `OrdererMSP`.
    pub fn msp_id(&self) -> &str {
        &self.spec.msp_id
    }

    /// The organization's MSP, without keys.
    pub fn msp(&self) -> PathBuf {
        self.folder.join("msp")
    }

    /// The host names of the orderers.
    pub fn orderer_hosts(&self) -> Vec<String> {
        self.spec.orderers.iter().map(|name| format!("{name}.{}", self.spec.domain)).collect()
    }

    /// The MSP folder of an orderer, counted from 0.
    pub fn orderer_msp(&self, orderer: usize) -> PathBuf {
        self.orderer_folder(orderer).join("msp")
    }

    /// The TLS folder of an orderer: `ca.crt`, `server.crt`, `server.key`.
    pub fn orderer_tls(&self, orderer: usize) -> PathBuf {
        self.orderer_folder(orderer).join("tls")
    }

    /// The MSP folder of a user; there is `Admin`.
    pub fn user_msp(&self, user: &str) -> PathBuf {
        user_folder(&self.folder, &self.spec.domain, user).join("msp")
    }

    /// The TLS folder of a user: `ca.crt`, `client.crt`, `client.key`.
    pub fn user_tls(&self, user: &str) -> PathBuf {
        user_folder(&self.folder, &self.spec.domain, user).join("tls")
    }

    /// The certificate of the authority behind the organization's TLS certificates.
    pub fn tls_ca(&self) -> PathBuf {
        tls_ca(&self.folder, &self.spec.domain)
    }

    fn orderer_folder(&self, orderer: usize) -> PathBuf {
        let host = self.orderer_hosts().into_iter().nth(orderer).unwrap_or_default();
        self.folder.join("orderers").join(host)
    }

    fn members(&self) -> Vec<(PathBuf, OwnedMember)> {
        let orderer = |name: String| {
            let tls = OwnedSide::Server(self.spec.extra_names.clone());
            (self.folder.join("orderers").join(&name), OwnedMember { name, role: "orderer", tls })
        };
        let admin = user_member(&self.folder, &self.spec.domain, "Admin");
        self.orderer_hosts().into_iter().map(orderer).chain([admin]).collect()
    }
}

/// A node or user of which the folder may be missing.
struct OwnedMember {
    name: String,
    role: &'static str,
    tls: OwnedSide,
}

enum OwnedSide {
    Server(Vec<String>),
    Client,
}

impl OwnedMember {
    fn borrow(&self) -> Member<'_> {
        let tls = match &self.tls {
            OwnedSide::Server(extra_names) => TlsSide::Server { extra_names },
            OwnedSide::Client => TlsSide::Client,
        };
        Member { name: &self.name, role: self.role, tls }
    }
}

/// Makes an organization, or those of its members that are missing.
fn ensure(folder: &Path, domain: &str, members: &[(PathBuf, OwnedMember)]) -> Result<(), AuthorityError> {
    let created = create_whole(folder, |temporary| {
        let authorities = Authorities::generate(domain)?;
        authorities.write(temporary, domain)?;
        for (path, member) in members {
            let inside = path.strip_prefix(folder).unwrap_or(path);
            authorities.write_member(&temporary.join(inside), domain, member.borrow())?;
        }
        Ok(())
    })?;
    if created {
        return Ok(());
    }
    let mut authorities = None;
    for (path, member) in members {
        create_whole(path, |temporary| {
            let authorities = match &mut authorities {
                Some(authorities) => authorities,
                none => none.insert(Authorities::open(folder, domain)?),
            };
            authorities.write_member(temporary, domain, member.borrow())
        })?;
    }
    Ok(())
}

fn user_member(organization: &Path, domain: &str, user: &str) -> (PathBuf, OwnedMember) {
    let role = if user == "Admin" { "admin" } else { "client" };
    let member = OwnedMember { name: format!("{user}@{domain}"), role, tls: OwnedSide::Client };
    (user_folder(organization, domain, user), member)
}

fn user_folder(organization: &Path, domain: &str, user: &str) -> PathBuf {
    organization.join("users").join(format!("{user}@{domain}"))
}

fn tls_ca(organization: &Path, domain: &str) -> PathBuf {
    organization.join("tlsca").join(format!("tlsca.{domain}-cert.pem"))
}

fn check_name(name: &str) -> Result<(), AuthorityError> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if name.is_empty() || name.starts_with('.') || !name.bytes().all(legal) {
        return Err(AuthorityError::Name(name.to_owned()));
    }
    Ok(())
}
