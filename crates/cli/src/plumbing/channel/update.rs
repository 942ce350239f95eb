//! `channel update` and `channel signconfigtx`: configuration updates, signed.

use std::{io::Write, os::unix::fs::OpenOptionsExt, path::Path, time::SystemTime};

use prost::Message;
use windlass_identity::sign::SigningIdentity;
use windlass_proto::{
    Bytes,
    common::{
        ChannelHeader, ConfigSignature, ConfigUpdateEnvelope, Envelope, Header, HeaderType, Payload, SignatureHeader,
    },
};

use super::connected;
use crate::plumbing::{
    failure::{After, Failure},
    golang,
    log::Source,
    session::Session,
    submit::broadcast,
};

/// Signs an update and sends it to the orderer.
pub(crate) async fn run(session: &Session) -> Result<(), Failure> {
    if session.values.text("channelID").is_empty() {
        return Err(Failure::usage("Must supply channel ID"));
    }
    let update = signed(session)?;
    send(session, &update, "Error getting broadcast client").await?;
    session.log.info(Source(super::LOGGER, "update"), "Successfully submitted channel update");
    Ok(())
}

/// Adds a signature to an update in its file.
pub(crate) fn sign(session: &Session) -> Result<(), Failure> {
    let update = signed(session)?;
    let path = Path::new(session.values.text("file"));
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o660).open(path)?;
        file.write_all(&update.encode_to_vec())
    };
    write().map_err(|error| Failure::failed(golang::file_error("open", path, &error)))
}

/// The update of the flags with this identity's signature added.
fn signed(session: &Session) -> Result<Envelope, Failure> {
    let path = session.values.text("file");
    if path.is_empty() {
        return Err(invalid("No configtx file name supplied").with_usage());
    }
    connected(session);
    let envelope = read(path)?;
    add_signature(session.identity(), &envelope, session.values.text("channelID"))
}

/// Reads an update from its file.
pub(super) fn read(path: &str) -> Result<Envelope, Failure> {
    let bytes = golang::read_file(path.as_ref())
        .map_err(|error| Failure::failed(format!("channel create configuration tx file not found {error}")))?;
    Envelope::decode(Bytes::from(bytes)).map_err(golang::message_error).after("error unmarshalling Envelope")
}

/// Sends an update to the orderer of the flags.
pub(super) async fn send(session: &Session, update: &Envelope, connecting: &str) -> Result<(), Failure> {
    let orderers = session.connect_orderers(session.values.text("orderer")).await;
    let orderers = orderers.map_err(|failure| failure.after(connecting))?;
    broadcast(&orderers, update).await
}

/// The same update with one more signature, in an envelope of this identity's. An empty channel means the update's own.
pub(super) fn add_signature(
    identity: &SigningIdentity,
    envelope: &Envelope,
    channel: &str,
) -> Result<Envelope, Failure> {
    let payload = Payload::decode(envelope.payload.clone()).map_err(|_| invalid("bad payload"))?;
    let header =
        payload.header.filter(|header| !header.channel_header.is_empty()).ok_or_else(|| invalid("bad header"))?;
    let header =
        ChannelHeader::decode(header.channel_header).map_err(|_| invalid("could not unmarshall channel header"))?;
    if header.r#type != HeaderType::ConfigUpdate as i32 {
        return Err(invalid("bad type"));
    }
    let own = header.channel_id;
    if own.is_empty() {
        return Err(invalid("empty channel id"));
    }
    if !channel.is_empty() && own != channel {
        return Err(invalid(&format!("mismatched channel ID {own} != {channel}")));
    }
    let mut update = ConfigUpdateEnvelope::decode(payload.data).map_err(|_| invalid("Bad config update env"))?;

    let signature_header = Bytes::from(signature_header(identity).encode_to_vec());
    let message = [signature_header.as_ref(), update.config_update.as_ref()].concat();
    let signature = identity.sign(&message).into();
    update.signatures.push(ConfigSignature { signature_header, signature });

    let channel_header = ChannelHeader {
        r#type: HeaderType::ConfigUpdate as i32,
        timestamp: Some(SystemTime::now().into()),
        channel_id: own,
        ..Default::default()
    };
    let header = Header {
        channel_header: channel_header.encode_to_vec().into(),
        signature_header: self::signature_header(identity).encode_to_vec().into(),
    };
    let payload = Bytes::from(Payload { header: Some(header), data: update.encode_to_vec().into() }.encode_to_vec());
    let signature = identity.sign(&payload).into();
    Ok(Envelope { payload, signature })
}

fn signature_header(identity: &SigningIdentity) -> SignatureHeader {
    let nonce: [u8; 24] = rand::random();
    SignatureHeader { creator: identity.serialized().clone(), nonce: Bytes::copy_from_slice(&nonce) }
}

fn invalid(text: &str) -> Failure {
    Failure::failed(format!("Invalid channel create transaction : {text}"))
}
