//! Writes reports: to standard output, and to files that are whole or not there.
//!
//! Refuses to call a closed pipe a failure.

use crate::cli::{Common, Format, color};
use crate::error::{Error, Kind, Result, plain_words};
use crate::exit;
use crate::render::{self, Style};
use crate::report::Report;
use std::io::{IsTerminal, Write};
use std::path::Path;

/// Columns where the terminal does not say.
const WIDTH: usize = 100;

/// Writes the report in every way the flags ask for: each `--output` with its format, then standard output.
///
/// # Errors
/// [`Kind::Usage`] for an extension that says no format, [`Kind::Environment`] for a file that cannot be written.
pub fn write(report: &Report, common: &Common) -> Result<()> {
    write_around(report, common, "", "")
}

/// The same with words before and after the report where that is text.
///
/// # Errors
/// As [`write`].
pub fn write_around(report: &Report, common: &Common, before: &str, after: &str) -> Result<()> {
    write_all(common, |format, terminal| {
        around(before, &as_format(report, format, common, terminal), after, format)
    })
}

/// Writes what `render` makes of each format that the flags ask for, in the same places as a report.
///
/// # Errors
/// As [`write`].
pub fn write_each(common: &Common, render: impl Fn(Format, &Style) -> String) -> Result<()> {
    write_all(common, |format, terminal| render(format, &style(common, terminal)))
}

fn write_all(common: &Common, render: impl Fn(Format, bool) -> String) -> Result<()> {
    let mut formats = common.format.iter().copied();
    for path in &common.output {
        let format = match formats.next() {
            Some(format) => format,
            None => by_extension(path)?,
        };
        save(path, render(format, false).as_bytes())?;
    }
    for format in shown(common) {
        print(render(format, true).as_bytes())?;
    }
    Ok(())
}

fn around(before: &str, report: &str, after: &str, format: Format) -> String {
    match format {
        Format::Text => format!("{before}{report}{after}"),
        Format::Json => report.to_owned(),
    }
}

/// The formats that go to standard output: those that no file takes, or else text.
fn shown(common: &Common) -> Vec<Format> {
    let rest: Vec<Format> = common.format.iter().copied().skip(common.output.len()).collect();
    if rest.is_empty() { vec![Format::Text] } else { rest }
}

/// Whether standard output gets text.
pub fn shows_text(common: &Common) -> bool {
    shown(common).contains(&Format::Text)
}

/// Writes to standard error what has no place in the format of standard output.
pub fn beside(text: &str) {
    // Without a standard error there is nobody to tell.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

fn as_format(report: &Report, format: Format, common: &Common, terminal: bool) -> String {
    match format {
        Format::Json => render::json::render(report),
        Format::Text => render::text::render(report, &style(common, terminal)),
    }
}

fn style(common: &Common, terminal: bool) -> Style {
    Style {
        width: if terminal { width() } else { WIDTH },
        color: terminal && color(common.color, std::io::stdout().is_terminal()),
        verbose: common.verbose,
        quiet: common.quiet,
    }
}

/// Checks the names of output files before any work is done.
///
/// # Errors
/// [`Kind::Usage`] for an extension that says no format, [`Kind::Environment`] for a folder that takes no file.
pub fn check(common: &Common) -> Result<()> {
    common.output.iter().skip(common.format.len()).try_for_each(|path| by_extension(path).map(drop))?;
    common.output.iter().try_for_each(|path| check_file(path))
}

/// Checks that a file can be written, without writing it.
///
/// # Errors
/// [`Kind::Environment`] for a folder that takes no file.
pub fn check_file(path: &Path) -> Result<()> {
    if replaceable(path) { neighbour(path).map(drop) } else { Ok(()) }
}

/// A pipe or a terminal cannot be replaced, only written to.
fn replaceable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| m.is_file()) || !path.exists()
}

/// An empty file beside `path`, gone when dropped.
fn neighbour(path: &Path) -> Result<tempfile::NamedTempFile> {
    let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tempfile::Builder::new().prefix(".pgproof-").tempfile_in(folder).map_err(|e| {
        let error = Error::new(Kind::Environment, format!("write {}", path.display()));
        let why = match folder.is_dir() {
            true => format!("the folder {} takes no file: {}", folder.display(), plain_words(&e)),
            false => format!("there is no folder {}", folder.display()),
        };
        error.because(why).help("name a file in a folder that exists and that you may write to")
    })
}

fn by_extension(path: &Path) -> Result<Format> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("json") => Ok(Format::Json),
        Some("txt") => Ok(Format::Text),
        _ => Err(Error::new(Kind::Usage, format!("choose a format for {}", path.display()))
            .because("its extension is neither .json nor .txt")
            .help("name the format with --format")),
    }
}

fn width() -> usize {
    let terminal = console_width().or_else(|| std::env::var("COLUMNS").ok()?.parse().ok());
    terminal.unwrap_or(WIDTH).clamp(60, 240)
}

fn console_width() -> Option<usize> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ fills the winsize that we own; a failure leaves it as it is.
    let answered = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &mut size) };
    (answered == 0 && size.ws_col > 0).then_some(size.ws_col as usize)
}

/// Writes to standard output; a reader that has gone away has seen enough.
///
/// # Errors
/// [`Kind::Environment`] for any failure but a closed pipe.
pub fn print(bytes: &[u8]) -> Result<u8> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::new(Kind::Environment, "write to standard output").because(e))
        }
        _ => Ok(exit::OK),
    }
}

/// Writes a file through a temporary neighbour, so that it is whole or not there.
///
/// # Errors
/// [`Kind::Environment`] with the path.
pub fn save(path: &Path, bytes: &[u8]) -> Result<()> {
    let fail = |e: std::io::Error| {
        Error::new(Kind::Environment, format!("write {}", path.display())).because_of_file(&e)
    };
    if !replaceable(path) {
        return std::fs::write(path, bytes).map_err(fail);
    }
    let mut file = neighbour(path)?;
    file.write_all(bytes).map_err(fail)?;
    file.persist(path).map_err(|e| fail(e.error))?;
    Ok(())
}
