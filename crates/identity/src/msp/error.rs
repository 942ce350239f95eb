//! What an MSP answers when it refuses. The texts are Fabric's: they travel to clients.
// Fabric: endorsement-and-gateway §4

use windlass_proto::common::msp_role::MspRoleType;

use crate::identity::IdentityError;

/// Why an identity is refused, or an MSP cannot be set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MspError {
    /// No path from the certificate to a root.
    #[error("could not obtain certification chain: {0}")]
    Chain(#[from] ChainError),
    /// The certificate is on a revocation list of its issuer.
    #[error("could not validate identity against certification chain: The certificate has been revoked")]
    Revoked,
    /// The issuer has no subject key identifier, which revocation lists are matched by.
    #[error(
        "could not validate identity against certification chain: could not obtain Subject Key Identifier for signer cert: subjectKeyIdentifier not found in certificate"
    )]
    NoSubjectKeyId,
    /// The organizational units do not fit.
    #[error("could not validate identity's OUs: {0}")]
    Units(#[from] UnitError),
    /// The identity's MSP is another one.
    #[error("the identity is a member of a different MSP (expected {expected}, got {got})")]
    DifferentMsp {
        /// The principal's MSP.
        expected: String,
        /// The identity's MSP.
        got: String,
    },
    /// The identity's MSP is not known here.
    #[error("MSP {0} is not defined on channel")]
    UnknownMsp(String),
    /// The role asks for a valid identity.
    #[error("The identity is not valid under this MSP [{msp}]: {cause}")]
    NotValid {
        /// The MSP.
        msp: String,
        /// Why it is not valid.
        cause: Box<MspError>,
    },
    /// Valid, but no admin.
    #[error("The identity is not an admin under this MSP [{msp}]: {cause}")]
    NotAdmin {
        /// The MSP.
        msp: String,
        /// What is missing.
        cause: UnitError,
    },
    /// Not listed as admin, in an MSP without node OUs.
    #[error("This identity is not an admin")]
    NotListedAdmin,
    /// Valid, but not of the role.
    #[error("The identity is not a [{role}] under this MSP [{msp}]: {cause}")]
    NotRole {
        /// The role's name.
        role: &'static str,
        /// The MSP.
        msp: String,
        /// What is missing.
        cause: UnitError,
    },
    /// Neither the unit nor the identity of the principal.
    #[error("The identities do not match")]
    NoMatch,
    /// A role number without meaning (here).
    #[error("invalid MSP role type {0}")]
    RoleType(i32),
    /// A principal number without meaning.
    #[error("invalid principal type {0}")]
    PrincipalType(i32),
    /// The principal's bytes are malformed.
    #[error("could not unmarshal {message} from principal: {reason}")]
    Principal {
        /// The message expected.
        message: &'static str,
        /// What protobuf says.
        reason: String,
    },
    /// A combined principal of nothing.
    #[error("No principals in CombinedPrincipal")]
    EmptyCombination,
    /// A principal that asks for anonymity.
    #[error("Principal is anonymous, but X.509 MSP does not support anonymous identities")]
    Anonymous,
    /// An anonymity number without meaning.
    #[error("Unknown principal anonymity type: {0}")]
    AnonymityType(i32),
    /// The identity in the principal is malformed.
    #[error("invalid identity principal, not a certificate: {0}")]
    IdentityPrincipal(IdentityError),
    /// The MSP's configuration cannot be used.
    #[error(transparent)]
    Setup(#[from] SetupError),
}

/// Why there is no usable path from a certificate to a root.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// A CA's certificate shown as identity.
    #[error(
        "An X509 certificate with Basic Constraint: Certificate Authority equals true cannot be used as an identity"
    )]
    AuthorityAsIdentity,
    /// The certificate cannot be verified.
    #[error("failed getting validation chain: the supplied identity is not valid: {0}")]
    NotValid(#[from] PathError),
    /// More than one path.
    #[error("failed getting validation chain: this MSP only supports a single validation chain, got {0}")]
    Ambiguous(usize),
    /// The certificate is a root itself.
    #[error("expected a chain of length at least 2, got {0}")]
    TooShort(usize),
    /// Issued by a CA that has CAs below it.
    #[error("invalid validation chain. Parent certificate should be a leaf of the certification tree [{0}]")]
    ParentIsNoLeaf(String),
}

/// Why no path leads to a root, as Go words it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// No CA has the issuer's name.
    #[error("x509: certificate signed by unknown authority")]
    UnknownAuthority,
    /// A CA has the issuer's name, but does not fit.
    #[error(
        "x509: certificate signed by unknown authority (possibly because of {reason:?} while trying to verify candidate authority certificate {candidate:?})"
    )]
    CandidateRefused {
        /// Why the candidate does not fit.
        reason: &'static str,
        /// The candidate's common name.
        candidate: String,
    },
    /// Its end lies before its beginning.
    #[error("x509: certificate has expired or is not yet valid")]
    NeverValid,
    /// It has a critical extension that nothing here enforces.
    #[error("x509: unhandled critical extension")]
    CriticalExtension,
    /// Its extended key usage excludes this use.
    #[error("x509: certificate specifies an incompatible key usage")]
    KeyUsage,
}

