//! The last lines of programs: kept within bounds, and followed while more come.

use std::{collections::VecDeque, sync::Arc};

use futures::{Stream, StreamExt, stream};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::build::{OutputLine, Step, output};

/// The last lines of a program or of several, shared between those who print and those who read. Clones share it.
///
/// Old lines make room for new ones, so that a journal takes a few hundred kilobytes at most, and who prints
/// never waits for who reads.
#[derive(Clone, Debug)]
pub struct Journal(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    lines: Mutex<Lines>,
    /// How many lines there ever were, and whether there will be no more.
    progress: watch::Sender<Progress>,
    /// Where lines go, too, and the instance that they are from.
    onward: Option<(Journal, Option<u32>)>,
}

#[derive(Debug, Default)]
struct Lines {
    last: VecDeque<Arc<OutputLine>>,
    bytes: usize,
    total: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    total: u64,
    closed: bool,
}

const LINES: usize = 2000;
const BYTES: usize = 256 << 10;

impl Default for Journal {
    fn default() -> Self {
        Self::with(None)
    }
}

impl Journal {
    fn with(onward: Option<(Self, Option<u32>)>) -> Self {
        Self(Arc::new(Shared { lines: Mutex::default(), progress: watch::Sender::default(), onward }))
    }

    /// A journal of one program, whose lines go to this one, too.
    pub(crate) fn part(&self) -> Self {
        Self::with(Some((self.clone(), None)))
    }

    /// A journal of one instance, whose lines go to this one, too.
    pub(crate) fn instance(&self, number: u32) -> Self {
        Self::with(Some((self.clone(), Some(number))))
    }

    /// A journal that is complete.
    pub(super) fn of(lines: impl IntoIterator<Item = OutputLine>) -> Self {
        let journal = Self::default();
        for line in lines {
            journal.push(line);
        }
        journal.close();
        journal
    }

    /// Adds a line.
    pub(crate) fn push(&self, line: OutputLine) -> Arc<OutputLine> {
        let instance = self.0.onward.as_ref().and_then(|(_, instance)| *instance);
        let line = Arc::new(OutputLine { instance: line.instance.or(instance), ..line });
        self.add(line.clone());
        line
    }

    fn add(&self, line: Arc<OutputLine>) {
        if let Some((journal, _)) = &self.0.onward {
            journal.add(line.clone());
        }
        let mut lines = self.0.lines.lock();
        lines.bytes += line.text.len();
        lines.last.push_back(line);
        lines.total += 1;
        while lines.last.len() > LINES || lines.bytes > BYTES {
            let Some(oldest) = lines.last.pop_front() else { break };
            lines.bytes -= oldest.text.len();
        }
        // Inside the lock, so that the number never goes back.
        self.0.progress.send_modify(|progress| progress.total = lines.total);
    }

    /// Adds what the peer itself has to say about a program.
    pub(crate) fn note(&self, step: Step, text: impl Into<String>) {
        // A line is one line, also where a file's name in it is odd.
        let text = text.into().replace(char::is_control, "\u{fffd}");
        self.push(OutputLine::new(step, output::Stream::Note, text));
    }

    /// There will be no more lines: those who follow are done.
    pub(crate) fn close(&self) {
        self.0.progress.send_modify(|progress| progress.closed = true);
    }

    /// The lines that are kept.
    pub fn lines(&self) -> Vec<Arc<OutputLine>> {
        self.0.lines.lock().last.iter().cloned().collect()
    }

    /// The texts of what programs printed.
    pub(crate) fn texts(&self) -> Vec<String> {
        let lines = self.0.lines.lock();
        lines.last.iter().filter(|line| line.is_printed()).map(|line| line.text.clone()).collect()
    }

    /// The last line that says something, on standard error if there is one.
    pub(super) fn last_words(&self) -> Option<String> {
        let lines = self.0.lines.lock();
        let spoken = || lines.last.iter().rev().filter(|line| line.is_printed() && !line.text.trim().is_empty());
        let complaint = spoken().find(|line| line.stream == output::Stream::Error);
        complaint.or_else(|| spoken().next()).map(|line| line.text.trim().to_owned())
    }

