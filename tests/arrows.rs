//! Which module may import which, held against the `use` lines and paths of the sources. The table is the one of `src/lib.rs`.

use std::{collections::BTreeSet, path::Path};

/// Module, what it may import of ours, crates that are used there and nowhere else.
const HOUSE: [(&str, &[&str], &[&str]); 19] = [
    ("domain", &[], &[]),
    ("engine", &["domain"], &["cel"]),
    ("wire", &["domain", "engine"], &[]),
    ("clock", &["domain"], &[]),
    ("retry", &[], &["backoff"]),
    ("ports", &["domain", "engine"], &[]),
    ("telemetry", &["domain", "engine"], &["tracing_subscriber", "metrics", "metrics_exporter_prometheus"]),
    ("store", &["domain", "engine", "ports"], &["sqlx"]),
    ("broker", &["domain", "ports"], &["lapin"]),
    ("partner", &["domain", "ports", "wire"], &[]),
    ("flow", &["domain", "engine", "wire", "ports", "clock", "retry", "telemetry"], &[]),
    ("mail", &["domain", "ports"], &["lettre"]),
    (
        "http",
        &["domain", "engine", "wire", "ports", "flow", "telemetry"],
        &["axum", "askama", "tower_http", "utoipa", "utoipa_axum"],
    ),
    ("config", &["domain", "engine", "wire", "broker", "mail", "partner", "store"], &["toml", "humantime"]),
    (
        "app",
        &[
            "domain",
            "engine",
            "wire",
            "ports",
            "clock",
            "retry",
            "telemetry",
            "store",
            "broker",
            "partner",
            "mail",
            "flow",
            "http",
            "config",
        ],
        &[],
    ),
    ("kit", &[], &[]),
    ("demo", &["app", "config", "domain", "clock", "wire", "telemetry"], &[]),
    (
        "cli",
        &["app", "config", "demo", "kit", "wire", "telemetry"],
        &["clap", "clap_complete", "clap_mangen", "sd_notify"],
    ),
    ("lib", &[], &[]),
];

/// Crates that more than one module may use, and which.
const SHARED: [(&str, &[&str]); 9] = [
    ("opentelemetry", &["telemetry", "app"]),
    ("opentelemetry_sdk", &["app"]),
    ("opentelemetry_otlp", &["app"]),
    ("opentelemetry_http", &["app"]),
    ("reqwest", &["partner", "app", "cli", "demo", "kit"]),
    ("axum", &["http", "app", "kit"]),
    ("hyper", &["app"]),
    ("hyper_util", &["app"]),
    ("serde_path_to_error", &["config", "wire"]),
];

fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            found.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The code of a file: no comments, so that links in the docs point where they like.
fn code(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The modules of ours that a file names, as `crate::name` or inside `use crate::{…}`.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let (mut depth, mut word, mut fresh) = (1, String::new(), true);
            for c in list.chars() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 1 => fresh = true,
                    c if depth == 1 && fresh && (c.is_alphanumeric() || c == '_') => {
                        word.push(c);
                        continue;
                    }
                    _ => {}
                }
                if !word.is_empty() {
                    found.insert(std::mem::take(&mut word));
                    fresh = c == ',' && depth == 1;
                }
                if depth == 0 {
                    break;
                }
            }
        } else {
            found.insert(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    found
}

#[test]
fn every_import_follows_the_table() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 60);
    let modules: BTreeSet<&str> = HOUSE.iter().map(|row| row.0).collect();
    let mut wrong = Vec::new();
    for (file, text) in &files {
        let module = file.split(['/', '.']).next().unwrap();
        if module == "main" {
            continue;
        }
        let (_, allowed, _) =
            HOUSE.iter().find(|row| row.0 == module).unwrap_or_else(|| panic!("{file} has no row"));
        let code = code(text);
        for import in imports(&code) {
            if modules.contains(import.as_str()) && import != module && !allowed.contains(&import.as_str()) {
                wrong.push(format!("{file} imports {import}"));
            }
        }
        for (owner, _, crates) in &HOUSE {
            for name in *crates {
                let shared = SHARED.iter().any(|(shared, users)| shared == name && users.contains(&module));
                if *owner != module && !shared && code.contains(&format!("{name}::")) {
                    wrong.push(format!("{file} uses the crate {name}, which is {owner}'s"));
                }
            }
        }
        for (name, users) in SHARED {
            if !users.contains(&module) && code.contains(&format!("{name}::")) {
                wrong.push(format!("{file} uses the crate {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for_and_is_one_room() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    for (file, text) in &files {
        assert!(text.starts_with("//! "), "{file} does not begin with what it is for");
        assert!(text.lines().count() <= 450, "{file} is too long: is it one room, or two?");
    }
}
