//! Which of its values a format means.

use crate::build::buildpacks::template::value::Value;

/// What Go takes as the largest width, precision and index.
const LARGEST: usize = 1_000_000;

/// Where we are among the values.
pub(super) struct Cursor<'a> {
    pub(super) values: &'a [Value],
    pub(super) next: usize,
    /// Whether the format names values by number.
    pub(super) reordered: bool,
    /// Whether the directive names a value that is there.
    pub(super) good: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(values: &'a [Value]) -> Self {
        Self { values, next: 0, reordered: false, good: true }
    }

    /// Takes `[3]`, which says that the third value is next.
    pub(super) fn index(&mut self, rest: &mut &[u8]) -> bool {
        if rest.first() != Some(&b'[') {
            return false;
        }
        self.reordered = true;
        let Some(end) = rest.iter().position(|byte| *byte == b']') else {
            self.good = false;
            *rest = &rest[1..];
            return false;
        };
        let mut inside = &rest[1..end];
        *rest = &rest[end + 1..];
        let index = number(&mut inside).filter(|_| inside.is_empty());
        match index {
            Some(index) if (1..=self.values.len()).contains(&index) => {
                self.next = index - 1;
                true
            }
            other => {
                self.good = false;
                other.is_some()
            }
        }
    }

    /// The next value, which is a width or a precision.
    pub(super) fn number(&mut self) -> Option<i64> {
        let value = self.values.get(self.next)?;
        self.next += 1;
        let number = match value {
            Value::Int(number) => *number,
            Value::Byte(number) => i64::from(*number),
            _ => return None,
        };
        (number.unsigned_abs() <= LARGEST as u64).then_some(number)
    }
}

/// Takes digits. Behind a number that is too large, as Go counts, there is nothing.
pub(super) fn number(rest: &mut &[u8]) -> Option<usize> {
    let mut number = None;
    while let [digit @ b'0'..=b'9', behind @ ..] = *rest {
        let known = number.unwrap_or_default();
        if known > LARGEST {
            *rest = &[];
            return None;
        }
        number = Some(10 * known + usize::from(digit - b'0'));
        *rest = behind;
    }
    number
}
