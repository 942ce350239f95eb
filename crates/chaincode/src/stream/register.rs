//! Streams that chaincode opens, and who may.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Weak},
};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use prost::Message;
use tokio::sync::{mpsc, oneshot};
use tonic::{Request, Response, Status, Streaming};
use windlass_proto::{
    hash::{Digest, sha256},
    protos::{
        ChaincodeId, ChaincodeMessage,
        chaincode_message::Type,
        chaincode_support_server::{ChaincodeSupport, ChaincodeSupportServer},
    },
};
use windlass_transport::{ConnectionInfo, MAX_MESSAGE_SIZE};

use crate::{
    launch::{Launcher, registry::Origin},
    stream::{
        driver::{Driver, keep_alive},
        errors::{AccessError, RegistrationError, StreamEnd, go_status},
        session::Session,
    },
};

/// The service `protos.ChaincodeSupport`, for the peer's chaincode listener. With TLS, that listener must
/// demand certificates of the engine's own authority, and its connections must carry a
/// [`ConnectionInfo`] as `windlass_transport` provides it.
///
/// It does not keep the engine alive: when that is dropped, all streams end.
#[derive(Clone)]
pub struct SupportService {
    launcher: Weak<Launcher>,
}

impl SupportService {
    pub(crate) fn new(launcher: &Arc<Launcher>) -> Self {
        Self { launcher: Arc::downgrade(launcher) }
    }

    /// The service with the message limits of the protocol, ready to be added to a server.
    pub fn into_server(self) -> ChaincodeSupportServer<Self> {
        ChaincodeSupportServer::new(self)
            .max_decoding_message_size(MAX_MESSAGE_SIZE)
            .max_encoding_message_size(MAX_MESSAGE_SIZE)
    }
}

impl fmt::Debug for SupportService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SupportService").finish_non_exhaustive()
    }
}

type Outbound = Pin<Box<dyn Stream<Item = Result<ChaincodeMessage, Status>> + Send>>;

#[tonic::async_trait]
impl ChaincodeSupport for SupportService {
    type RegisterStream = Outbound;

    async fn register(
        &self,
        request: Request<Streaming<ChaincodeMessage>>,
    ) -> Result<Response<Self::RegisterStream>, Status> {
        let certificate = request.extensions().get::<ConnectionInfo>().and_then(|info| info.certificate.clone());
        let launcher = self.launcher.upgrade().ok_or_else(|| Status::unavailable("the peer is stopping"))?;
        let (session, queue) = Session::new(launcher.metrics().clone());
        let driver = launcher.driver(session.clone(), Origin::Anyone);
        keep_alive(&session, launcher.config().keepalive);
        let (ended, end) = oneshot::channel();
        let launcher = self.launcher.clone();
        tokio::spawn(async move {
            let text = read(&launcher, driver, request.into_inner(), certificate).await;
            tracing::info!("chaincode stream ended: {text}");
            // Nobody listens when the chaincode went away first.
            let _ = ended.send(text);
        });
        Ok(Response::new(outbound(session, queue, end)))
    }
}

/// Reads the stream to its end and returns why it ended. With TLS, the first message is looked at before
/// anything else happens.
// Fabric: chaincode-protocol §3
async fn read(
    launcher: &Weak<Launcher>,
    mut driver: Driver,
    mut inbound: Streaming<ChaincodeMessage>,
    certificate: Option<Bytes>,
) -> String {
    let guarded = |launcher: Arc<Launcher>| launcher.certificates().is_some();
    if !launcher.upgrade().is_some_and(guarded) {
        return driver.run(inbound).await.to_string();
    }
    let first = tokio::select! {
        () = driver.session().closed() => return StreamEnd::Closed.to_string(),
        first = inbound.next() => first,
    };
    let Some(admitted) = launcher.upgrade().map(|launcher| admit(&launcher, first, certificate.as_ref())) else {
        return StreamEnd::Closed.to_string();
    };
    match admitted {
        Ok((first, hash)) => {
            driver.came_from(Origin::Certificate(hash));
            driver.run(futures::stream::iter([Ok(first)]).chain(inbound)).await.to_string()
        }
        Err(error) => error.to_string(),
    }
}

/// Checks that the certificate is the one that was made for the chaincode that registers.
fn admit(
    launcher: &Launcher,
    first: Option<Result<ChaincodeMessage, Status>>,
    certificate: Option<&Bytes>,
) -> Result<(ChaincodeMessage, Digest), AccessError> {
    let first = match first {
        None => return Err(AccessError::Receive(String::from("EOF"))),
        Some(Err(status)) => return Err(AccessError::Receive(go_status(&status))),
        Some(Ok(first)) => first,
    };
    if first.r#type != Type::Register as i32 {
        return Err(AccessError::NotRegister);
    }
    let name = ChaincodeId::decode(first.payload.clone()).map_err(AccessError::Malformed)?.name;
    let certificate = certificate.ok_or_else(|| AccessError::NoCertificate(name.clone()))?;
    let hash = sha256(certificate);
    match launcher.certificates().and_then(|certificates| certificates.owner(&hash)) {
        None => Err(AccessError::UnknownCertificate { name, hash }),
        Some(owner) if owner == name => Ok((first, hash)),
        Some(owner) => {
            let error = RegistrationError::WrongId { expected: owner.clone(), found: name.clone() };
            launcher.registry().refuse(&owner, &hash, &error);
            Err(AccessError::ForeignCertificate { name, hash })
        }
    }
}

/// What is written to the stream: queued messages, and how it ended. When the chaincode goes away this is
/// dropped, and the session ends with it.
fn outbound(
    session: Arc<Session>,
    queue: mpsc::Receiver<ChaincodeMessage>,
    end: oneshot::Receiver<String>,
) -> Outbound {
    let state = Some(Writing { queue, end, session });
    Box::pin(futures::stream::unfold(state, |state| async move {
        let mut writing = state?;
        tokio::select! {
            biased;
            end = &mut writing.end => {
                let text = end.unwrap_or_else(|_| String::from("EOF"));
                Some((Err(Status::unknown(text)), None))
            }
            message = writing.queue.recv() => message.map(|message| (Ok(message), Some(writing))),
        }
    }))
}

struct Writing {
    queue: mpsc::Receiver<ChaincodeMessage>,
    end: oneshot::Receiver<String>,
    session: Arc<Session>,
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.session.close();
    }
}
