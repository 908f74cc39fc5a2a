//! An error as people read it: what failed, the place in their text, the causes, what to do.
//!
//! Refuses to show anything that was not put into the error on purpose.

use crate::error::{Error, Excerpt};
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::fmt::Write as _;

/// Bytes of a line that are shown around a place: a statement of megabytes on one line stays readable.
const AROUND: usize = 120;

/// The error as text for standard error.
pub fn render(error: &Error, color: bool) -> String {
    let mut out = String::new();
    let title = format!("failed to {}", error.doing());
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    match error.excerpt() {
        Some(excerpt) => {
            let (text, start, end, line) = window(excerpt);
            let snippet = Snippet::source(text)
                .line_start(line)
                .path(&excerpt.origin)
                .annotation(AnnotationKind::Primary.span(start..end.max(start)).label(&excerpt.label));
            let report = [Level::ERROR.primary_title(&title).element(snippet)];
            let _ = writeln!(out, "{}", renderer.render(&report));
        }
        None => {
            let report =
                [Level::ERROR.primary_title(&title).elements(Vec::<annotate_snippets::Element>::new())];
            let _ = writeln!(out, "{}", renderer.render(&report));
        }
    }
    let label = error.excerpt().map(|e| e.label.as_str());
    for cause in error.causes() {
        // The label already says it.
        if label.is_none_or(|label| !cause.ends_with(label)) {
            let _ = writeln!(out, "cause: {cause}");
        }
    }
    if let Some(help) = error.advice() {
        let _ = writeln!(out, "help: {help}");
    }
    out
}

/// The lines of the excerpt that hold the place, cut on both sides where they are long.
fn window(excerpt: &Excerpt) -> (&str, usize, usize, usize) {
    let text = &excerpt.text;
    let start = floor(text, excerpt.start.min(text.len()));
    let end = floor(text, excerpt.end.clamp(start, text.len()));
    let line_start = text[..start].rfind('\n').map_or(0, |i| i + 1);
    let rest = &text[end..];
    let line_end = end + rest.find(['\r', '\n']).unwrap_or(rest.len());
    let from = floor(text, line_start.max(start.saturating_sub(AROUND)));
    let to = floor(text, line_end.min(end + AROUND)).max(end);
    let line = excerpt.first_line + text[..line_start].matches('\n').count();
    (&text[from..to], start - from, end - from, line)
}

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
