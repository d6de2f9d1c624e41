//! Texts as a Jira takes them.

use serde_json::Value;

use crate::{domain::Comment, wire::adf};

/// How long a text may be: Jira takes 32,767, counted as Java does (UTF-16), with what notation adds. The rest is for what the
/// head of a description says.
const LONGEST: usize = 30_000;

/// How many characters a summary holds.
const SUMMARY: usize = 255;

/// Rich text: a document for Cloud, wiki text for Data Center, in which nothing of the text is taken for notation.
pub fn rich(text: &str, cloud: bool) -> Value {
    if cloud {
        return adf::from_text(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            // Two are a line break, and one takes its meaning from what follows.
            '\\' if rest.peek().is_some_and(|next| "\\{}[]!|".contains(*next)) => plain.push_str("&#92;"),
            '{' | '}' | '[' | ']' | '!' | '|' => plain.extend(['\\', c]),
            _ => plain.push(c),
        }
    }
    Value::from(plain)
}

/// How long a text is for a Jira: with what [`rich`] makes of it.
fn length(text: &str, cloud: bool) -> usize {
    let one = |c: char| match c {
        '\\' if !cloud => 5,
        '{' | '}' | '[' | ']' | '!' | '|' if !cloud => 2,
        _ => c.len_utf16(),
    };
    text.chars().map(one).sum()
}

/// As much of a long text as fits into what is left, with a word about the rest.
fn fitting(text: String, left: usize, cloud: bool) -> String {
    if length(&text, cloud) <= left {
        return text;
    }
    let mut used = 0;
    let fits = |c: &char| {
        used += length(c.encode_utf8(&mut [0; 4]), cloud);
        used <= left
    };
    let kept: String = text.chars().take_while(fits).collect();
    format!("{kept}\n\n(The rest is on the help desk: Jira takes no longer texts.)")
}

/// A comment's words, with whoever wrote it and what hangs on it: all of ours stand under one account there.
pub(super) fn words(comment: &Comment, cloud: bool) -> String {
    let said = format!("{} wrote:\n\n{}", comment.author.name, comment.body);
    let files = comment.attachments.iter().map(|file| format!("\n\n{}: {}", file.filename, file.url));
    // Addresses of files take at most half.
    let files = fitting(files.collect(), LONGEST / 2, cloud);
    let left = LONGEST - length(&files, cloud).min(LONGEST / 2);
    fitting(said, left, cloud) + &files
}

/// A subject as a summary: one line, no longer than Jira takes, and never empty.
pub fn summary(subject: &str) -> String {
    let line = subject.split_whitespace().collect::<Vec<_>>().join(" ");
    // Jira counts as Java does.
    let mut units = 0;
    let fits = |c: &char| {
        units += c.len_utf16();
        units <= SUMMARY
    };
    let line: String = line.chars().take_while(fits).collect();
    if line.is_empty() { "(no subject)".to_owned() } else { line }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_for_data_center_holds_no_notation() {
        for (said, told) in [
            ("{panel} [~joe]", "\\{panel\\} \\[~joe\\]"),
            ("!http://x/y.png!", "\\!http://x/y.png\\!"),
            ("\\[x", "&#92;\\[x"),
            ("C:\\lens", "C:\\lens"),
            ("\\\\server", "&#92;\\server"),
        ] {
            assert_eq!(rich(said, false), json!(told));
        }
    }

    #[test]
    fn no_text_is_longer_than_jira_takes_with_all_that_notation_adds() {
        let fits = |text: &str, cloud| fitting(text.to_owned(), LONGEST, cloud);
        assert_eq!(fits("short", true), "short");
        for one in ["ü", "{", "😀", "\\{", "|", "a"] {
            for cloud in [true, false] {
                let cut = fits(&one.repeat(40_000), cloud);
                assert!(cut.ends_with("no longer texts.)"), "{one}");
                let told = if cloud {
                    cut.clone()
                } else {
                    rich(&cut, false).as_str().unwrap_or_default().to_owned()
                };
                let units = told.encode_utf16().count();
                assert!((10_000..32_767).contains(&units), "{one}: {units}");
            }
        }
    }
}
