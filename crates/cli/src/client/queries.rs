//! Questions to the chaincode inside a peer.

use prost::Message;
use windlass_proto::{
    Bytes,
    envelope::Call,
    lifecycle::{
        QueryChaincodeDefinitionsArgs, QueryChaincodeDefinitionsResult, QueryInstalledChaincodesArgs,
        QueryInstalledChaincodesResult, query_chaincode_definitions_result::ChaincodeDefinition,
        query_installed_chaincodes_result::InstalledChaincode,
    },
    protos::ChannelQueryResponse,
};

use super::Client;

impl Client {
    /// The channels that the peer is on.
    pub(crate) async fn channels(&self) -> anyhow::Result<Vec<String>> {
        let call =
            Call { chaincode: "cscc".to_owned(), args: vec![Bytes::from_static(b"GetChannels")], ..Default::default() };
        let response = self.propose(&call).await?;
        if response.status != 200 {
            anyhow::bail!("{}", response.message);
        }
        let answer = ChannelQueryResponse::decode(response.payload)?;
        Ok(answer.channels.into_iter().map(|channel| channel.channel_id).collect())
    }

    /// What is defined on a channel.
    pub(crate) async fn definitions(&self, channel: &str) -> anyhow::Result<Vec<ChaincodeDefinition>> {
        let args = QueryChaincodeDefinitionsArgs {};
        let result: Option<QueryChaincodeDefinitionsResult> =
            self.lifecycle(channel, "QueryChaincodeDefinitions", &args).await?;
        Ok(result.unwrap_or_default().chaincode_definitions)
    }

    /// The packages that the peer has, and what they are used for.
    pub(crate) async fn installed(&self) -> anyhow::Result<Vec<InstalledChaincode>> {
        let args = QueryInstalledChaincodesArgs {};
        let result: Option<QueryInstalledChaincodesResult> =
            self.lifecycle("", "QueryInstalledChaincodes", &args).await?;
        Ok(result.unwrap_or_default().installed_chaincodes)
    }
}
