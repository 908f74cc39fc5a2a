//! Source files as the architecture's tests read them: without comments, texts and test code.

use std::collections::BTreeSet;
use std::path::Path;

/// A source file.
pub struct File {
    /// Below the package, with `/`.
    pub path: String,
    pub text: String,
    /// The text without comments, the insides of string literals, and items under `#[cfg(test)]`; lines stay.
    code: String,
}

/// Every Rust file below a folder of the package, in order; none where there is no such folder.
pub fn files(folder: &str) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    let read = |path: &Path| {
        let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let path = path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/");
        // `#[cfg(test)] mod tests;`: its file is test code as a whole.
        let code = if path.ends_with("/tests.rs") { String::new() } else { without_tests(&bare(&text)) };
        File { path, text, code }
    };
    paths.iter().map(|path| read(path)).collect()
}

/// The names of `[dependencies]`, as code spells them.
pub fn dependencies() -> BTreeSet<String> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let text = std::fs::read_to_string(&manifest).unwrap_or_else(|e| panic!("{}: {e}", manifest.display()));
    let table = text.split("\n[dependencies]\n").nth(1).expect("Cargo.toml has [dependencies]");
    let table = table.split("\n[").next().unwrap_or_default();
    table.lines().filter_map(|line| Some(line.split_once('=')?.0.trim().replace('-', "_"))).collect()
}

impl File {
    /// The top-level module that the file is part of; `None` for `lib.rs` and `main.rs`.
    pub fn module(&self) -> Option<String> {
        let first = self.path.strip_prefix("src/")?.split('/').next()?.trim_end_matches(".rs");
        (!matches!(first, "lib" | "main")).then(|| first.to_owned())
    }

    /// The top-level modules that the file names, with the line: `crate::X`, `crate::{X, …}`, `super::…::X`.
    pub fn imports(&self) -> Vec<(usize, String)> {
        let parts: Vec<&str> = self.path.split('/').collect();
        // `src/a.rs` and `src/a/mod.rs` are one below the root, `src/a/b.rs` two.
        let depth = parts.len() - 1 - usize::from(self.path.ends_with("/mod.rs"));
        let root = "super::".repeat(depth);
        let mut found = Vec::new();
        for prefix in ["crate::", root.as_str()] {
            for (at, _) in self.code.match_indices(prefix) {
                let before = self.code[..at].chars().next_back();
                if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$' || c == ':') {
                    continue;
                }
                let line = self.line(at);
                let rest = &self.code[at + prefix.len()..];
                found.extend(heads(rest).into_iter().map(|name| (line, name)));
            }
        }
        found
    }

    /// The uses of `names` as the first part of a path, with the line.
    pub fn crates(&self, names: &BTreeSet<String>) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for name in names {
            for needle in [format!("{name}::"), format!("use {name};")] {
                for (at, _) in self.code.match_indices(&needle) {
                    let before = self.code[..at].chars().next_back();
                    if before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':') {
                        found.push((self.line(at), name.clone()));
                    }
                }
            }
        }
        found
    }

    /// The lines whose code holds `call`, and no longer name that ends like it.
    pub fn lines_with(&self, call: &str) -> Vec<usize> {
        let whole = |at: usize| {
            let before = self.code[..at].chars().next_back();
            !call.starts_with(char::is_alphabetic) || before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
        };
        self.code.match_indices(call).filter(|(at, _)| whole(*at)).map(|(at, _)| self.line(at)).collect()
    }

    fn line(&self, at: usize) -> usize {
        self.code[..at].matches('\n').count() + 1
    }
}

/// The first names of what follows `crate::`: one, or those of a group.
fn heads(rest: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = rest.strip_prefix('{') else { return vec![name(rest)] };
    let mut depth = 0;
    let mut heads = vec![name(group.trim_start())];
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.push(name(group[at + 1..].trim_start())),
            _ => {}
        }
    }
    heads.retain(|head| !head.is_empty());
    heads
}

/// The text with comments and the insides of literals gone.
fn bare(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let after_name = out.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if c == '"' {
            out.push_str("\"\"");
            string(rest)
        } else if let Some(length) = raw_string(rest).filter(|_| !after_name) {
            out.push_str("\"\"");
            length
        } else if let Some(length) = char_literal(rest) {
            out.push_str("' '");
            length
        } else {
            out.push(c);
            at += c.len_utf8();
            continue;
        };
        out.extend(rest[..length].chars().filter(|c| *c == '\n'));
        at += length;
    }
    out
}

fn string(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn raw_string(rest: &str) -> Option<usize> {
    let behind = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = behind.len() - behind.trim_start_matches('#').len();
    let inside = behind[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let skipped = rest.len() - inside.len();
    Some(inside.find(&end).map_or(rest.len(), |at| skipped + at + end.len()))
}

fn char_literal(rest: &str) -> Option<usize> {
    let mut chars = rest.strip_prefix('\'')?.char_indices();
    match chars.next()?.1 {
        '\\' => rest[2..].char_indices().skip(1).find(|(_, c)| *c == '\'').map(|(at, _)| at + 3),
        _ => chars.next().filter(|(_, c)| *c == '\'').map(|(at, _)| at + 2),
    }
}

/// The code without the items under `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    while let Some(start) = out.find("#[cfg(test)]") {
        let mut depth = 0;
        let end = out[start..].char_indices().find_map(|(at, c)| match c {
            '{' => {
                depth += 1;
                None
            }
            '}' => {
                depth -= 1;
                (depth <= 0).then_some(at + 1)
            }
            ';' if depth == 0 => Some(at + 1),
            _ => None,
        });
        let end = end.map_or(out.len(), |at| start + at);
        let lines: String = out[start..end].chars().filter(|c| *c == '\n').collect();
        out.replace_range(start..end, &lines);
    }
    out
}

#[test]
fn code_is_told_from_texts_comments_and_tests() {
    let text = "use crate::a::B; // crate::no\n/* crate::no */ let s = \"crate::no \\\" {\"; let c = '\"'; let l: &'a str;\n\
                #[cfg(test)]\nmod tests { fn f() { \"}\".unwrap() } }\nlet r = r#\"crate::no\"#; use crate::{c::{d, e}, f};\n";
    let code = without_tests(&bare(text));
    let file = File { path: "src/x/y.rs".to_owned(), text: text.to_owned(), code };
    let found: Vec<(usize, String)> = file.imports();
    let expected = [(1, "a"), (5, "c"), (5, "f")].map(|(line, name)| (line, name.to_owned()));
    assert_eq!(found, expected);
    assert!(file.lines_with(".unwrap()").is_empty());
    let up = File {
        path: "src/x/y.rs".to_owned(),
        text: String::new(),
        code: "use super::super::z::Q;".to_owned(),
    };
    assert_eq!(up.imports(), [(1, "z".to_owned())]);
}
