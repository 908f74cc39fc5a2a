//! Progress on standard error: a spinner where it is a terminal, nothing else where it is not.
//!
//! Refuses to write to standard output.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// Says what is being done now.
pub struct Progress {
    bar: ProgressBar,
    announces: bool,
}

impl Progress {
    /// A spinner, hidden with `quiet` or where standard error is no terminal.
    pub fn new(quiet: bool) -> Self {
        let bar = match quiet || !std::io::stderr().is_terminal() {
            true => ProgressBar::hidden(),
            false => {
                let bar = ProgressBar::new_spinner();
                if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
                    bar.set_style(style);
                }
                bar.enable_steady_tick(Duration::from_millis(100));
                bar
            }
        };
        Progress { bar, announces: !quiet }
    }

    /// The same without announcements: nobody else is there whom a lock could hold up.
    pub fn spinner(quiet: bool) -> Self {
        let mut progress = Progress::new(quiet);
        progress.announces = false;
        progress
    }

    /// What is being done now.
    pub fn step(&self, what: impl Into<String>) {
        self.bar.set_message(what.into());
    }

    /// A line that must be seen before what it announces: locks that will be taken, leftovers that were found.
    pub fn announce(&self, line: &str) {
        if self.announces {
            self.bar.suspend(|| {
                let _ = writeln!(std::io::stderr().lock(), "{line}");
            });
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
