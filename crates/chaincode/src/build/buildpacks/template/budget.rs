//! What a template may cost. Templates come from packages, and could go on for ever, or fill the memory.

/// How many nodes, turns of loops and values a template may come to.
const STEPS_MAX: usize = 1_000_000;
/// How long a template may be.
pub(super) const TEXT_MAX: usize = 1 << 20;
/// How many bytes it may read and write, all texts that it makes on the way included.
const BYTES_MAX: usize = 16 << 20;

/// What is left.
#[derive(Debug)]
pub(super) struct Budget {
    steps: usize,
    bytes: usize,
}

/// Nothing is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spent;

impl Default for Budget {
    fn default() -> Self {
        Self { steps: STEPS_MAX, bytes: BYTES_MAX }
    }
}

impl Budget {
    pub(super) fn step(&mut self) -> Result<(), Spent> {
        self.steps = self.steps.checked_sub(1).ok_or(Spent)?;
        Ok(())
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<(), Spent> {
        self.bytes = self.bytes.checked_sub(count).ok_or(Spent)?;
        Ok(())
    }
}

impl From<Spent> for String {
    fn from(_: Spent) -> Self {
        format!("the template does not end: it is stopped after {STEPS_MAX} steps or {} MiB of text", BYTES_MAX >> 20)
    }
}
