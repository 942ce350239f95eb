//! Counts gRPC calls, as a layer around a server's routes.
// Fabric: endorsement-and-gateway §10

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Buf;
use http_body::{Frame, SizeHint};
use prometheus::{HistogramVec, IntCounter, IntCounterVec};
use tonic::{
    Code,
    body::Body,
    codegen::{Bytes, Service, http},
};
use tower::Layer;

use super::{Group, Metrics};

/// The calls that are counted, by path. Labels must not grow with what clients make up.
// Fabric: endorsement-and-gateway §1
const UNARY: [&str; 6] = [
    "/protos.Endorser/ProcessProposal",
    "/gateway.Gateway/Evaluate",
    "/gateway.Gateway/Endorse",
    "/gateway.Gateway/Submit",
    "/gateway.Gateway/CommitStatus",
    "/discovery.Discovery/Discover",
];
const STREAMS: [&str; 7] = [
    "/protos.Deliver/Deliver",
    "/protos.Deliver/DeliverFiltered",
    "/protos.Deliver/DeliverWithPrivateData",
    "/gateway.Gateway/ChaincodeEvents",
    "/protos.ChaincodeSupport/Register",
    "/orderer.AtomicBroadcast/Broadcast",
    "/orderer.AtomicBroadcast/Deliver",
];

#[derive(Clone, Debug)]
pub(super) struct CallMetrics {
    stream: KindMetrics,
    unary: KindMetrics,
    messages_received: IntCounterVec,
    messages_sent: IntCounterVec,
    connections_opened: IntCounter,
    connections_closed: IntCounter,
}

#[derive(Clone, Debug)]
struct KindMetrics {
    duration: HistogramVec,
    completed: IntCounterVec,
    received: IntCounterVec,
}

impl CallMetrics {
    pub(super) fn new(group: &Group<'_>) -> Self {
        const CALL: [&str; 3] = ["service", "method", "code"];
        let kind = |kind: &str| KindMetrics {
            duration: group.seconds(
                &format!("grpc_server_{kind}_request_duration"),
                "The time to complete a call, in seconds.",
                &CALL,
            ),
            completed: group.counter(&format!("grpc_server_{kind}_requests_completed"), "Calls that ended.", &CALL),
            received: group.counter(
                &format!("grpc_server_{kind}_requests_received"),
                "Calls that came in.",
                &CALL[..2],
            ),
        };
        let messages = |direction: &str| {
            let name = format!("grpc_server_stream_messages_{direction}");
            group.counter(&name, "Messages on streams.", &CALL[..2])
        };
        Self {
            stream: kind("stream"),
            unary: kind("unary"),
            messages_received: messages("received"),
            messages_sent: messages("sent"),
            connections_opened: group.plain_counter("grpc_comm_conn_opened", "Connections that were opened."),
            connections_closed: group.plain_counter("grpc_comm_conn_closed", "Connections that were closed."),
        }
    }
}

impl Metrics {
    /// A layer that counts every call of the services below it.
    pub fn count_calls(&self) -> CountCallsLayer {
        CountCallsLayer(self.clone())
    }

    /// A connection was accepted; it ends when the value is dropped.
    pub fn connection_opened(&self) -> OpenConnection {
        self.calls.connections_opened.inc();
        OpenConnection(self.calls.connections_closed.clone())
    }
}

/// A connection that is open.
#[derive(Debug)]
pub struct OpenConnection(IntCounter);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.inc();
    }
}

/// Wraps a service in [`CountCalls`].
#[derive(Clone, Debug)]
pub struct CountCallsLayer(Metrics);

impl<S> Layer<S> for CountCallsLayer {
    type Service = CountCalls<S>;

    fn layer(&self, inner: S) -> CountCalls<S> {
        CountCalls { inner, metrics: self.0.clone() }
    }
}

/// A gRPC service whose calls are counted.
#[derive(Clone, Debug)]
pub struct CountCalls<S> {
    inner: S,
    metrics: Metrics,
}

impl<S> Service<http::Request<Body>> for CountCalls<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let Some(mut call) = Call::begin(&self.metrics.calls, request.uri().path()) else {
            return Box::pin(self.inner.call(request));
        };
        let received = call.messages(&call.metrics.messages_received);
        let request = request.map(|body| Body::new(Counted { body, messages: received, call: None }));
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await?;
            // A call that is refused at once has its status among the headers.
            call.note(response.headers());
            let sent = call.messages(&call.metrics.messages_sent);
            Ok(response.map(|body| Body::new(Counted { body, messages: sent, call: Some(call) })))
        })
    }
}

/// One call in progress. When it is dropped it has ended.
struct Call {
    metrics: CallMetrics,
    stream: bool,
    service: String,
    method: String,
    started: Instant,
    /// Without a status the client went away.
    code: Code,
}

