//! The bundled sample as a program of its own: dials the peer, or listens where `CHAINCODE_SERVER_ADDRESS` says.

#[tokio::main]
async fn main() -> Result<(), windlass_shim::StartError> {
    windlass_shim::sample::main(std::env::args().skip(1)).await
}
