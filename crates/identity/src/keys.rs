//! Keys: signing with P-256, verifying whatever an MSP accepts.
//!
//! Fabric takes only ECDSA signatures whose S is in the lower half of the curve's order; the library makes
//! both halves equally often. [`SigningKey`] always makes the lower one, and verification requires it.
// Fabric: endorsement-and-gateway §3

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA256_ASN1, ECDSA_P521_SHA256_ASN1,
        ED25519, EcdsaKeyPair, KeyPair, ParsedPublicKey, VerificationAlgorithm,
    },
};

use crate::pem;

pub(crate) mod low_s;

pub(crate) use low_s::Curve;

/// Why a key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The random source or the library refused.
    #[error("could not generate a P-256 key")]
    Generation,
    /// The text has no PEM block.
    #[error("no PEM block in the key file; expected a PKCS#8 or SEC1 private key")]
    NoPem,
    /// The block holds something else than an unencrypted P-256 key.
    #[error("the PEM block '{label}' is not an unencrypted P-256 private key (PKCS#8 or SEC1)")]
    NotP256 {
        /// The block's label.
        label: String,
    },
}

/// A signature that does not hold. The reason is not told apart: neither does Fabric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The signature is invalid")]
pub struct VerifyError;

/// An ECDSA P-256 private key. Clones share it.
#[derive(Clone)]
pub struct SigningKey(Arc<EcdsaKeyPair>);

impl SigningKey {
    /// A new random key.
    pub fn generate() -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(|_| KeyError::Generation)?;
        Ok(Self(Arc::new(pair)))
    }

    /// Reads the first private key of a PEM file: PKCS#8 or SEC1, whatever the label says.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let blocks = pem::decode_all(text.as_bytes());
        // OpenSSL writes the curve's parameters in a block of their own before the key.
        let block = blocks.iter().find(|block| block.label != "EC PARAMETERS").ok_or(KeyError::NoPem)?;
        let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, &block.contents)
            .map_err(|_| KeyError::NotP256 { label: block.label.clone() })?;
        Ok(Self(Arc::new(pair)))
    }

    /// The key as PKCS#8 under the label `PRIVATE KEY`.
    pub fn to_pkcs8_pem(&self) -> String {
        let document = self.0.to_pkcs8v1().expect("a P-256 key has a PKCS#8 form");
        pem::encode("PRIVATE KEY", document.as_ref())
    }

    /// Signs SHA-256 of `message`; the signature is DER with the lower S.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature = self.0.sign(&SystemRandom::new(), message).expect("a P-256 key can sign");
        low_s::to_low(Curve::P256, signature.as_ref()).expect("the library writes DER")
    }

    /// The public key as uncompressed point, 65 bytes.
    pub fn public_key(&self) -> Vec<u8> {
        self.public_point().to_vec()
    }

    pub(crate) fn public_point(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", hex::encode(&self.public_point()[1..9]))
    }
}

/// What a public key is for the purpose of verifying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Ecdsa(Curve),
    Ed25519,
}

/// A public key, parsed once.
#[derive(Clone, Debug)]
pub(crate) struct VerifyingKey {
    key: ParsedPublicKey,
    kind: KeyKind,
}

impl VerifyingKey {
    /// From the bytes of a subject public key: an EC point, or 32 bytes for Ed25519.
    pub(crate) fn new(kind: KeyKind, bytes: &[u8]) -> Option<Self> {
        // Messages are hashed with SHA-256 on every curve: it is the MSP's hash family that decides.
        let algorithm: &'static dyn VerificationAlgorithm = match kind {
            KeyKind::Ecdsa(Curve::P256) => &ECDSA_P256_SHA256_ASN1,
            KeyKind::Ecdsa(Curve::P384) => &ECDSA_P384_SHA256_ASN1,
            KeyKind::Ecdsa(Curve::P521) => &ECDSA_P521_SHA256_ASN1,
            KeyKind::Ed25519 => &ED25519,
        };
        Some(Self { key: parsed(algorithm, bytes)?, kind })
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), VerifyError> {
        if let KeyKind::Ecdsa(curve) = self.kind
            && low_s::is_low(curve, signature) != Some(true)
        {
            return Err(VerifyError);
        }
        self.key.verify_sig(message, signature).map_err(|_| VerifyError)
    }
}

