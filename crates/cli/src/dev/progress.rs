//! Slow steps, as they go: builds with a spinner or a line, and what chaincode prints.

use std::{collections::HashMap, time::Duration};

use tokio::{sync::broadcast, task::AbortHandle};
use windlass_chaincode::build::{BuildProgress, Step, StepEvent};

use crate::printer::Printer;

/// Steps that take less are not worth a word.
const WORTH_SAYING: Duration = Duration::from_millis(500);

/// Shows progress until it is dropped.
#[derive(Debug)]
pub(crate) struct Watching(AbortHandle);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Shows what builders do from now on; `whose` is said where there are several of them.
pub(crate) fn watch(printer: Printer, whose: Option<&str>, progress: broadcast::Receiver<BuildProgress>) -> Watching {
    let whose = whose.map(|whose| format!(" for {whose}")).unwrap_or_default();
    Watching(tokio::spawn(show(printer, whose, progress)).abort_handle())
}

async fn show(printer: Printer, whose: String, mut progress: broadcast::Receiver<BuildProgress>) {
    let mut bars = HashMap::new();
    loop {
        let BuildProgress { id, builder, step, event } = match progress.recv().await {
            Ok(progress) => progress,
            Err(broadcast::error::RecvError::Lagged(_)) => continue,
            Err(broadcast::error::RecvError::Closed) => return,
        };
        // `release` comes after it, and is no build of its own.
        if step != Step::Build {
            continue;
        }
        let what = format!("{}{whose} with {builder}", id.split(':').next().unwrap_or(&id));
        match &event {
            StepEvent::Started => {
                let message = format!("building {what}");
                if !printer.is_terminal() {
                    printer.note(&message);
                }
                bars.insert(id, printer.spinner(message));
            }
            StepEvent::Output(line) => {
                if let Some(bar) = bars.get(&id) {
                    bar.set_message(format!("building {what}: {}", shorten(&line.text)));
                }
            }
            StepEvent::Finished { took, failure } => {
                if let Some(bar) = bars.remove(&id) {
                    bar.finish_and_clear();
                }
                if failure.is_none() && *took >= WORTH_SAYING {
                    printer.note(format_args!("built {what} in {:.1} s", took.as_secs_f32()));
                }
            }
        }
    }
}

fn shorten(line: &str) -> String {
    const WIDTH: usize = 60;
    if line.chars().count() <= WIDTH {
        return line.to_owned();
    }
    line.chars().take(WIDTH).chain("…".chars()).collect()
}
