//! The checks on a request as a whole.

use windlass_proto::{
    discovery::{Request, SignedRequest},
    envelope::{UnpackError, decode},
    hash::Digest,
};

/// Why a request is turned away before its queries are looked at.
// Fabric: endorsement-and-gateway §9
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    #[error("failed parsing request: {0}")]
    Malformed(UnpackError),
    #[error("access denied, no authentication info in request")]
    NoAuthentication,
    #[error("access denied, client identity wasn't supplied")]
    NoIdentity,
    #[error("client didn't send a TLS certificate")]
    NoCertificate,
    #[error("client claimed TLS hash doesn't match computed TLS hash from gRPC stream")]
    OtherCertificate,
}

/// The request, if it is complete. With TLS, `bound_to` holds the hash of the client's certificate, if it sent one,
/// and the request must claim it.
pub(super) fn read(signed: &SignedRequest, bound_to: Option<Option<Digest>>) -> Result<Request, RequestError> {
    let request: Request = decode("Request", &signed.payload).map_err(RequestError::Malformed)?;
    let authentication = request.authentication.as_ref().ok_or(RequestError::NoAuthentication)?;
    if authentication.client_identity.is_empty() {
        return Err(RequestError::NoIdentity);
    }
    if let Some(certificate) = bound_to {
        let hash = certificate.ok_or(RequestError::NoCertificate)?;
        if authentication.client_tls_cert_hash != hash.as_slice() {
            return Err(RequestError::OtherCertificate);
        }
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use windlass_proto::{Bytes, discovery::AuthInfo};

    use super::*;

    fn request(authentication: Option<AuthInfo>) -> SignedRequest {
        let request = Request { authentication, queries: Vec::new() };
        SignedRequest { payload: request.encode_to_vec().into(), signature: Bytes::new() }
    }

    fn by(identity: &'static str, hash: &'static [u8]) -> Option<AuthInfo> {
        Some(AuthInfo { client_identity: identity.into(), client_tls_cert_hash: Bytes::from_static(hash) })
    }

    #[test]
    fn turns_away_what_is_incomplete_or_bound_to_another_connection() {
        let tls = Some(Some([7; 32]));
        for (authentication, bound_to, text) in [
            (None, None, "access denied, no authentication info in request"),
            (by("", b""), None, "access denied, client identity wasn't supplied"),
            (by("me", b""), Some(None), "client didn't send a TLS certificate"),
            (by("me", &[8; 32]), tls, "client claimed TLS hash doesn't match computed TLS hash from gRPC stream"),
        ] {
            let error = read(&request(authentication), bound_to).expect_err(text);
            assert_eq!(error.to_string(), text);
        }
        let garbage = SignedRequest { payload: Bytes::from_static(&[0xff]), signature: Bytes::new() };
        let error = read(&garbage, None).expect_err("not a request");
        assert!(error.to_string().starts_with("failed parsing request: "), "{error}");
        assert!(read(&request(by("me", &[7; 32])), tls).is_ok());
        assert!(read(&request(by("me", b"")), None).is_ok());
    }
}
