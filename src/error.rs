//! The one error type: a documented kind, what we were doing, the cause, and what to do about it.
//!
//! Refuses to print: `cli` renders errors, with their source excerpt, to standard error.

use std::error::Error as StdError;
use std::{fmt, io};

/// What went wrong, as far as a caller can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The command line asks for something that cannot be (exit code 2).
    Usage,
    /// `pgproof.toml`, a service file or a password file cannot be used (exit code 2).
    Config,
    /// An input file or standard input cannot be read or parsed (exit code 2).
    Input,
    /// The SQL is wrong: SQLSTATE class 42 except 42501, or refused before sending (exit code 2).
    Sql,
    /// No connection could be made, or it was lost (exit code 3).
    Connect,
    /// The role lacks a right the command cannot do without (exit code 3).
    Permission,
    /// statement_timeout, transaction_timeout or our own time limit ended the work (exit code 3).
    Timeout,
    /// lock_timeout ended the wait for a lock (exit code 3).
    LockTimeout,
    /// Any other error that the server reported (exit code 3).
    Server,
    /// This machine lacks something: server binaries, Docker, disk space, a writable folder (exit code 3).
    Environment,
    /// A signal asked us to stop, and everything was undone (exit code 130).
    Interrupted,
}

impl Kind {
    /// The process exit code that stands for this kind.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Usage | Kind::Config | Kind::Input | Kind::Sql => crate::exit::USAGE,
            Kind::Interrupted => crate::exit::INTERRUPTED,
            _ => crate::exit::ENVIRONMENT,
        }
    }
}

/// A place in a text that the user gave us: shown as an excerpt under the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The name of the file, or a word such as `argument` or `standard input`.
    pub origin: String,
    /// The line number of the first line of `text` in its origin, counted from 1.
    pub first_line: usize,
    /// The text that holds the place.
    pub text: String,
    /// Byte range in `text`.
    pub start: usize,
    /// End of the byte range in `text`; equal to `start` for a point.
    pub end: usize,
    /// What is wrong there, in a few words.
    pub label: String,
}

/// An error: what we failed to do, why, and where known what to do about it.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    doing: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
    sqlstate: Option<String>,
    help: Option<String>,
    excerpt: Option<Box<Excerpt>>,
}

/// The result of anything that can fail in this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of `kind`; `doing` completes "failed to …".
    pub fn new(kind: Kind, doing: impl Into<String>) -> Self {
        Error { kind, doing: doing.into(), source: None, sqlstate: None, help: None, excerpt: None }
    }

    /// Adds the underlying cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds what the operating system said of a file or folder, and what to do about it.
    #[must_use]
    pub fn because_of_file(self, error: &std::io::Error) -> Self {
        let help = match error.kind() {
            io::ErrorKind::NotFound => "check the path",
            io::ErrorKind::PermissionDenied => {
                "check the owner and the mode of the file and its folder (ls -l)"
            }
            io::ErrorKind::IsADirectory => "name a file",
            _ => return self.because(plain_words(error)),
        };
        self.because(plain_words(error)).help(help)
    }

    /// Adds one sentence that says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the server's five-character SQLSTATE.
    #[must_use]
    pub fn sqlstate(mut self, code: impl Into<String>) -> Self {
        self.sqlstate = Some(code.into());
        self
    }

    /// Adds the place in the user's text.
    #[must_use]
    pub fn at(mut self, excerpt: Excerpt) -> Self {
        self.excerpt = Some(Box::new(excerpt));
        self
    }

    /// Says which file or stream the excerpt's text came from.
    #[must_use]
    pub fn named(mut self, origin: &str) -> Self {
        if let Some(excerpt) = &mut self.excerpt {
            origin.clone_into(&mut excerpt.origin);
        }
        self
    }

    /// Says that the excerpt's text stood `lines` lines further down in its origin.
    #[must_use]
    pub fn further_down(mut self, lines: usize) -> Self {
        if let Some(excerpt) = &mut self.excerpt {
            excerpt.first_line += lines;
        }
        self
    }

    /// Says on which line of its origin the excerpt's text stood.
    #[must_use]
    pub fn on_line(mut self, line: usize) -> Self {
        if let Some(excerpt) = &mut self.excerpt {
            excerpt.first_line = line;
        }
        self
    }

    /// Moves the excerpt behind the first `bytes` of its text: words that we put in front and nobody typed.
    /// A place inside them is no place in what was typed: the excerpt then goes.
    #[must_use]
    pub fn behind(mut self, bytes: usize) -> Self {
        self.excerpt =
            self.excerpt.take().filter(|e| e.start >= bytes && e.text.is_char_boundary(bytes)).map(
                |mut e| {
                    e.text.drain(..bytes);
                    e.start -= bytes;
                    e.end -= bytes;
                    e
                },
            );
        self
    }

    /// Shows the excerpt inside the whole text that it is from: `offset` bytes into `whole`, which `origin` names.
    #[must_use]
    pub fn within(mut self, whole: &str, offset: usize, origin: &str) -> Self {
        if let Some(excerpt) = &mut self.excerpt {
            excerpt.start += offset;
            excerpt.end += offset;
            excerpt.first_line = 1;
            origin.clone_into(&mut excerpt.origin);
            whole.clone_into(&mut excerpt.text);
        }
        self
    }

    /// What went wrong, as far as a caller can act on it.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What we were doing: completes "failed to …".
    pub fn doing(&self) -> &str {
        &self.doing
    }

    /// The SQLSTATE, where the error came from a server.
    pub fn code(&self) -> Option<&str> {
        self.sqlstate.as_deref()
    }

    /// What to do about it, where we know.
    pub fn advice(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The place in the user's text, where there is one.
    pub fn excerpt(&self) -> Option<&Excerpt> {
        self.excerpt.as_deref()
    }

    /// In one line what it comes from, and else what failed: what is told where the rest has no room.
    pub fn cause(&self) -> String {
        self.causes().into_iter().next().unwrap_or_else(|| self.to_string())
    }

    /// The causes, outermost first, each as one line.
    pub fn causes(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut next = self.source();
        while let Some(cause) = next {
            let line = cause.to_string();
            if lines.last() != Some(&line) {
                lines.push(line);
            }
            next = cause.source();
        }
        lines
    }
}

/// The operating system's sentence without Rust's `(os error 111)`.
pub fn plain_words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to {}", self.doing)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as &(dyn StdError + 'static))
    }
}
