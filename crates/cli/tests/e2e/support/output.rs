//! What a child process prints, line by line.

use std::{
    io::{BufRead, BufReader, Read},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

/// Lines of stdout and stderr, and the possibility to wait for one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Output(Arc<(Mutex<Lines>, Condvar)>);

#[derive(Debug, Default)]
struct Lines {
    stdout: Vec<String>,
    stderr: Vec<String>,
    /// Pipes that are still open.
    open: usize,
}

/// Which of a process's two pipes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pipe {
    Stdout,
    Stderr,
}

impl Output {
    /// Reads a pipe to its end.
    pub(crate) fn follow(&self, pipe: Pipe, from: impl Read + Send + 'static) {
        let output = self.clone();
        output.lines().open += 1;
        thread::spawn(move || {
            for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                let mut lines = output.lines();
                match pipe {
                    Pipe::Stdout => lines.stdout.push(line),
                    Pipe::Stderr => lines.stderr.push(line),
                }
                drop(lines);
                output.0.1.notify_all();
            }
            output.lines().open -= 1;
            output.0.1.notify_all();
        });
    }

    /// Waits for a line that satisfies `wanted`. `None` when the pipes end or the time is up.
    pub(crate) fn wait_for(&self, pipe: Pipe, limit: Duration, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let deadline = Instant::now() + limit;
        let mut lines = self.lines();
        loop {
            let printed = match pipe {
                Pipe::Stdout => &lines.stdout,
                Pipe::Stderr => &lines.stderr,
            };
            if let Some(line) = printed.iter().find(|line| wanted(line)) {
                return Some(line.clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if lines.open == 0 || left.is_zero() {
                return None;
            }
            lines = self.0.1.wait_timeout(lines, left).expect("no test panics here").0;
        }
    }

    /// Waits until both pipes have ended.
    pub(crate) fn wait_for_end(&self, limit: Duration) {
        let lines = self.lines();
        let _ = self.0.1.wait_timeout_while(lines, limit, |lines| lines.open > 0).expect("no test panics here");
    }

    pub(crate) fn stdout(&self) -> String {
        self.lines().stdout.join("\n")
    }

    pub(crate) fn stderr(&self) -> String {
        self.lines().stderr.join("\n")
    }

    /// Both, for a failure's message.
    pub(crate) fn shown(&self) -> String {
        format!("-- stdout\n{}\n-- stderr\n{}\n--", self.stdout(), self.stderr())
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, Lines> {
        self.0.0.lock().expect("no test panics here")
    }
}
