//! Writes reports: to standard output, and to files that are whole or not there.
//!
//! Refuses to call a closed pipe a failure.

use crate::cli::{Common, Format, color};
use crate::error::{Error, Kind, Result, plain_words};
use crate::exit;
use crate::render::{self, Style, markdown};
use crate::report::Report;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

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
    })?;
    summarize(report, common)
}

/// Writes what `render` makes of each format that the flags ask for, in the same places as a report.
///
/// # Errors
/// As [`write`].
pub fn write_each(common: &Common, render: impl Fn(Format, &Style) -> String) -> Result<()> {
    write_all(common, |format, terminal| render(format, &style(common, terminal)))
}

fn write_all(common: &Common, render: impl Fn(Format, bool) -> String) -> Result<()> {
    for (path, format) in files(common)? {
        save(path, render(format, false).as_bytes())?;
    }
    for format in shown(common) {
        print(render(format, true).as_bytes())?;
    }
    Ok(())
}

/// Each file with its format: the one that --format names for it, else the one of its extension.
fn files(common: &Common) -> Result<Vec<(&Path, Format)>> {
    let mut named = common.format.iter().copied();
    let format = |path| named.next().map_or_else(|| by_extension(path), Ok);
    let formats: Vec<Format> =
        common.output.iter().map(PathBuf::as_path).map(format).collect::<Result<_>>()?;
    Ok(common.output.iter().map(PathBuf::as_path).zip(formats).collect())
}

/// Refuses, before any work is done, the formats that what a command prints does not come in.
///
/// # Errors
/// [`Kind::Usage`] with the formats that there are.
pub fn only(common: &Common, what: &str, known: &[Format]) -> Result<()> {
    let asked = files(common)?.into_iter().map(|(_, format)| format).chain(common.format.iter().copied());
    let names: Vec<String> = known.iter().map(|format| format.name()).collect();
    match asked.into_iter().find(|format| !known.contains(format)) {
        None => Ok(()),
        Some(format) => Err(Error::new(Kind::Usage, format!("write {what} as {}", format.name()))
            .because("there is no report to put into that format")
            .help(format!("use --format {}", names.join(" or ")))),
    }
}

/// Adds the whole report to the summary of the step that GitHub Actions runs, where annotations were asked for: of
/// those it shows a few.
fn summarize(report: &Report, common: &Common) -> Result<()> {
    let asked = files(common)?.into_iter().map(|(_, format)| format).chain(shown(common));
    let path = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty());
    let Some(path) = path.map(PathBuf::from).filter(|_| asked.into_iter().any(|f| f == Format::Github))
    else {
        return Ok(());
    };
    // Others wrote to it before, and it may not grow beyond what GitHub takes: then it would show nothing at all.
    let there = std::fs::metadata(&path).map_or(0, |file| file.len());
    let room = usize::try_from(there).ok().and_then(|there| markdown::SUMMARY.checked_sub(there));
    let Some(room) = room.filter(|room| *room >= markdown::COMMENT) else {
        beside("note: the step's summary is full: the report is not in it\n");
        return Ok(());
    };
    let text = markdown::render(report, room);
    let file = std::fs::OpenOptions::new().create(true).append(true).open(&path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|e| {
        let doing = format!("add to the step's summary {}", path.display());
        Error::new(Kind::Environment, doing).because_of_file(&e).help("GITHUB_STEP_SUMMARY names it")
    })
}

fn around(before: &str, report: &str, after: &str, format: Format) -> String {
    match format {
        Format::Text => format!("{before}{report}{after}"),
        _ => report.to_owned(),
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
        Format::Markdown => markdown::render(report, markdown::COMMENT),
        Format::Github => render::github::render(report),
        Format::Html => render::html::render(report),
        Format::Sarif => render::sarif::render(report),
        Format::Junit => render::junit::render(report),
        Format::Gitlab => render::gitlab::render(report),
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
    Format::of_file(path).ok_or_else(|| {
        let known: Vec<String> = Format::EXTENSIONS.iter().map(|(name, _)| format!(".{name}")).collect();
        Error::new(Kind::Usage, format!("choose a format for {}", path.display()))
            .because(format!("its extension is none of {}", known.join(", ")))
            .help("name the format with --format")
    })
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
