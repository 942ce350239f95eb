//! The protocol between chaincode and peer, against a peer that follows a script.

mod peer;
mod protocol;
mod requests;
mod sample;