fn parsed(algorithm: &'static dyn VerificationAlgorithm, bytes: &[u8]) -> Option<ParsedPublicKey> {
    aws_lc_rs::signature::UnparsedPublicKey::new(algorithm, bytes).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verifying(key: &SigningKey) -> VerifyingKey {
        VerifyingKey::new(KeyKind::Ecdsa(Curve::P256), &key.public_key()).expect("a point")
    }

    #[test]
    fn signs_with_the_lower_s_always() {
        let key = SigningKey::generate().expect("a key");
        let public = verifying(&key);
        for round in 0..64_u8 {
            let signature = key.sign(&[round]);
            assert_eq!(low_s::is_low(Curve::P256, &signature), Some(true));
            assert_eq!(public.verify(&[round], &signature), Ok(()));
            assert_eq!(public.verify(&[round, 0], &signature), Err(VerifyError));
        }
    }

    #[test]
    fn refuses_the_same_signature_with_the_higher_s() {
        let key = SigningKey::generate().expect("a key");
        let signature = key.sign(b"m");
        let mirrored = low_s::mirrored(Curve::P256, &signature).expect("a signature");
        assert_ne!(signature, mirrored);
        assert_eq!(verifying(&key).verify(b"m", &mirrored), Err(VerifyError));
        assert_eq!(low_s::to_low(Curve::P256, &mirrored), Some(signature));
    }

    #[test]
    fn refuses_garbage_as_signature() {
        let public = verifying(&SigningKey::generate().expect("a key"));
        for garbage in [&b""[..], b"\x30", b"\x30\x00", b"\x30\x06\x02\x01\x01\x02\x01\x01", &[0xff; 72]] {
            assert_eq!(public.verify(b"m", garbage), Err(VerifyError));
        }
    }

    #[test]
    fn reads_pkcs8_and_sec1_under_any_label() {
        let key = SigningKey::generate().expect("a key");
        let text = key.to_pkcs8_pem();
        assert!(text.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        let relabelled = text.replace("PRIVATE KEY", "EC PRIVATE KEY");
        // aws-lc writes SEC1 as the inner part of PKCS#8: an OCTET STRING at the document's end.
        let der = pem::decode(text.as_bytes()).expect("a block").0.contents;
        let sec1 = pem::encode("EC PRIVATE KEY", sec1_of(&der));
        let with_parameters = format!("{}{sec1}", pem::encode("EC PARAMETERS", b"\x06\x08*\x86H\xce=\x03\x01\x07"));
        for form in [text, relabelled, sec1, with_parameters] {
            assert_eq!(SigningKey::from_pem(&form).expect("a key").public_key(), key.public_key());
        }
    }

    fn sec1_of(pkcs8: &[u8]) -> &[u8] {
        // The first SEQUENCE { INTEGER 1, … } inside.
        let at = pkcs8.windows(3).position(|window| window == [0x02, 0x01, 0x01]).expect("version 1");
        &pkcs8[at - 2..]
    }

    #[test]
    fn explains_what_is_not_a_key() {
        assert_eq!(SigningKey::from_pem("nothing").expect_err("no block"), KeyError::NoPem);
        let error = SigningKey::from_pem(&pem::encode("CERTIFICATE", b"x")).expect_err("no key");
        assert_eq!(
            error.to_string(),
            "the PEM block 'CERTIFICATE' is not an unencrypted P-256 private key (PKCS#8 or SEC1)"
        );
    }

    #[test]
    fn shows_nothing_secret() {
        let key = SigningKey::generate().expect("a key");
        assert_eq!(format!("{key:?}").len(), "SigningKey()".len() + 16);
    }
}
