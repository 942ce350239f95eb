//! One line for each transaction, and what chaincode itself prints.

use std::time::Duration;

use futures::{Stream, StreamExt, stream::select_all};
use tokio::sync::broadcast;
use tokio_stream::wrappers::{BroadcastStream, errors::BroadcastStreamRecvError};
use windlass_chaincode::build::{BuildProgress, Step, StepEvent};
use windlass_peer::events::{Event, Invocation};
use windlass_proto::{Bytes, protos::TxValidationCode};

use super::{network::Network, organization::Organization};
use crate::printer::Printer;

/// What happens from now on at each organization's peer.
pub(crate) fn events(network: &Network) -> Vec<broadcast::Receiver<Event>> {
    network.organizations().iter().map(|organization| organization.peer().events()).collect()
}

/// What builders and chaincode of each organization print from now on.
pub(crate) fn output(network: &Network) -> Vec<broadcast::Receiver<BuildProgress>> {
    network.organizations().iter().map(|organization| organization.peer().builds().subscribe()).collect()
}

/// Prints transactions and chaincode's output as they come.
pub(crate) async fn follow(
    printer: &Printer,
    network: &Network,
    events: Vec<broadcast::Receiver<Event>>,
    output: Vec<broadcast::Receiver<BuildProgress>>,
) {
    let show = Show { printer, network };
    let (mut events, mut output) = (all(events), all(output));
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some((peer, Ok(event))) => show.event(peer, &event),
                Some((_, Err(BroadcastStreamRecvError::Lagged(missed)))) => {
                    printer.line(printer.dim(format!("… {missed} transactions not shown")));
                }
                None => return,
            },
            printed = output.next() => match printed {
                Some((peer, Ok(progress))) => show.output(peer, &progress),
                Some((_, Err(BroadcastStreamRecvError::Lagged(missed)))) => {
                    printer.line(printer.dim(format!("… {missed} lines of output not shown")));
                }
                None => return,
            },
        }
    }
}

/// What comes from several peers, with the peer's number.
fn all<T: Clone + Send + 'static>(
    receivers: Vec<broadcast::Receiver<T>>,
) -> impl Stream<Item = (usize, Result<T, BroadcastStreamRecvError>)> + Unpin {
    let numbered = receivers.into_iter().enumerate();
    select_all(numbered.map(|(peer, receiver)| BroadcastStream::new(receiver).map(move |item| (peer, item))))
}

struct Show<'a> {
    printer: &'a Printer,
    network: &'a Network,
}

impl Show<'_> {
    /// A transaction is committed by every peer and shown once; a query or a refusal is one peer's.
    fn event(&self, peer: usize, event: &Event) {
        if peer > 0 && matches!(event, Event::Committed { .. }) {
            return;
        }
        line(self.printer, event, &self.place(peer, event));
    }

    /// The channel where there are several, and the organization.
    fn place(&self, peer: usize, event: &Event) -> String {
        let (Event::Committed { invocation, .. }
        | Event::Evaluated { invocation, .. }
        | Event::Refused { invocation, .. }) = event;
        let mut place = String::new();
        if self.network.channels().len() > 1 {
            place = format!("{}  ", invocation.channel);
        }
        if !matches!(event, Event::Committed { .. }) {
            place.push_str(&self.organization(peer).map(|name| format!("{name}  ")).unwrap_or_default());
        }
        place
    }

    fn output(&self, peer: usize, progress: &BuildProgress) {
        if let (Step::Run, StepEvent::Output(line)) = (progress.step, &progress.event) {
            let label = progress.id.split(':').next().unwrap_or_default();
            let whose = self.organization(peer).map(|name| format!(" {name}")).unwrap_or_default();
            self.printer.line(format_args!("{}  {}", self.printer.dim(format!("{label}{whose} |")), line.text));
        }
    }

    /// The peer's organization, where there are several.
    fn organization(&self, peer: usize) -> Option<&str> {
        let organizations = self.network.organizations();
        organizations.get(peer).filter(|_| organizations.len() > 1).map(Organization::msp_id)
    }
}

fn line(printer: &Printer, event: &Event, place: &str) {
    match event {
        Event::Committed { invocation, code, block, reads, writes, elapsed } => {
            let verdict = match code {
                TxValidationCode::Valid => printer.good("VALID"),
                code => printer.bad(code.as_str_name()),
            };
            printer.line(format_args!(
                "{verdict}  {}  {}",
                call(invocation),
                printer.dim(format!("{place}block {block}  reads {reads}  writes {writes}  {}", time(*elapsed)))
            ));
        }
        Event::Evaluated { invocation, status, elapsed } => {
            printer.line(format_args!(
                "{}  {}  {}",
                printer.dim("query"),
                call(invocation),
                printer.dim(format!("{place}status {status}  {}", time(*elapsed)))
            ));
        }
        Event::Refused { invocation, message, elapsed } => {
            printer.line(format_args!(
                "{}  {}  {}",
                printer.bad("REFUSED"),
                call(invocation),
                printer.dim(format!("{place}{}", time(*elapsed)))
            ));
            printer.line(format_args!("         {message}"));
        }
    }
}

/// `basic.CreateAsset(asset1, blue, 5)`, every argument shortened.
fn call(invocation: &Invocation) -> String {
    if invocation.chaincode.is_empty() {
        return "configuration".to_owned();
    }
    let mut args = invocation.args.iter();
    let function = args.next().map(shorten).unwrap_or_default();
    let args: Vec<_> = args.map(shorten).collect();
    format!("{}.{function}({})", invocation.chaincode, args.join(", "))
}

fn shorten(arg: &Bytes) -> String {
    const WIDTH: usize = 24;
    let Ok(text) = std::str::from_utf8(arg) else { return format!("<{} bytes>", arg.len()) };
    if text.chars().any(char::is_control) {
        return format!("<{} bytes>", arg.len());
    }
    if text.chars().count() <= WIDTH {
        return text.to_owned();
    }
    text.chars().take(WIDTH).chain("…".chars()).collect()
}

fn time(elapsed: Duration) -> String {
    format!("{:.1} ms", elapsed.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortens_arguments_and_hides_binary_ones() {
        let invocation = Invocation {
            chaincode: "basic".into(),
            args: vec!["Put".into(), "x".repeat(30).into(), Bytes::from_static(&[0xff, 0]), "a\0b".into()],
            ..Default::default()
        };
        assert_eq!(call(&invocation), format!("basic.Put({}…, <2 bytes>, <3 bytes>)", "x".repeat(24)));
    }
}
