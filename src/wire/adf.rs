//! Rich text of Jira Cloud, the Atlassian Document Format, as far as comments of a help desk need it: text with paragraphs and
//! links becomes a document, and any document becomes its words.

use serde_json::{Map, Value, json};

/// A document of plain text: blank lines part paragraphs, addresses become links.
///
/// ```
/// use crossdesk::wire::adf;
/// let document = adf::from_text("It is stuck.\nSee https://acme.example/1");
/// assert_eq!(document["content"][0]["content"][3]["marks"][0]["type"], "link");
/// assert_eq!(adf::to_text(&document), "It is stuck.\nSee https://acme.example/1");
/// ```
pub fn from_text(text: &str) -> Value {
    let mut paragraphs: Vec<Value> = Vec::new();
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines().chain([""]) {
        if !line.trim().is_empty() {
            lines.push(line);
        } else if !lines.is_empty() {
            paragraphs.push(json!({"type": "paragraph", "content": inline(&lines)}));
            lines.clear();
        }
    }
    json!({"version": 1, "type": "doc", "content": paragraphs})
}

fn inline(lines: &[&str]) -> Vec<Value> {
    let mut nodes = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if at > 0 {
            nodes.push(json!({"type": "hardBreak"}));
        }
        let mut plain = String::new();
        for word in line.split_inclusive(char::is_whitespace) {
            let address = word.trim_end();
            if !(address.starts_with("https://") || address.starts_with("http://")) {
                plain.push_str(word);
                continue;
            }
            push_text(&mut nodes, &std::mem::take(&mut plain));
            nodes.push(json!({"type": "text", "text": address,
                "marks": [{"type": "link", "attrs": {"href": address}}]}));
            plain.push_str(word.get(address.len()..).unwrap_or_default());
        }
        push_text(&mut nodes, &plain);
    }
    nodes
}

/// An empty text is no node.
fn push_text(nodes: &mut Vec<Value>, text: &str) {
    if !text.is_empty() {
        nodes.push(json!({"type": "text", "text": text}));
    }
}

/// The words of rich text, be it a document or, as webhooks and Jira Data Center have it, a text.
pub fn to_text(rich: &Value) -> String {
    match rich {
        Value::String(text) => text.clone(),
        Value::Object(node) => {
            let mut out = String::new();
            words(node, 0, &mut out);
            out.trim().to_owned()
        }
        _ => String::new(),
    }
}

/// How deep a document is read; nobody writes deeper.
const DEPTH: usize = 64;

fn words(node: &Map<String, Value>, depth: usize, out: &mut String) {
    let kind = node.get("type").and_then(Value::as_str).unwrap_or_default();
    let attribute = |name: &str| node.get("attrs").and_then(|attrs| attrs.get(name)).and_then(Value::as_str);
    match kind {
        "text" => out.push_str(node.get("text").and_then(Value::as_str).unwrap_or_default()),
        "hardBreak" => out.push('\n'),
        "mention" | "emoji" | "status" | "date" => {
            out.push_str(attribute("text").or_else(|| attribute("shortName")).unwrap_or_default());
        }
        "inlineCard" | "blockCard" | "embedCard" => out.push_str(attribute("url").unwrap_or_default()),
        "listItem" => out.push_str("- "),
        _ => {}
    }
    let content = node.get("content").and_then(Value::as_array);
    for child in content.into_iter().flatten().filter_map(Value::as_object) {
        if depth < DEPTH {
            words(child, depth + 1, out);
        }
    }
    match kind {
        "paragraph" | "heading" | "codeBlock" | "rule" | "blockCard" | "bulletList" | "orderedList"
        | "table" => {
            end_block(out, "\n\n");
        }
        "listItem" | "tableRow" => end_block(out, "\n"),
        "tableCell" | "tableHeader" => {
            out.truncate(out.trim_end().len());
            out.push_str(" | ");
        }
        _ => {}
    }
}

fn end_block(out: &mut String, gap: &str) {
    out.truncate(out.trim_end().len());
    out.push_str(gap);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_with_lists_mentions_and_code_become_their_words() {
        let document = json!({"version": 1, "type": "doc", "content": [
            {"type": "paragraph", "content": [{"type": "text", "text": "Ask "}, {"type": "mention", "attrs": {"text": "@Kim"}}]},
            {"type": "bulletList", "content": [
                {"type": "listItem", "content": [{"type": "paragraph", "content": [{"type": "text", "text": "one"}]}]},
                {"type": "listItem", "content": [{"type": "paragraph", "content": [{"type": "text", "text": "two"}]}]}]},
            {"type": "codeBlock", "content": [{"type": "text", "text": "x = 1"}]},
        ]});
        assert_eq!(to_text(&document), "Ask @Kim\n\n- one\n- two\n\nx = 1");
    }

    #[test]
    fn text_comes_back_as_it_went() {
        for text in ["one", "one\ntwo", "one\n\ntwo\nthree", ""] {
            assert_eq!(to_text(&from_text(text)), text);
        }
        let empty = |value: &Value| value["text"] == "";
        let document = from_text("https://a.example/ https://b.example/");
        let nodes = document["content"][0]["content"].as_array().cloned().unwrap_or_default();
        assert!(!nodes.is_empty() && !nodes.iter().any(empty), "{document}");
    }
}
