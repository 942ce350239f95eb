//! Private data: what a peer without collections says.

use super::serve;
use crate::support::place::Place;

#[tokio::test(flavor = "multi_thread")]
async fn refuses_collections_that_are_not_defined() {
    let place = Place::new();
    let (windlass, client) = serve(&place).await;
    for args in [
        &["PutPrivate", "secrets", "k", "v"][..],
        &["GetPrivate", "secrets", "k"],
        &["DeletePrivate", "secrets", "k"],
        &["PurgePrivate", "secrets", "k"],
        &["RangePrivate", "secrets", "a", "b"],
        &["GetMultiplePrivate", "secrets", "k", "l"],
        &["CompositePrivate", "secrets", "color~id", "blue"],
        &["QueryPrivate", "secrets", "{}"],
        &["SetPrivatePolicy", "secrets", "k", "Org1MSP"],
        &["GetPrivatePolicy", "secrets", "k"],
    ] {
        let refusal = client.error("shim", args).await;
        assert!(refusal.ends_with(": collection mychannel/shim/secrets could not be found"), "{args:?}: {refusal}");
    }
    let refusal = client.error("shim", &["GetPrivateHash", "secrets", "k"]).await;
    let reason = "collection config not defined for chaincode [shim], pass the collection configuration upon chaincode \
                  definition/instantiation";
    assert!(refusal.ends_with(reason), "{refusal}");
    // One that every chaincode has is refused with the reason.
    let refusal = client.error("shim", &["GetPrivate", "_implicit_org_Org1MSP", "k"]).await;
    assert!(
        refusal.contains("_implicit_org_Org1MSP is defined, but chaincode cannot use private data here"),
        "{refusal}"
    );
    // Refused calls leave the chaincode in order.
    client.submit("shim", &["Put", "k", "v"]).await.expect("a transaction");
    windlass.stop();
}
