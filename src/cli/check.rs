//! `check`: what is wrong, and what to do.

use anyhow::{Context, Result, anyhow};

use super::{Global, print};
use crate::{
    app::{self, Found},
    config,
};

/// Says what is wrong, if anything is.
pub(super) async fn run(global: &Global) -> Result<()> {
    let config = config::from_file(global.config.as_deref(), &config::environment())?;
    print::line("configuration  ok")?;
    let options = app::options(&config)?;
    let mut wrong = Vec::new();
    for (name, found) in app::check(&config, &options).await {
        let words = match found {
            Found::Fine(words) => words,
            Found::Look(words) => format!("look: {words}"),
            Found::Wrong(words) => {
                wrong.push(format!("{name}: {words}"));
                words
            }
        };
        print::line(&format!("{name:<14} {words}"))?;
    }
    if wrong.is_empty() { Ok(()) } else { Err(anyhow!(wrong.join("; "))).context("check failed") }
}
