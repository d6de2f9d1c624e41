//! `crossdesk reconcile`: are the tickets still the same on both sides?

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::{Global, client::Client, client::part, print};

#[derive(Args, Debug)]
pub(super) struct Reconcile {
    /// The agreement's uuid; without one, all whose partners can be asked
    agreement: Option<String>,
    /// Make both sides one again: the sender's values count, comments go to whoever lacks them
    #[arg(long)]
    repair: bool,
}

/// Goes through all tickets of the agreements, step by step, and tells what differs as it is found.
pub(super) async fn run(global: &Global, given: Reconcile) -> Result<()> {
    let client = Client::new(global)?;
    let agreements = match &given.agreement {
        Some(uuid) => vec![uuid.clone()],
        None => askable(&client.get("agreements").await?),
    };
    let (mut looked, mut on_their_way, mut all, mut unclear) = (0, 0, Vec::new(), Vec::new());
    for agreement in agreements {
        let mut after = Value::Null;
        loop {
            let form = json!({"after": after, "repair": given.repair});
            let step = client.post(&format!("agreements/{}/reconcile", part(&agreement)), Some(form)).await?;
            let count = |name| step.get(name).and_then(Value::as_u64).unwrap_or_default();
            looked += count("looked");
            on_their_way += count("on_their_way");
            for ticket in list(&step, "differing") {
                if !global.json {
                    tell(&agreement, ticket)?;
                }
                all.push(json!({"agreement": agreement, "ticket": ticket}));
            }
            for ticket in list(&step, "unclear") {
                if !global.json {
                    let (uuid, why) = (print::text(ticket, "ticket"), print::text(ticket, "reason"));
                    print::line(&format!("ticket {uuid} under {agreement} could not be compared: {why}"))?;
                }
                unclear.push(json!({"agreement": agreement, "ticket": ticket}));
            }
            after = step.get("next").cloned().unwrap_or_default();
            if after.is_null() {
                break;
            }
        }
    }
    if global.json {
        let sum = json!({"looked": looked, "on_their_way": on_their_way, "repaired": given.repair, "differing": all,
            "unclear": unclear});
        return print::json(&sum);
    }
    let verb = match (all.is_empty(), given.repair) {
        (true, _) => "none differ",
        (false, true) => "what differs is being put right",
        (false, false) => "crossdesk reconcile --repair makes them one again",
    };
    print::line(&format!(
        "{looked} shared tickets looked at, {} differ, {on_their_way} have something on its way, {} could not be compared: {verb}",
        all.len(),
        unclear.len()
    ))
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The accepted agreements with partners that show tickets.
fn askable(agreements: &Value) -> Vec<String> {
    let all = agreements.as_array().map_or(&[][..], Vec::as_slice).iter();
    let asked = all.filter(|one| {
        print::text(one, "status") == "accepted"
            && matches!(print::text(one, "kind").as_str(), "zendesk" | "third_party")
    });
    asked.map(|one| print::text(one, "uuid")).collect()
}

fn tell(agreement: &str, ticket: &Value) -> Result<()> {
    let name = match print::text(ticket, "number") {
        number if number.is_empty() => print::text(ticket, "ticket"),
        number => number,
    };
    for difference in list(ticket, "differences") {
        let (part, since) = (print::text(difference, "part"), print::text(difference, "since"));
        let value = |side| difference.get(side).unwrap_or(&Value::Null);
        print::line(&format!(
            "ticket {name} under {agreement}: {part} is agreed {}, there {} (known since {since})",
            value("here"),
            value("there")
        ))?;
    }
    Ok(())
}
