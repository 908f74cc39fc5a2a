//! Parts of a file that directives set apart: `-- +goose Up`, `-- migrate:down`.
//!
//! Refuses to move a line: what is left out is blanked, so that places stay true.

/// The part of a file that goes up, other lines blanked, whether it asks for no transaction, and what undoes it.
#[derive(Default)]
pub(super) struct Up {
    pub text: String,
    /// The part that undoes, where a line says where it begins.
    pub down: Option<String>,
    pub no_transaction: bool,
    /// Lines between StatementBegin and StatementEnd, which are one statement: first and last.
    pub whole: Vec<(usize, usize)>,
    /// There is a line that says where it begins.
    pub marked: bool,
}

/// What a comment line directs, in lower case and with single spaces: `+goose up`, `migrate:up transaction:false`.
fn directive(line: &str) -> Option<String> {
    let comment = line.trim_start().strip_prefix("--")?;
    let words: Vec<String> = comment.split_whitespace().map(str::to_ascii_lowercase).collect();
    Some(words.join(" "))
}

/// A goose file.
pub(super) fn goose(text: &str) -> Up {
    let mut up = Up::default();
    let (mut within, mut began) = (false, None);
    for (at, line) in text.split('\n').enumerate() {
        let directed = directive(line).filter(|d| d.starts_with("+goose"));
        match directed.as_deref() {
            Some("+goose up") => (within, up.marked) = (true, true),
            Some("+goose down") => {
                within = false;
                up.down = Some(String::new());
            }
            Some("+goose no transaction") => up.no_transaction = true,
            Some("+goose statementbegin") if within => began = Some(at + 1),
            Some("+goose statementend") if within => {
                up.whole.extend(began.take().map(|began| (began, at + 1)))
            }
            _ => {}
        }
        push(&mut up.text, line, within && directed.is_none());
        if let Some(down) = up.down.as_mut().filter(|_| !within) {
            push(down, line, directed.is_none());
        }
    }
    up
}

/// A dbmate file.
pub(super) fn dbmate(text: &str) -> Up {
    let mut up = Up::default();
    let mut within = false;
    for line in text.split('\n') {
        let directed = directive(line).filter(|d| d.starts_with("migrate:"));
        if let Some(words) = &directed {
            within = words.starts_with("migrate:up");
            up.marked |= within;
            up.no_transaction |= within && words.contains("transaction:false");
            if words.starts_with("migrate:down") {
                up.down = Some(String::new());
            }
        }
        push(&mut up.text, line, within && directed.is_none());
        if let Some(down) = up.down.as_mut().filter(|_| !within) {
            push(down, line, directed.is_none());
        }
    }
    up
}

fn push(text: &mut String, line: &str, keep: bool) {
    if keep {
        text.push_str(line);
    }
    text.push('\n');
}
