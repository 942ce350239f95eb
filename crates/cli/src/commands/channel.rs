//! Which channel is meant.

use anyhow::bail;

use crate::{client::Client, suggest::instead};

/// The channel that was named, or the only one that the peer is on.
pub(super) async fn only(client: &Client, named: Option<&str>) -> anyhow::Result<String> {
    if let Some(channel) = named.filter(|channel| !channel.is_empty()) {
        return Ok(channel.to_owned());
    }
    let mut channels = client.channels().await?;
    match (channels.pop(), channels.is_empty()) {
        (Some(channel), true) => Ok(channel),
        (None, _) => bail!("the peer is on no channel"),
        (Some(last), false) => {
            channels.push(last);
            channels.sort();
            bail!("the peer is on several channels; hint: choose with --channel one of {}", channels.join(", "))
        }
    }
}

/// The words for a channel that the peer is not on.
pub(super) fn unknown(channel: &str, known: &[String]) -> String {
    match known {
        [] => format!("the peer is not on the channel {channel}, nor on any other"),
        _ => format!("the peer is not on the channel {channel}; it is on {}", instead(channel, known)),
    }
}
