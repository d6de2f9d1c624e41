//! The story itself, line by line.

use anyhow::{Context, Result, anyhow};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    desk::{DeskTicket, HelpDesk},
    side::{Side, say},
    table,
};

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn ticket<'a>(desk: &'a HelpDesk, id: &str) -> Option<&'a DeskTicket> {
    desk.tickets.get(id)
}

fn has_comment(desk: &HelpDesk, id: &str, body: &str, public: bool) -> bool {
    ticket(desk, id)
        .is_some_and(|t| t.comments.iter().filter(|c| c.body == body && c.public == public).count() == 1)
}

fn has_status(desk: &HelpDesk, id: &str, status: &str) -> bool {
    ticket(desk, id).is_some_and(|t| t.values.get("status") == Some(&json!(status)))
}

/// Tells the story, and checks every line of it.
pub(super) async fn tell(acme: &Side, lens: &Side) -> Result<()> {
    say("\nTwo help desks, each with a crossdesk beside it:");
    say(&format!("  Acme Cameras at {}", acme.sharing_url));
    say(&format!("  Lens Partner at {}\n", lens.sharing_url));
    agree(acme, lens).await?;
    let (here, there) = share(acme, lens).await?;
    talk(acme, lens, &here, &there).await?;
    solve(acme, lens, &here, &there).await?;
    settled(acme).await?;
    settled(lens).await?;
    let (left, right) = (acme.driver.desk(|desk| desk.clone()), lens.driver.desk(|desk| desk.clone()));
    say("\nBoth tickets, side by side:\n");
    say(&table::side_by_side((&left, &here), (&right, &there)));
    say("Where to look:");
    for (name, side, id) in [("Acme Cameras", acme, &here), ("Lens Partner", lens, &there)] {
        say(&format!("  {name}: {}/  (sign in with the token {})", side.admin_url, side.token));
        say(&format!("    crossdesk ticket explain {id} --url {} --token {}", side.admin_url, side.token));
    }
    Ok(())
}

async fn agree(acme: &Side, lens: &Side) -> Result<()> {
    say("Acme Cameras invites Lens Partner: public and private comments, status and custom fields cross.");
    let terms = json!({"comments": "public_and_private", "sync_custom_fields": true});
    let invite =
        json!({"kind": "third_party", "url": lens.sharing_url, "name": "Lens Partner", "terms": terms});
    acme.driver.ask(Method::POST, "agreements", Some(&invite)).await?;
    let invited = lens.agreement("Lens Partner has the invite, with its terms", "pending").await?;
    if text(&invited, "/terms/comments") != "public_and_private" || text(&invited, "/name") != "Acme Cameras"
    {
        return Err(anyhow!("the invite came without its terms or its sender: {invited}"));
    }
    say("Lens Partner accepts.");
    lens.driver.ask(Method::POST, &format!("agreements/{}/accept", text(&invited, "/uuid")), None).await?;
    lens.agreement("the agreement is in force at Lens Partner", "accepted").await?;
    acme.agreement("the agreement is in force at Acme Cameras", "accepted").await?;
    Ok(())
}

async fn share(acme: &Side, lens: &Side) -> Result<(String, String)> {
    say("\nJoe writes to Acme Cameras: his lens is stuck. An agent shares the ticket with Lens Partner.");
    let fields = [("Camera model", json!("x100")), ("Warranty until", json!("next summer"))];
    let (here, opened) =
        acme.driver.desk(|desk| desk.open(("77", "Joe User"), "Lens stuck", "My lens is stuck.", &fields));
    acme.driver.tell(&opened).await?;
    let shared = acme.driver.desk(|desk| desk.share(&here, "Lens Partner"));
    acme.driver.tell(&shared).await?;
    let is_dummy = |desk: &HelpDesk| desk.dummies.values().any(|(_, name)| name == "Joe User");
    lens.until("Joe is a dummy user at Lens Partner: a name, no e-mail address", is_dummy).await?;
    lens.until("the ticket is at Lens Partner, with Joe's words", |desk| {
        desk.tickets.keys().any(|id| has_comment(desk, id, "My lens is stuck.", true))
    })
    .await?;
    let there = lens.driver.desk(|desk| desk.tickets.keys().next().cloned()).context("no ticket")?;
    let id = there.clone();
    lens.until("the custom field \"Camera model\" fits: x100 is the option X100 there", |desk| {
        ticket(desk, &id).is_some_and(|t| {
            t.fields
                .iter()
                .any(|(title, value)| title.eq_ignore_ascii_case("Camera model") && *value == json!("X100"))
        })
    })
    .await?;
    lens.until(
        "\"Warranty until\" does not: \"next summer\" is no date. It alone is left out, with the reason",
        |desk| {
            desk.not_synced.iter().any(|one| {
                text(one, "/title") == "Warranty until" && text(one, "/reason") == "incompatible_type"
            })
        },
    )
    .await?;
    Ok((here, there))
}

async fn talk(acme: &Side, lens: &Side, here: &str, there: &str) -> Result<()> {
    say("\nLina at Lens Partner answers Joe; Smith at Acme Cameras adds a private note.");
    let event = lens.driver.desk(|desk| desk.comment(there, "Lina", "Please send it in.", true));
    lens.driver.tell(&event).await?;
    acme.until("Lina's answer is at Acme Cameras, public", |desk| {
        has_comment(desk, here, "Please send it in.", true)
    })
    .await?;
    let event = acme.driver.desk(|desk| desk.comment(here, "Smith", "He is a good customer.", false));
    acme.driver.tell(&event).await?;
    lens.until("Smith's note is at Lens Partner, and private there too", |desk| {
        has_comment(desk, there, "He is a good customer.", false)
    })
    .await
}

async fn solve(acme: &Side, lens: &Side, here: &str, there: &str) -> Result<()> {
    say("\nLina solves the ticket.");
    let event = lens.driver.desk(|desk| desk.set(there, "status", "solved"));
    lens.driver.tell(&event).await?;
    acme.until("it is solved at Acme Cameras", |desk| has_status(desk, here, "solved")).await?;
    say("Joe is not happy, so Smith opens it again, and then solves it himself.");
    for status in ["open", "solved"] {
        let event = acme.driver.desk(|desk| desk.set(here, "status", status));
        acme.driver.tell(&event).await?;
        let what = format!("it is {status} at Lens Partner");
        lens.until(&what, |desk| has_status(desk, there, status)).await?;
    }
    Ok(())
}

/// Nothing is on its way any more, and nothing was given up.
async fn settled(side: &Side) -> Result<()> {
    let begun = tokio::time::Instant::now();
    loop {
        let commands = side.driver.ask(Method::GET, "commands", None).await?;
        if commands.as_array().is_some_and(Vec::is_empty) {
            break;
        }
        if begun.elapsed() > std::time::Duration::from_secs(20) {
            return Err(anyhow!("commands are left: {commands}"));
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let dead = side.driver.ask(Method::GET, "dead-letters", None).await?;
    if dead.as_array().is_some_and(|dead| !dead.is_empty()) {
        return Err(anyhow!("something could not be delivered: {dead}"));
    }
    Ok(())
}