    /// The lines that are kept, and a stream of those that come, to the end. Who reads too slowly misses lines,
    /// and is told how many.
    pub fn follow(&self) -> (Vec<Arc<OutputLine>>, impl Stream<Item = Arc<OutputLine>> + Send + use<>) {
        let (kept, total) = {
            let lines = self.0.lines.lock();
            (lines.last.iter().cloned().collect(), lines.total)
        };
        let batches = stream::unfold((self.clone(), total), |(journal, seen)| async move {
            let mut watch = journal.0.progress.subscribe();
            // The sender is in the journal.
            let _ = watch.wait_for(|progress| progress.total > seen || progress.closed).await;
            let (batch, total) = journal.since(seen);
            (total > seen).then(|| (stream::iter(batch), (journal, total)))
        });
        (kept, batches.flatten())
    }

    /// The lines after the first `seen`, and how many there are in all.
    fn since(&self, seen: u64) -> (Vec<Arc<OutputLine>>, u64) {
        let lines = self.0.lines.lock();
        let new = usize::try_from(lines.total - seen).unwrap_or(usize::MAX);
        let kept = lines.last.len().min(new);
        let mut batch = Vec::with_capacity(kept + 1);
        if kept < new {
            let step = lines.last.front().map_or(Step::Run, |line| line.step);
            let text = format!("{} lines are not shown", new - kept);
            batch.push(Arc::new(OutputLine::new(step, output::Stream::Note, text)));
        }
        batch.extend(lines.last.iter().skip(lines.last.len() - kept).cloned());
        (batch, lines.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::Stream::{Error, Out};

    fn print(journal: &Journal, stream: output::Stream, text: &str) {
        journal.push(OutputLine::new(Step::Run, stream, text.to_owned()));
    }

    #[test]
    fn keeps_the_end_of_much_output() {
        let journal = Journal::default();
        for number in 0..3000 {
            print(&journal, Out, &format!("{number} {}", "x".repeat(1000)));
        }
        let lines = journal.texts();
        assert!(lines.len() <= BYTES / 1000);
        assert!(lines[lines.len() - 1].starts_with("2999 "));
    }

    #[test]
    fn tells_whose_line_it_is_in_the_journal_of_all() {
        let all = Journal::default();
        print(&all.instance(2), Out, "two");
        all.instance(1).note(Step::Run, "process 7 started");
        let lines: Vec<_> = all.lines().iter().map(|line| (line.instance, line.text.clone())).collect();
        assert_eq!(lines, [(Some(2), "two".to_owned()), (Some(1), "process 7 started".to_owned())]);
        assert_eq!(all.texts(), ["two"]);
    }

    #[test]
    fn finds_the_last_words() {
        let journal = Journal::default();
        print(&journal, Out, "first");
        assert_eq!(journal.last_words().as_deref(), Some("first"));
        print(&journal, Error, " why ");
        print(&journal, Out, "bye");
        print(&journal, Error, " ");
        journal.note(Step::Run, "a note");
        assert_eq!(journal.last_words().as_deref(), Some("why"));
    }

    #[tokio::test]
    async fn is_followed_to_its_end() {
        let journal = Journal::default();
        print(&journal, Out, "before");
        let (before, after) = journal.follow();
        assert_eq!(before.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["before"]);
        let follower = tokio::spawn(after.map(|line| line.text.clone()).collect::<Vec<_>>());
        tokio::task::yield_now().await;
        print(&journal, Out, "after");
        journal.close();
        assert_eq!(follower.await.expect("no panic"), ["after"]);
    }

    #[tokio::test]
    async fn tells_a_slow_reader_what_it_missed() {
        let journal = Journal::default();
        let mut lines = Box::pin(journal.follow().1);
        for number in 0..=LINES {
            print(&journal, Out, &number.to_string());
        }
        assert_eq!(lines.next().await.map(|line| line.text.clone()).as_deref(), Some("1 lines are not shown"));
        assert_eq!(lines.next().await.map(|line| line.text.clone()).as_deref(), Some("1"));
    }
}
