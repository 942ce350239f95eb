//! Files of MSP and TLS folders, written so that a reader finds all of them or none.

use std::{
    fs,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use super::{AuthorityError, CertificateAuthority, LeafRequest, LeafUsage};

/// What temporary folders' names begin with. Those left by a crash are removed by the next run.
const TEMPORARY: &str = ".incomplete-";

/// The two authorities of an organization.
#[derive(Debug)]
pub(super) struct Authorities {
    pub(super) identities: CertificateAuthority,
    pub(super) tls: CertificateAuthority,
}

/// Whom a folder is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member<'a> {
    /// Common name and folder name, such as `peer0.org1.example.com`.
    pub(super) name: &'a str,
    /// The organizational unit of the identity.
    pub(super) role: &'static str,
    /// The certificate of a node names its host; that of a user is for clients.
    pub(super) tls: TlsSide<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum TlsSide<'a> {
    Server { extra_names: &'a [String] },
    Client,
}

impl Authorities {
    pub(super) fn generate(domain: &str) -> Result<Self, AuthorityError> {
        Ok(Self {
            identities: CertificateAuthority::generate(&format!("ca.{domain}"), domain)?,
            tls: CertificateAuthority::generate(&format!("tlsca.{domain}"), domain)?,
        })
    }

    pub(super) fn open(organization: &Path, domain: &str) -> Result<Self, AuthorityError> {
        let authority = |kind: &str| {
            let folder = organization.join(kind);
            let certificate = read(&folder.join(format!("{kind}.{domain}-cert.pem")))?;
            CertificateAuthority::from_pem(&certificate, &read(&folder.join("priv_sk"))?)
        };
        Ok(Self { identities: authority("ca")?, tls: authority("tlsca")? })
    }

    /// Writes `ca`, `tlsca` and the organization's `msp`.
    pub(super) fn write(&self, organization: &Path, domain: &str) -> Result<(), AuthorityError> {
        for (kind, authority) in [("ca", &self.identities), ("tlsca", &self.tls)] {
            let folder = private_folder(&organization.join(kind))?;
            write(&folder.join(format!("{kind}.{domain}-cert.pem")), authority.certificate_pem())?;
            write_private(&folder.join("priv_sk"), &authority.key_pem())?;
        }
        self.write_verifying_msp(&organization.join("msp"), domain)
    }

    /// Writes `msp` and `tls` of a node or user.
    pub(super) fn write_member(&self, folder: &Path, domain: &str, member: Member<'_>) -> Result<(), AuthorityError> {
        let msp = folder.join("msp");
        self.write_verifying_msp(&msp, domain)?;
        let request =
            LeafRequest { common_name: member.name, organizational_unit: Some(member.role), ..Default::default() };
        let (certificate, key) = self.identities.issue(&request)?;
        write(&make_folder(&msp.join("signcerts"))?.join(format!("{}-cert.pem", member.name)), &certificate)?;
        write_private(&private_folder(&msp.join("keystore"))?.join("priv_sk"), &key.to_pkcs8_pem())?;

        let tls = private_folder(&folder.join("tls"))?;
        let mut names = Vec::new();
        let (usage, side) = match member.tls {
            TlsSide::Client => (LeafUsage::TlsBoth, "client"),
            TlsSide::Server { extra_names } => {
                let host = member.name.split('.').next().unwrap_or(member.name);
                names.extend([member.name, host]);
                names.extend(extra_names.iter().map(String::as_str));
                names.extend(["localhost", "127.0.0.1", "::1"]);
                (LeafUsage::TlsBoth, "server")
            }
        };
        let mut unique: Vec<&str> = Vec::with_capacity(names.len());
        for name in names {
            if !unique.contains(&name) {
                unique.push(name);
            }
        }
        let request =
            LeafRequest { common_name: member.name, subject_alternative_names: &unique, usage, ..Default::default() };
        let (certificate, key) = self.tls.issue(&request)?;
        write(&tls.join("ca.crt"), self.tls.certificate_pem())?;
        write(&tls.join(format!("{side}.crt")), &certificate)?;
        write_private(&tls.join(format!("{side}.key")), &key.to_pkcs8_pem())
    }

    /// The parts of an MSP folder that everyone may see.
    fn write_verifying_msp(&self, msp: &Path, domain: &str) -> Result<(), AuthorityError> {
        make_folder(&msp.join("admincerts"))?;
        let ca = format!("ca.{domain}-cert.pem");
        write(&make_folder(&msp.join("cacerts"))?.join(&ca), self.identities.certificate_pem())?;
        let tls = make_folder(&msp.join("tlscacerts"))?.join(format!("tlsca.{domain}-cert.pem"));
        write(&tls, self.tls.certificate_pem())?;
        write(&msp.join("config.yaml"), &node_units(&ca))
    }
}

/// `config.yaml`: roles by organizational unit.
fn node_units(ca: &str) -> String {
    let mut text = "NodeOUs:\n  Enable: true\n".to_owned();
    for (key, unit) in [("Client", "client"), ("Peer", "peer"), ("Admin", "admin"), ("Orderer", "orderer")] {
        text.push_str(&format!(
            "  {key}OUIdentifier:\n    Certificate: cacerts/{ca}\n    OrganizationalUnitIdentifier: {unit}\n"
        ));
    }
    text
}

/// Fills a new folder through `fill` and gives it its name at the end. Does nothing when it exists.
pub(super) fn create_whole(
    folder: &Path,
    fill: impl FnOnce(&Path) -> Result<(), AuthorityError>,
) -> Result<bool, AuthorityError> {
    if folder.is_dir() {
        return Ok(false);
    }
    let parent = folder.parent().unwrap_or(Path::new("."));
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    make_folder(parent)?;
    let temporary = parent.join(format!("{TEMPORARY}{name}"));
    remove(&temporary)?;
    make_folder(&temporary)?;
    fill(&temporary)?;
    // What has its name after a power failure has its content as well.
    sync_below(&temporary)?;
    fs::rename(&temporary, folder).map_err(at(folder))?;
    sync(parent)?;
    Ok(true)
}

/// Brings a folder and everything in it to the disk.
fn sync_below(folder: &Path) -> Result<(), AuthorityError> {
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        if path.is_dir() { sync_below(&path)? } else { sync(&path)? }
    }
    sync(folder)
}

