//! The process that cleans up after us when we cannot: it reads a pipe of ours and acts at its end.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::process;

/// A shell script, so that a program which only links this library needs no second binary.
const SCRIPT: &str = include_str!("watchdog.sh");

/// A watchdog. Dropping it without a word makes it clean up, as our death would.
#[derive(Debug)]
pub(super) struct Watchdog {
    child: Child,
}

impl Watchdog {
    /// Starts the watchdog of `directory`, and of `container` where one goes with it.
    ///
    /// The pipe's other end is close-on-exec, as std makes it: no server of ours can hold it open.
    pub fn start(directory: &Path, container: Option<&str>) -> io::Result<Watchdog> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "pgproof-watchdog"]).arg(directory).arg(container.unwrap_or(""));
        // Nothing of ours may be kept open or in use: no output, no folder, no terminal.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
        process::detach(&mut command);
        Ok(Watchdog { child: command.spawn()? })
    }

    /// Lets it go: everything is cleaned up already.
    pub fn release(mut self) {
        if self.say("release") {
            // Nothing is left to do about an error here.
            let _ = self.child.wait();
        }
    }

    /// Tells it that the server stays until somebody else stops it; it then removes the directory.
    pub fn keep(mut self) {
        self.say("keep");
    }

    /// Sends the last word. It counts only at the end of the pipe, which comes with it.
    fn say(&mut self, word: &str) -> bool {
        self.child.stdin.take().is_some_and(|mut pipe| writeln!(pipe, "{word}").is_ok())
    }
}
