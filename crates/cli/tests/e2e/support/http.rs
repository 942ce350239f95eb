//! Requests to the operations endpoint.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use super::ready::Ready;

/// An answer over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

pub(crate) fn get(ready: &Ready, path: &str) -> Answer {
    request(ready, "GET", path, "")
}

/// One request on a connection of its own.
pub(crate) fn request(ready: &Ready, method: &str, path: &str, body: &str) -> Answer {
    let endpoint = &ready.operations.endpoint;
    let mut stream = TcpStream::connect(endpoint).expect("an operations endpoint");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: {endpoint}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer of text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("head and body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, body: body.to_owned() }
}
