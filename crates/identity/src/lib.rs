//! Who signed this, and may they.
//!
//! Everything that decides about identities, and nothing that talks to a network:
//!
//! - [`keys`]: signing keys; signatures always with the lower S
//! - [`sign`]: a certificate with its key, as nodes and clients use it
//! - [`certificate`]: what is read from X.509 certificates
//! - [`identity`]: an identity as it arrives in a message
//! - [`msp`]: one organization's rules of membership, and all of a channel's
//! - [`policy`]: who has to sign: signature policies, the policy tree of a channel, the text language
//! - [`channel`]: a channel's configuration, checked and compiled
//! - [`authority`]: the development network's certificate authority and cryptogen's folder layout
//!
//! Start reading at [`MspManager`], then [`SignaturePolicy`], then [`ChannelConfig`].

pub mod authority;
mod cache;
pub mod certificate;
pub mod channel;
mod der;
pub mod identity;
pub mod keys;
pub mod msp;
mod pem;
pub mod policy;
mod revocation;
pub mod sign;
#[cfg(test)]
mod testing;

pub use authority::{
    AuthorityError, CertificateAuthority, LeafRequest, LeafUsage, OrdererOrganizationSpec, Organizations,
    OrganizationsSpec, PeerOrganizationSpec,
};
pub use certificate::{Certificate, CertificateError};
pub use channel::{Batch, ChannelConfig, ChannelConfigError, OrdererOrganization, Organization};
pub use identity::{Identity, IdentityError, serialize_identity};
pub use keys::{KeyError, SigningKey, VerifyError};
pub use msp::{Msp, MspError, MspManager, MspVersion, folder_to_config};
pub use policy::{
    PolicyError, PolicyTree, SignaturePolicy, SignedData, members_policy, role_policy, verify_signature_set,
};
pub use sign::SigningIdentity;