/// What is wrong with an identity's organizational units.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// None of the four roles.
    #[error(
        "the identity does not have an OU that resolves to client, peer, orderer, or admin role. OUs: {units}, MSP: [{msp}]"
    )]
    NoRole {
        /// The units found.
        units: String,
        /// The MSP.
        msp: String,
    },
    /// More than one of the four roles.
    #[error(
        "the identity must have a client, a peer, an orderer, or an admin OU role to be valid, not a combination of them. OUs: {units}, MSP: [{msp}]"
    )]
    SeveralRoles {
        /// The units found.
        units: String,
        /// The MSP.
        msp: String,
    },
    /// Not exactly one of client and peer (channels below V1_4_3).
    #[error(
        "the identity must be a client or a peer identity to be valid, not a combination of them. OUs: {units}, MSP: [{msp}]"
    )]
    NeitherClientNorPeer {
        /// The units found.
        units: String,
        /// The MSP.
        msp: String,
    },
    /// The unit counts only under another CA.
    #[error("certifiersIdentifier does not match: {units}, MSP: [{msp}]")]
    Certifier {
        /// The units found.
        units: String,
        /// The MSP.
        msp: String,
    },
    /// The MSP asks for units and the identity has none.
    #[error("the identity certificate does not contain an Organizational Unit (OU)")]
    NoUnit,
    /// None of the units that the MSP asks for.
    #[error("none of the identity's organizational units {units} are in MSP {msp}")]
    NoneOf {
        /// The units found.
        units: String,
        /// The MSP.
        msp: String,
    },
    /// The MSP has no node OUs, so that roles cannot be told apart.
    #[error("NodeOUs not activated. Cannot tell apart identities.")]
    NotActivated,
    /// The MSP does not define a unit for the role.
    #[error("cannot test for classification, node ou for type [{role}], not defined, msp: [{msp}]")]
    NotDefined {
        /// The role's name.
        role: &'static str,
        /// The MSP.
        msp: String,
    },
    /// The identity lacks the role's unit.
    #[error("The identity does not contain OU [{role}], MSP: [{msp}]")]
    Missing {
        /// The role's name.
        role: &'static str,
        /// The MSP.
        msp: String,
    },
}

/// Why an MSP cannot be set up from its configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// No root certificate.
    #[error("expected at least one CA certificate")]
    NoRoot,
    /// A certificate of the configuration is malformed.
    #[error("{place}: {error}")]
    Certificate {
        /// Which one.
        place: String,
        /// What is wrong.
        error: crate::certificate::CertificateError,
    },
    /// Listed as CA without being one.
    #[error("CA Certificate did not have the CA attribute, (SN: {0})")]
    NotAnAuthority(String),
    /// A CA that revocation lists cannot refer to.
    #[error(
        "CA Certificate problem with Subject Key Identifier extension, (SN: {0}): subjectKeyIdentifier not found in certificate"
    )]
    NoSubjectKeyId(String),
    /// An intermediate CA without path to a root.
    #[error("CA Certificate is not valid, (SN: {serial}): {cause}")]
    Authority {
        /// Its serial number in hex.
        serial: String,
        /// What is wrong.
        cause: Box<MspError>,
    },
    /// A revocation list is malformed.
    #[error("could not parse RevocationList: entry {0} is not a certificate revocation list")]
    RevocationList(usize),
    /// A hash that is not supported.
    #[error("hash family not recognized: {0}")]
    HashFamily(String),
    /// An OU identifier names a certificate that is no CA of this MSP.
    #[error("failed adding OU. Certificate for [{0}] not in root or intermediate certs.")]
    UnknownCertifier(String),
    /// Nobody could administer this MSP.
    #[error("administrators must be declared when no admin ou classification is set")]
    NoAdministrators,
    /// A listed admin is not valid.
    #[error("admin {index} is invalid: {cause}")]
    Admin {
        /// Its place in the list.
        index: usize,
        /// Why.
        cause: Box<MspError>,
    },
    /// A listed admin is neither client nor admin.
    #[error("admin {0} is invalid")]
    AdminRole(usize),
    /// The MSP folder cannot be used.
    #[error("{path}: {reason}")]
    Folder {
        /// The file or folder.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

/// The role's name as in protobuf, which is how the texts name it.
pub(crate) fn role_name(role: MspRoleType) -> &'static str {
    role.as_str_name()
}
