//! One thread that starts every child.
//!
//! A child that asks for a signal when its parent dies gets it when the *thread* that started it ends, and
//! worker threads of a runtime come and go. This thread lives as long as anything that runs.

use std::{io, sync::mpsc, thread, time::Duration};

use tokio::{
    process::{Child, Command},
    runtime::Handle,
};

/// Starts children on a thread of its own, which ends with the last owner.
#[derive(Debug)]
pub(super) struct Spawner {
    requests: mpsc::Sender<Request>,
}

#[derive(Debug)]
struct Request {
    command: Command,
    runtime: Handle,
    reply: mpsc::Sender<io::Result<Child>>,
}

impl Spawner {
    pub(super) fn new() -> Self {
        let (requests, queue) = mpsc::channel();
        // Without the thread the queue is dropped, and every start fails with a clear error.
        let _ = thread::Builder::new().name("windlass-spawner".to_owned()).spawn(move || serve(&queue));
        Self { requests }
    }

    /// Starts a child that belongs to the current runtime. Takes as long as a fork.
    pub(super) fn spawn(&self, command: Command) -> io::Result<Child> {
        let gone = || io::Error::other("the thread that starts children is gone");
        let (reply, answer) = mpsc::channel();
        self.requests.send(Request { command, runtime: Handle::current(), reply }).map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())?
    }
}

fn serve(queue: &mpsc::Receiver<Request>) {
    for Request { mut command, runtime, reply } in queue {
        let _runtime = runtime.enter();
        let _ = reply.send(retrying_while_busy(|| command.spawn()));
    }
}

/// A program file that was just written may still be open for writing in a child that another thread forked and
/// that has not yet become its own program.
pub(super) fn retrying_while_busy<T>(mut start: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..50 {
        match start() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                thread::sleep(Duration::from_millis(10));
            }
            result => return result,
        }
    }
    start()
}
