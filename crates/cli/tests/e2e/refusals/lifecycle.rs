//! Definitions out of order.

use windlass_proto::lifecycle::{
    ApproveChaincodeDefinitionForMyOrgArgs, CommitChaincodeDefinitionArgs, GetInstalledChaincodePackageArgs,
    QueryChaincodeDefinitionArgs,
};

use super::lifecycle_call;
use crate::support::{client::Client, place::Place, refusal::Refusal};

async fn refusal(client: &Client, channel: &str, function: &str, args: &impl prost::Message) -> (i32, String) {
    match client.propose(&lifecycle_call(channel, function, args)).await {
        Err(Refusal::Response { status, message }) => (status, message),
        other => panic!("{function}: expected a refusal, got {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_definitions_out_of_order() {
    let place = Place::new();
    let windlass = place.dev().start();
    let client = Client::admin(&windlass.ready).await;
    let channel = windlass.ready.channel.as_str();
    let approval = |name: &str, sequence, version: &str| ApproveChaincodeDefinitionForMyOrgArgs {
        sequence,
        name: name.to_owned(),
        version: version.to_owned(),
        ..Default::default()
    };
    for (args, text) in [
        (approval("new", 0, "1"), "requested sequence is 0, but first definable sequence number is 1"),
        (approval("new", 2, "1"), "requested sequence 2 is larger than the next available sequence number 1"),
        (approval("basic", 3, "1"), "requested sequence 3 is larger than the next available sequence number 2"),
        (
            approval("basic", 1, "9.9"),
            "attempted to redefine the current committed sequence (1) for namespace basic with different parameters: \
             expected Version '1.0' does not match passed Version '9.9'",
        ),
        (
            approval("_no", 1, "1"),
            "error validating chaincode definition: invalid chaincode name '_no'. Names can only consist of \
             alphanumerics, '_', and '-' and can only begin with alphanumerics",
        ),
        (
            approval("qscc", 1, "1"),
            "error validating chaincode definition: chaincode name 'qscc' is the name of a system chaincode",
        ),
    ] {
        let function = "ApproveChaincodeDefinitionForMyOrg";
        let expected = format!("failed to invoke backing implementation of '{function}': {text}");
        assert_eq!(refusal(&client, channel, function, &args).await, (500, expected));
    }

    let commit = |name: &str, sequence| CommitChaincodeDefinitionArgs {
        sequence,
        name: name.to_owned(),
        version: "1".to_owned(),
        ..Default::default()
    };
    for (args, text) in [
        (commit("new", 1), "chaincode definition not agreed to by this org (Org1MSP)"),
        (commit("basic", 1), "requested sequence is 1, but new definition must be sequence 2"),
    ] {
        let function = "CommitChaincodeDefinition";
        let expected = format!("failed to invoke backing implementation of '{function}': {text}");
        assert_eq!(refusal(&client, channel, function, &args).await, (500, expected));
    }
    let query = QueryChaincodeDefinitionArgs { name: "new".to_owned() };
    let found = refusal(&client, channel, "QueryChaincodeDefinition", &query).await;
    assert_eq!(found, (404, "namespace new is not defined".to_owned()));
    let found = refusal(&client, "nochannel", "QueryChaincodeDefinition", &query).await;
    assert_eq!(found, (500, "channel 'nochannel' not found".to_owned()));
    let package = GetInstalledChaincodePackageArgs { package_id: "new:00".to_owned() };
    let found = refusal(&client, "", "GetInstalledChaincodePackage", &package).await;
    let text = "failed to invoke backing implementation of 'GetInstalledChaincodePackage': could not load cc install \
                package: chaincode install package 'new:00' not found";
    assert_eq!(found, (500, text.to_owned()));
    windlass.stop();
}
