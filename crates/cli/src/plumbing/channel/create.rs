//! `channel create`: a channel from its configuration transaction, on ordering services that take one.

use std::{path::PathBuf, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    fetch::{Blocks, is_endpoint, write},
    update::{add_signature, read, send},
};
use crate::{
    client::deliver::Position,
    plumbing::{failure::Failure, session::Session},
};

/// How long to wait before asking for the channel's first block again.
const PAUSE: Duration = Duration::from_millis(200);

/// Creates the channel, and writes its first block to a file.
pub(crate) async fn run(session: &Session) -> Result<(), Failure> {
    let channel = session.values.text("channelID");
    if channel.is_empty() {
        return Err(Failure::usage("must supply channel ID"));
    }
    let orderer = session.values.text("orderer");
    if !is_endpoint(orderer) {
        return Err(Failure::failed(format!("ordering service endpoint {orderer} is not valid or missing")));
    }
    let blocks = Blocks::of_orderer(session, channel).await?;
    let path = session.values.text("file");
    if path.is_empty() {
        return Err(Failure::failed("the channel's configuration transaction must be given with -f"));
    }
    let update = add_signature(session.identity(), &read(path)?, channel)?;
    send(session, &update, "error getting broadcast client").await?;

    let deadline = Instant::now() + session.values.duration("timeout");
    let block = loop {
        match blocks.get(Position::Number(0)).await {
            Ok(block) => break block,
            Err(_) if Instant::now() >= deadline => {
                return Err(Failure::failed("timeout waiting for channel creation"));
            }
            Err(_) => sleep(PAUSE).await,
        }
    };
    let file = match session.values.text("outputBlock") {
        "" => format!("{channel}.block"),
        file => file.to_owned(),
    };
    write(&PathBuf::from(file), &block)
}
