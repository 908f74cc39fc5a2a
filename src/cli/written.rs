//! How a report is written: its format, its colours, and which severity fails the run.
//!
//! Refuses to write it: `app::output` does.

use clap::ValueEnum;
use std::path::Path;

/// The formats that a report can be written in.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For a terminal
    Text,
    /// For programs: `pgproof schema` describes it
    Json,
    /// For a comment on a pull request
    Markdown,
    /// One page that needs nothing else
    Html,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// JUnit XML, for test reports
    Junit,
    /// Annotations of GitHub Actions; the whole report goes to the step's summary
    Github,
    /// GitLab's code quality report
    Gitlab,
}

impl Format {
    /// The extensions that name a format.
    pub const EXTENSIONS: &[(&str, Format)] = &[
        ("txt", Format::Text),
        ("json", Format::Json),
        ("md", Format::Markdown),
        ("html", Format::Html),
        ("sarif", Format::Sarif),
        ("xml", Format::Junit),
    ];

    /// The format that a file's extension names; `.sarif.json` is how some tools spell SARIF.
    pub fn of_file(path: &Path) -> Option<Format> {
        if path.file_name()?.to_str()?.ends_with(".sarif.json") {
            return Some(Format::Sarif);
        }
        let extension = path.extension()?.to_str()?;
        Format::EXTENSIONS.iter().find(|(name, _)| *name == extension).map(|(_, format)| *format)
    }

    /// As `--format` spells it.
    pub fn name(self) -> String {
        self.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned())
    }
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailOn {
    Never,
    Info,
    Warning,
    Error,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColorWhen {
    Auto,
    Always,
    Never,
}

/// Whether to colour a stream.
pub fn color(when: ColorWhen, terminal: bool) -> bool {
    match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        #[allow(clippy::disallowed_methods)] // The command line is an edge.
        ColorWhen::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
    }
}
