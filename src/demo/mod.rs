//! The demo: two complete desks in one process, each with its own daemon, talk over real HTTP; and every line that it tells
//! is checked before it is told.

mod desk;
mod driver;
mod obey;
mod side;
mod story;
mod table;

use std::process::ExitCode;

use anyhow::Result;

pub use desk::{Habits, HelpDesk};
pub use driver::Driver;

use side::Side;

/// Plays the story. With `exit` it ends then; otherwise the desks stay up to be looked at.
///
/// # Errors
/// Something that the demo itself needs: a port, a folder.
pub async fn play(exit: bool) -> Result<ExitCode> {
    crate::telemetry::start_logs("error", 0);
    let folder = std::env::temp_dir().join(format!("crossdesk-demo-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let (acme, lens) = (Side::acme(&folder).await?, Side::lens(&folder).await?);
    let told = story::tell(&acme, &lens).await;
    if let Err(error) = &told {
        side::say(&format!("\n  ✗ {error:#}\n"));
    }
    if !exit {
        side::say("\nThe desks stay up until you press Ctrl-C.");
        tokio::signal::ctrl_c().await?;
    }
    acme.stop().await;
    lens.stop().await;
    // What is left in the temporary folder does no harm.
    let _removed = std::fs::remove_dir_all(&folder);
    Ok(if told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
