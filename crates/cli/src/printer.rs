//! What a person sees. Answers go to stdout, everything else to stderr; nothing else in this crate prints.

use std::{
    borrow::Cow,
    fmt::Display,
    io::{self, Write},
};

use console::{Style, StyledObject};

use crate::args::Color;

/// Prints, with colour where it is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Printer {
    color: bool,
    progress: indicatif::MultiProgress,
}

impl Printer {
    pub(crate) fn new(color: Color) -> Self {
        let color = match color {
            Color::Auto => console::colors_enabled(),
            Color::Always => true,
            Color::Never => false,
        };
        Self { color, progress: indicatif::MultiProgress::new() }
    }

    /// A line on stdout. A reader that has gone away is not an error.
    pub(crate) fn line(&self, text: impl Display) {
        self.progress.suspend(|| {
            let _ = writeln!(io::stdout().lock(), "{text}");
        });
    }

    /// Bytes on stdout, as they are.
    pub(crate) fn raw(&self, bytes: &[u8]) {
        self.progress.suspend(|| {
            let mut stdout = io::stdout().lock();
            let _ = stdout.write_all(bytes);
            let _ = stdout.flush();
        });
    }

    /// Bytes on stderr, as they are.
    pub(crate) fn raw_error(&self, bytes: &[u8]) {
        self.progress.suspend(|| {
            let _ = io::stderr().lock().write_all(bytes);
        });
    }

    /// A line on stderr.
    pub(crate) fn note(&self, text: impl Display) {
        self.progress.suspend(|| {
            let _ = writeln!(io::stderr().lock(), "{text}");
        });
    }

    /// An error with its causes, and a hint if one of them is one.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        let mut said = error.to_string();
        self.note(format_args!("{} {}", self.paint("error:", Style::new().red().bold()), clean(&said)));
        for cause in error.chain().skip(1).map(ToString::to_string) {
            // Many errors repeat their cause.
            if !said.ends_with(&cause) {
                self.note(format_args!("  {} {}", self.paint("caused by:", Style::new().dim()), clean(&cause)));
            }
            said = cause;
        }
    }

    /// Something that failed, with what is known of it in a line each, and what to do.
    pub(crate) fn failure(&self, what: &str, details: Vec<String>, hint: Option<&str>) {
        self.note(format_args!("{} {}", self.paint("error:", Style::new().red().bold()), clean(what)));
        for detail in details {
            self.note(format_args!("  {}", self.dim(clean(&detail))));
        }
        if let Some(hint) = hint {
            self.note(format_args!("  {} {}", self.paint("hint:", Style::new().cyan().bold()), clean(hint)));
        }
    }

    /// Something to know, that stops nothing.
    pub(crate) fn warn(&self, text: impl Display) {
        let text = text.to_string();
        self.note(format_args!("{} {}", self.paint("warning:", Style::new().yellow().bold()), clean(&text)));
    }

    /// A spinner with a message; hidden when stderr is not a terminal.
    pub(crate) fn spinner(&self, message: String) -> indicatif::ProgressBar {
        let bar = self.progress.add(indicatif::ProgressBar::new_spinner().with_message(message));
        if let Ok(style) = indicatif::ProgressStyle::with_template("{spinner} {msg} {elapsed:.dim}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(std::time::Duration::from_millis(120));
        bar
    }

    /// Whether spinners show.
    pub(crate) fn is_terminal(&self) -> bool {
        console::user_attended_stderr()
    }

    pub(crate) fn paint<T>(&self, text: T, style: Style) -> StyledObject<T> {
        style.force_styling(self.color).apply_to(text)
    }

    pub(crate) fn bold<T>(&self, text: T) -> StyledObject<T> {
        self.paint(text, Style::new().bold())
    }

    pub(crate) fn dim<T>(&self, text: T) -> StyledObject<T> {
        self.paint(text, Style::new().dim())
    }

    pub(crate) fn good<T>(&self, text: T) -> StyledObject<T> {
        self.paint(text, Style::new().green())
    }

    pub(crate) fn attention<T>(&self, text: T) -> StyledObject<T> {
        self.paint(text, Style::new().yellow())
    }

    pub(crate) fn bad<T>(&self, text: T) -> StyledObject<T> {
        self.paint(text, Style::new().red())
    }
}

/// A text of others, without what a terminal obeys: whatever controls but ends a line or sets a tab is replaced.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    let obeyed = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if text.contains(obeyed) { text.replace(obeyed, "\u{fffd}").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_nothing_that_a_terminal_obeys() {
        assert!(matches!(clean("é\n\tü"), Cow::Borrowed("é\n\tü")));
        assert_eq!(clean("a\rb\x1b[2J\u{9b}2J\x07\x7f"), "a\u{fffd}b\u{fffd}[2J\u{fffd}2J\u{fffd}\u{fffd}");
    }
}
