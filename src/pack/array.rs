//! One-dimensional arrays as the server prints them.
//!
//! Refuses what it does not know to be one: [`parse`] answers `None`.

/// The elements of `{a,"b c",NULL}`; `None` for NULL.
pub fn parse(text: &str) -> Option<Vec<Option<String>>> {
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    let mut elements = Vec::new();
    if inner.is_empty() {
        return Some(elements);
    }
    let mut characters = inner.chars().peekable();
    loop {
        let mut element = String::new();
        let quoted = characters.peek() == Some(&'"');
        if quoted {
            characters.next();
            loop {
                match characters.next()? {
                    '"' => break,
                    '\\' => element.push(characters.next()?),
                    other => element.push(other),
                }
            }
        } else {
            while let Some(&next) = characters.peek() {
                match next {
                    ',' => break,
                    '{' | '}' | '"' => return None,
                    '\\' => {
                        characters.next();
                        element.push(characters.next()?);
                    }
                    other => {
                        characters.next();
                        element.push(other);
                    }
                }
            }
        }
        let null = !quoted && element.eq_ignore_ascii_case("NULL");
        elements.push((!null).then_some(element));
        match characters.next() {
            None => return Some(elements),
            Some(',') => {}
            Some(_) => return None,
        }
    }
}

/// The array of these elements, as the server reads it.
pub fn print<'a>(elements: impl IntoIterator<Item = Option<&'a str>>) -> String {
    let printed: Vec<String> = elements
        .into_iter()
        .map(|element| match element {
            None => "NULL".to_owned(),
            Some(text) if plain(text) => text.to_owned(),
            Some(text) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        })
        .collect();
    format!("{{{}}}", printed.join(","))
}

/// Needs no quotes.
fn plain(text: &str) -> bool {
    let safe = |c: char| c.is_ascii_alphanumeric() || "_.:+-".contains(c);
    !text.is_empty() && text.chars().all(safe) && !text.eq_ignore_ascii_case("null")
}

#[cfg(test)]
mod tests {
    use super::{parse, print};

    #[test]
    fn what_is_printed_is_read_again() {
        let elements =
            [Some("a"), None, Some(""), Some("b \"c\\"), Some("NULL"), Some("2024-01-01 00:00:00+00")];
        let text = print(elements);
        assert_eq!(text, r#"{a,NULL,"","b \"c\\","NULL","2024-01-01 00:00:00+00"}"#);
        let read = parse(&text).expect("an array");
        assert_eq!(read.iter().map(Option::as_deref).collect::<Vec<_>>(), elements);
    }

    #[test]
    fn damage_is_refused() {
        for damaged in ["", "{", "{a", "{\"a}", "{a\"b}", "{{1,2},{3,4}}", "[0:1]={1,2}", "{\"a\"b}", "{a\\"]
        {
            assert_eq!(parse(damaged), None, "{damaged}");
        }
        assert_eq!(parse("{}"), Some(Vec::new()));
    }
}
