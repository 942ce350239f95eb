//! What a server says first, and when it says goodbye: the frames of HTTP/2 that come in, watched as they pass.
//!
//! An HTTP/2 client may talk before the server has said a word, so that a connection to something mute looks
//! like a good one. And a server that will soon close says so in a frame that the client keeps to itself.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{oneshot, watch},
};

/// The header of a frame: three bytes of length, type, flags, four bytes of stream.
// RFC 9113 §4.1
const HEADER: usize = 9;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

/// The kind of the error where a server speaks something else, which no broken connection has.
pub(crate) const STRANGER: io::ErrorKind = io::ErrorKind::Unsupported;

/// A connection whose incoming frames are watched.
#[derive(Debug)]
pub(crate) struct Watched<S> {
    stream: S,
    frames: Frames,
}

/// Reads frame headers and hops over what they announce.
#[derive(Debug)]
struct Frames {
    header: [u8; HEADER],
    filled: usize,
    /// How much of the current frame is still to come.
    skip: usize,
    /// Until the first frame.
    greeting: Option<oneshot::Sender<io::Result<()>>>,
    leaving: watch::Sender<bool>,
    /// What comes is not HTTP/2.
    foreign: bool,
}

/// The first word of a server.
#[derive(Debug)]
pub(crate) struct Greeting(oneshot::Receiver<io::Result<()>>);

/// Tells when a server has said that it accepts no more streams on a connection.
#[derive(Clone, Debug)]
pub struct Leaving(watch::Receiver<bool>);

impl Greeting {
    /// Resolves when the server has begun to speak HTTP/2.
    pub(crate) async fn heard(self) -> io::Result<()> {
        self.0.await.unwrap_or_else(|_| Err(closed()))
    }
}

impl Leaving {
    /// Resolves when the server says goodbye (GOAWAY); never if the connection ends without. Streams that are
    /// open may still go on to their end.
    pub async fn announced(&mut self) {
        if self.0.wait_for(|leaving| *leaving).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl<S> Watched<S> {
    pub(crate) fn new(stream: S) -> (Self, Greeting, Leaving) {
        let (greeting, heard) = oneshot::channel();
        let (leaving, goodbye) = watch::channel(false);
        let frames =
            Frames { header: [0; HEADER], filled: 0, skip: 0, greeting: Some(greeting), leaving, foreign: false };
        (Self { stream, frames }, Greeting(heard), Leaving(goodbye))
    }
}

impl Frames {
    fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.foreign {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                self.skip -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            let taken = (HEADER - self.filled).min(bytes.len());
            self.header[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            if self.filled == HEADER {
                self.frame();
            }
        }
    }

    fn frame(&mut self) {
        self.filled = 0;
        let [a, b, c, kind, ..] = self.header;
        self.skip = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        if self.greeting.is_some() {
            let heard = if kind == SETTINGS { Ok(()) } else { Err(self.stranger()) };
            self.foreign = heard.is_err();
            self.greeted(heard);
        }
        if kind == GOAWAY {
            self.leaving.send_replace(true);
        }
    }

    fn greeted(&mut self, heard: io::Result<()>) {
        if let Some(greeting) = self.greeting.take() {
            // Nobody listens when the time was up.
            let _ = greeting.send(heard);
        }
    }

    /// What speaks instead of HTTP/2.
    fn stranger(&self) -> io::Error {
        let said = match &self.header {
            header if header.starts_with(b"HTTP/1") => "the server speaks HTTP/1, not HTTP/2",
            // TLS: an alert, or another record.
            [0x14..=0x17, 0x03, ..] => "the server speaks TLS, and was dialed without",
            _ => "the server does not speak HTTP/2",
        };
        io::Error::new(STRANGER, said)
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "end of stream")
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let outcome = ready!(Pin::new(&mut this.stream).poll_read(cx, buf));
        match &outcome {
            Ok(()) if buf.filled().len() == before => {
                if buf.remaining() > 0 {
                    this.frames.greeted(Err(closed()));
                }
            }
            Ok(()) => this.frames.read(&buf.filled()[before..]),
            // The text is kept by those who can say it better than a kind.
            Err(error) => this.frames.greeted(Err(io::Error::new(error.kind(), error.to_string()))),
        }
        Poll::Ready(outcome)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, data)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0, 0, u8::try_from(payload.len()).expect("short"), kind, 0, 0, 0, 0, 0];
        frame.extend_from_slice(payload);
        frame
    }

    #[tokio::test]
    async fn finds_settings_and_goodbye_however_the_bytes_are_cut() {
        let bytes = [frame(SETTINGS, &[0; 12]), frame(0, &[7; 100]), frame(GOAWAY, &[0; 8])].concat();
        for piece in [1, 2, 9, 10, 1000] {
            let (mut watched, greeting, leaving) = Watched::new(tokio::io::empty());
            for part in bytes[..bytes.len() - 17].chunks(piece) {
                watched.frames.read(part);
            }
            assert!(greeting.heard().await.is_ok());
            // What looks like a frame inside another one is none.
            assert!(!*leaving.0.borrow());
            watched.frames.read(&bytes[bytes.len() - 17..]);
            assert!(*leaving.0.borrow());
        }
    }

    #[tokio::test]
    async fn says_what_speaks_instead() {
        for (said, expected) in [
            (b"HTTP/1.1 400 Bad Request".as_slice(), "the server speaks HTTP/1, not HTTP/2"),
            (&[0x15, 3, 3, 0, 2, 2, 70, 0, 0], "the server speaks TLS, and was dialed without"),
            (b"SSH-2.0-OpenSSH", "the server does not speak HTTP/2"),
        ] {
            let (mut watched, greeting, _leaving) = Watched::new(tokio::io::empty());
            watched.frames.read(said);
            assert_eq!(greeting.heard().await.expect_err("no HTTP/2").to_string(), expected);
        }
    }
}
