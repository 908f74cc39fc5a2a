//! One page that needs nothing else: no script, no font, no image.
//!
//! Refuses to let a name in it become markup.

use super::{Style, text, told};
use crate::identity;
use crate::report::Report;
use std::fmt::Write as _;

const HEAD: &str = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>pgproof</title>\n<style>\n\
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}\n\
pre{background:#f4f4f4;padding:.7rem;overflow-x:auto}\n\
article{border-left:.3rem solid #999;padding-left:1rem;margin:1.2rem 0}\n\
.error{border-color:#c00}.warning{border-color:#d90}.info{border-color:#59c}\n\
small{color:#666}\n</style>\n</head>\n<body>\n";

/// The report as a page: the findings with what answers them, then the whole as text.
pub fn render(report: &Report) -> String {
    let places = identity::places(report);
    let answers = told::answers(report);
    let mut out = format!("{HEAD}<h1>pgproof: {}</h1>\n", told::escaped(&told::total(report)));
    for (number, finding) in told::loudest(report) {
        let place = places[number].as_ref().map_or(String::new(), |place| format!(" {}", told::at(place)));
        let word = told::word(finding.severity);
        let _ = writeln!(
            out,
            "<article class=\"{word}\">\n<h2>{} <small>{word}{}</small></h2>\n<p>{}</p>",
            told::escaped(&finding.rule),
            told::escaped(&place),
            told::escaped(&told::sentences(finding))
        );
        let remedies = told::remedies(report, &answers[number]);
        if !remedies.is_empty() {
            let _ = writeln!(out, "<pre>{}</pre>", told::escaped(&remedies));
        }
        out.push_str("</article>\n");
    }
    let plain = Style { width: 100, color: false, verbose: false, quiet: false };
    let _ = writeln!(
        out,
        "<h2>In full</h2>\n<pre>{}</pre>\n</body>\n</html>",
        told::escaped(&text::render(report, &plain))
    );
    out
}
