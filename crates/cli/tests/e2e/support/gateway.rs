//! The Node client on `@hyperledger/fabric-gateway`: one process that runs scenarios and answers in JSON lines.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    output::{Output, Pipe},
    parts,
    windlass::Windlass,
};

const LIMIT: Duration = Duration::from_secs(120);

/// The client, serving until it is dropped.
#[derive(Debug)]
pub(crate) struct Gateway {
    child: Child,
    requests: Option<ChildStdin>,
    waiting: Arc<Mutex<HashMap<u64, Sender<Value>>>>,
    errors: Output,
    next: u64,
}

impl Gateway {
    pub(crate) fn connect(windlass: &Windlass) -> Self {
        let folder = parts::gateway_client();
        let mut command = Command::new("node");
        command.arg("main.mjs").arg(windlass.ready_file()).arg("serve").current_dir(folder);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Node.js starts");
        let errors = Output::default();
        errors.follow(Pipe::Stderr, child.stderr.take().expect("a pipe"));
        let waiting: Arc<Mutex<HashMap<u64, Sender<Value>>>> = Arc::default();
        let (answers, waiters) = (child.stdout.take().expect("a pipe"), waiting.clone());
        thread::spawn(move || {
            for line in BufReader::new(answers).lines().map_while(Result::ok) {
                let Ok(mut line) = serde_json::from_str::<Value>(&line) else { continue };
                let id = line.as_object_mut().and_then(|line| line.remove("id"));
                let id = id.and_then(|id| id.as_u64()).unwrap_or_default();
                if let Some(waiter) = waiters.lock().expect("no test panics here").get(&id) {
                    let _ = waiter.send(line);
                }
            }
            // Whoever still waits sees the end.
            waiters.lock().expect("no test panics here").clear();
        });
        Self { requests: child.stdin.take(), child, waiting, errors, next: 1 }
    }

    /// Starts a scenario.
    pub(crate) fn begin(&mut self, scenario: &str, options: Value) -> Scenario {
        let (id, mut request) = (self.next, options);
        self.next += 1;
        request["id"] = json!(id);
        request["scenario"] = json!(scenario);
        let (sender, lines) = channel();
        self.waiting.lock().expect("no test panics here").insert(id, sender);
        writeln!(self.requests.as_mut().expect("open until dropped"), "{request}").expect("the client reads");
        Scenario { lines, errors: self.errors.clone() }
    }

    /// Runs a scenario and returns its lines without the last, which only says that it ended well.
    #[track_caller]
    pub(crate) fn run(&mut self, scenario: &str, options: Value) -> Vec<Value> {
        self.begin(scenario, options).finish()
    }

    /// Runs a scenario that must fail, and returns the error.
    #[track_caller]
    pub(crate) fn fail(&mut self, scenario: &str, options: Value) -> Value {
        let scenario = self.begin(scenario, options);
        loop {
            let line = scenario.next();
            if line["end"] == true {
                assert_eq!(line["ok"], false, "expected a failure: {line}");
                return line["error"].clone();
            }
        }
    }

    /// The result of a query.
    #[track_caller]
    pub(crate) fn evaluate(&mut self, options: Value) -> String {
        result(&self.run("evaluate", options)[0])
    }

    /// The result of a transaction that is valid.
    #[track_caller]
    pub(crate) fn submit(&mut self, options: Value) -> String {
        result(&self.run("submit", options)[0])
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.requests = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A scenario that runs.
#[derive(Debug)]
pub(crate) struct Scenario {
    lines: Receiver<Value>,
    errors: Output,
}

impl Scenario {
    /// The next line.
    #[track_caller]
    pub(crate) fn next(&self) -> Value {
        match self.lines.recv_timeout(LIMIT) {
            Ok(line) => line,
            Err(error) => panic!("the client says nothing more: {error}\n{}", self.errors.shown()),
        }
    }

    /// The lines that are left, which must end well.
    #[track_caller]
    pub(crate) fn finish(self) -> Vec<Value> {
        let mut lines = Vec::new();
        loop {
            let line = self.next();
            if line["end"] == true {
                assert_ne!(line["ok"], false, "the scenario failed after {lines:?}: {line:#}");
                return lines;
            }
            lines.push(line);
        }
    }
}

#[track_caller]
fn result(line: &Value) -> String {
    line["result"].as_str().unwrap_or_else(|| panic!("no result: {line}")).to_owned()
}
