//! One line for each transaction, and what chaincode itself prints.

use std::time::Duration;

use tokio::sync::broadcast;
use windlass_chaincode::build::{BuildProgress, Step, StepEvent};
use windlass_peer::events::{Event, Invocation};
use windlass_proto::{Bytes, protos::TxValidationCode};

use crate::printer::Printer;

/// Prints transactions and chaincode's output as they come.
pub(crate) async fn follow(
    printer: &Printer,
    mut events: broadcast::Receiver<Event>,
    mut output: broadcast::Receiver<BuildProgress>,
) {
    use broadcast::error::RecvError;
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Ok(event) => line(printer, &event),
                Err(RecvError::Lagged(missed)) => {
                    printer.line(printer.dim(format!("… {missed} transactions not shown")));
                }
                Err(RecvError::Closed) => return,
            },
            printed = output.recv() => match printed {
                Ok(progress) => output_line(printer, &progress),
                Err(RecvError::Lagged(missed)) => {
                    printer.line(printer.dim(format!("… {missed} lines of output not shown")));
                }
                Err(RecvError::Closed) => return,
            },
        }
    }
}

fn output_line(printer: &Printer, progress: &BuildProgress) {
    if let (Step::Run, StepEvent::Output(line)) = (progress.step, &progress.event) {
        let label = progress.id.split(':').next().unwrap_or_default();
        printer.line(format_args!("{}  {}", printer.dim(format!("{label} |")), line.text));
    }
}

fn line(printer: &Printer, event: &Event) {
    match event {
        Event::Committed { invocation, code, block, reads, writes, elapsed } => {
            let verdict = match code {
                TxValidationCode::Valid => printer.good("VALID"),
                code => printer.bad(code.as_str_name()),
            };
            printer.line(format_args!(
                "{verdict}  {}  {}",
                call(invocation),
                printer.dim(format!("block {block}  reads {reads}  writes {writes}  {}", time(*elapsed)))
            ));
        }
        Event::Evaluated { invocation, status, elapsed } => {
            printer.line(format_args!(
                "{}  {}  {}",
                printer.dim("query"),
                call(invocation),
                printer.dim(format!("status {status}  {}", time(*elapsed)))
            ));
        }
        Event::Refused { invocation, message, elapsed } => {
            printer.line(format_args!("{}  {}  {}", printer.bad("REFUSED"), call(invocation), printer.dim(time(*elapsed))));
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
    let function = args.next().map(|name| shorten(name)).unwrap_or_default();
    let args: Vec<_> = args.map(|arg| shorten(arg)).collect();
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
