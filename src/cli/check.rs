//! `check`: what is wrong, and what to do.

use anyhow::{Context, Result, anyhow};
use serde_json::{Value, json};

use super::{Global, print};
use crate::{
    app::{self, Found},
    config,
};

/// Says what is wrong, if anything is.
pub(super) async fn run(global: &Global) -> Result<()> {
    let config = config::from_file(global.config.as_deref(), &config::environment())?;
    if !global.json {
        print::line("configuration  ok")?;
    }
    let options = app::options(&config)?;
    let (mut wrong, mut list) = (Vec::new(), vec![told("configuration", "ok", "ok")]);
    for (name, found) in app::check(&config, &options).await {
        let (how, words) = match found {
            Found::Fine(words) => ("ok", words),
            Found::Look(words) => ("look", words),
            Found::Wrong(words) => {
                wrong.push(format!("{name}: {words}"));
                ("wrong", words)
            }
        };
        if global.json {
            list.push(told(name, how, &words));
        } else {
            let look = if how == "look" { "look: " } else { "" };
            print::line(&format!("{name:<14} {look}{words}"))?;
        }
    }
    if global.json {
        print::json(&Value::Array(list))?;
    }
    if wrong.is_empty() { Ok(()) } else { Err(anyhow!(wrong.join("; "))).context("check failed") }
}

/// One finding, for programs: `ok`, `look` (it works, and may not be meant so) or `wrong`.
fn told(what: &str, how: &str, words: &str) -> Value {
    json!({"what": what, "found": how, "detail": words})
}