fn sync(path: &Path) -> Result<(), AuthorityError> {
    fs::File::open(path).and_then(|file| file.sync_all()).map_err(at(path))
}

pub(super) fn make_folder(path: &Path) -> Result<PathBuf, AuthorityError> {
    fs::create_dir_all(path).map_err(at(path))?;
    Ok(path.to_path_buf())
}

fn private_folder(path: &Path) -> Result<PathBuf, AuthorityError> {
    make_folder(path)?;
    restrict(path, 0o700)?;
    Ok(path.to_path_buf())
}

fn write(path: &Path, text: &str) -> Result<(), AuthorityError> {
    fs::write(path, text).map_err(at(path))
}

/// Writes a file that only its owner may read, from the moment it exists.
fn write_private(path: &Path, text: &str) -> Result<(), AuthorityError> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(at(path))?;
    file.write_all(text.as_bytes()).map_err(at(path))
}

#[cfg(unix)]
fn restrict(path: &Path, mode: u32) -> Result<(), AuthorityError> {
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
    fs::set_permissions(path, permissions).map_err(at(path))
}

#[cfg(not(unix))]
fn restrict(_: &Path, _: u32) -> Result<(), AuthorityError> {
    Ok(())
}

fn remove(folder: &Path) -> Result<(), AuthorityError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(at(folder)(error)),
        _ => Ok(()),
    }
}

fn read(path: &Path) -> Result<String, AuthorityError> {
    fs::read_to_string(path).map_err(at(path))
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> AuthorityError {
    let path = path.to_path_buf();
    move |source| AuthorityError::Io { path: path.clone(), source }
}