impl Call {
    fn begin(metrics: &CallMetrics, path: &str) -> Option<Self> {
        let stream = STREAMS.contains(&path);
        if !stream && !UNARY.contains(&path) {
            return None;
        }
        let (service, method) = path.strip_prefix('/')?.split_once('/')?;
        let call = Self {
            metrics: metrics.clone(),
            stream,
            service: service.replace('.', "_"),
            method: method.to_owned(),
            started: Instant::now(),
            code: Code::Cancelled,
        };
        call.kind().received.with_label_values(&[&call.service, &call.method]).inc();
        Some(call)
    }

    fn kind(&self) -> &KindMetrics {
        if self.stream { &self.metrics.stream } else { &self.metrics.unary }
    }

    fn messages(&self, counter: &IntCounterVec) -> Option<Messages> {
        self.stream.then(|| Messages::new(counter.with_label_values(&[&self.service, &self.method])))
    }

    fn note(&mut self, headers: &http::HeaderMap) {
        if let Some(status) = headers.get("grpc-status") {
            self.code = Code::from_bytes(status.as_bytes());
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let code = match self.code {
            Code::Ok => "OK".to_owned(),
            Code::Cancelled => "Canceled".to_owned(),
            other => format!("{other:?}"),
        };
        let labels = [self.service.as_str(), self.method.as_str(), &code];
        self.kind().completed.with_label_values(&labels).inc();
        self.kind().duration.with_label_values(&labels).observe(self.started.elapsed().as_secs_f64());
    }
}

/// A body whose messages are counted; the response's one also carries the call to its end.
struct Counted {
    body: Body,
    messages: Option<Messages>,
    call: Option<Call>,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            if let (Some(messages), Some(data)) = (&mut this.messages, frame.data_ref()) {
                messages.see(data);
            }
            if let (Some(call), Some(trailers)) = (&mut this.call, frame.trailers_ref()) {
                call.note(trailers);
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Counts gRPC messages in a sequence of bytes: each is a flag byte, four bytes of length, and that much.
struct Messages {
    counter: IntCounter,
    prefix: [u8; PREFIX],
    filled: usize,
    rest: usize,
}

const PREFIX: usize = 5;

impl Messages {
    fn new(counter: IntCounter) -> Self {
        Self { counter, prefix: [0; PREFIX], filled: 0, rest: 0 }
    }

    fn see(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            if self.rest > 0 {
                let skipped = self.rest.min(data.len());
                self.rest -= skipped;
                data.advance(skipped);
                continue;
            }
            self.prefix[self.filled] = data.get_u8();
            self.filled += 1;
            if self.filled == PREFIX {
                self.filled = 0;
                let [_, length @ ..] = self.prefix;
                self.rest = u32::from_be_bytes(length) as usize;
                self.counter.inc();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_messages_however_they_are_cut() {
        let message = |content: &[u8]| [&[0, 0, 0, 0, content.len() as u8], content].concat();
        let bytes = [message(b"abc"), message(b""), message(b"de")].concat();
        for cut in 1..bytes.len() {
            let mut messages = Messages::new(IntCounter::new("n", "n").expect("a counter"));
            bytes.chunks(cut).for_each(|chunk| messages.see(chunk));
            assert_eq!(messages.counter.get(), 3, "chunks of {cut}");
        }
    }

    #[tokio::test]
    async fn counts_calls_by_service_method_and_code() {
        let metrics = Metrics::new("test");
        let answer = |status: &'static str| {
            tower::service_fn(move |_: http::Request<Body>| async move {
                let response = http::Response::builder().header("grpc-status", status).body(Body::empty());
                response.map_err(|error| error.to_string())
            })
        };
        for (path, status) in [
            ("/protos.Endorser/ProcessProposal", "0"),
            ("/protos.Endorser/ProcessProposal", "2"),
            ("/protos.Deliver/Deliver", "0"),
            ("/made.Up/Path", "12"),
            ("/protos.Endorser/MadeUp", "12"),
            ("/protos.Endorser/made/up", "12"),
        ] {
            let request = http::Request::builder().uri(path).body(Body::empty()).expect("a request");
            metrics.count_calls().layer(answer(status)).call(request).await.expect("an answer");
        }
        let text = metrics.render();
        for line in [
            r#"grpc_server_unary_requests_received{method="ProcessProposal",service="protos_Endorser"} 2"#,
            r#"grpc_server_unary_requests_completed{code="OK",method="ProcessProposal",service="protos_Endorser"} 1"#,
            r#"grpc_server_unary_requests_completed{code="Unknown",method="ProcessProposal",service="protos_Endorser"} 1"#,
            r#"grpc_server_stream_requests_completed{code="OK",method="Deliver",service="protos_Deliver"} 1"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        assert!(!text.to_ascii_lowercase().contains("made"), "{text}");
    }
}
