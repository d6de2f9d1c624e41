//! `preview`, `schema` and `backup`.

use std::{io::Read, path::Path};

use anyhow::{Context, Result};
use clap::ValueEnum;
use reqwest::Method;
use serde_json::Value;

use super::{Global, client::Client, print};
use crate::{app, config, wire};

/// What there is a schema of.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Schema {
    /// The configuration
    Config,
    /// What the desk says
    Event,
    /// What the desk is asked
    Command,
    /// All queues and what goes over them, as AsyncAPI 3, under the names that the configuration gives them
    Asyncapi,
}

pub(super) fn schema(global: &Global, of: Schema) -> Result<()> {
    print::json(&match of {
        Schema::Config => config::schema(),
        Schema::Event => wire::desk::schema(),
        Schema::Command => wire::desk_command::schema(),
        Schema::Asyncapi => {
            config::from_file(global.config.as_deref(), &config::environment())?.broker.asyncapi()
        }
    })
}

/// Copies the store of the configuration.
pub(super) async fn backup(global: &Global, file: &Path) -> Result<()> {
    let config = config::from_file(global.config.as_deref(), &config::environment())?;
    app::backup(&config, file).await?;
    print::line(&format!(
        "{} is a copy of the store; to restore it, stop the daemon and put it in the store's place",
        file.display()
    ))
}

pub(super) async fn preview(global: &Global, event: &Path) -> Result<()> {
    let text = if event == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
        text
    } else {
        std::fs::read_to_string(event).with_context(|| format!("{} cannot be read", event.display()))?
    };
    let answer = Client::new(global)?.ask(Method::POST, "preview", Some(text)).await?;
    if global.json {
        return print::json(&answer);
    }
    print::line(&format!("outcome: {}", print::text(&answer, "outcome")))?;
    if !print::text(&answer, "reason").is_empty() {
        print::line(&format!("refused: {}", print::text(&answer, "reason")))?;
    }
    for line in answer.get("decided").and_then(Value::as_array).map_or(&[][..], Vec::as_slice) {
        if !print::text(line, "rule").is_empty() {
            print::line(&format!("shared by rule: {}", print::text(line, "rule")))?;
        }
        for held in line.get("held_back").and_then(Value::as_array).map_or(&[][..], Vec::as_slice) {
            let (subject, reason) = (print::text(held, "subject"), print::text(held, "reason"));
            print::line(&format!(
                "held back under {}: {subject} ({reason})",
                print::text(held, "agreement")
            ))?;
        }
    }
    for message in answer.get("would_send").and_then(Value::as_array).map_or(&[][..], Vec::as_slice) {
        print::line(&format!(
            "would send {} under {}:",
            print::text(message, "type"),
            print::text(message, "agreement")
        ))?;
        print::json(message.get("body").unwrap_or(&Value::Null))?;
    }
    Ok(())
}
