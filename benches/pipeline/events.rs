//! The desk's events of the benchmarks: about 1.2 KB, the same for the same number.

use serde_json::{Value, json};

/// How many tickets they are spread over.
pub(crate) const TICKETS: usize = 5000;
/// The agreements, one a partner queue.
pub(crate) const PARTNERS: usize = 4;

/// The uuid of a partner's agreement.
pub(crate) fn agreement(partner: usize) -> String {
    format!("{:040x}", 0xc0de + partner)
}

fn mix(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

const WORDS: [&str; 12] = [
    "printer", "network", "outage", "after", "update", "customer", "invoice", "cannot", "login", "since",
    "monday", "log",
];

const STATUSES: [&str; 5] = ["new", "open", "pending", "hold", "solved"];

fn words(seed: u64, length: usize) -> String {
    let mut text = String::new();
    let mut at = seed;
    while text.len() < length {
        text.push_str(WORDS[(mix(at) % 12) as usize]);
        text.push(' ');
        at += 1;
    }
    text
}

/// The ticket that an event is about.
pub(crate) fn ticket_of(number: usize) -> usize {
    (mix(number as u64) % TICKETS as u64) as usize
}

fn ticket(id: &str, seed: u64) -> Value {
    let field =
        |title: &str, n: u64| json!({"title": title, "value": format!("v{:x}", mix(seed + n) & 0xffff)});
    let titles = ["Serial number", "Site", "Contract", "Impact", "Reference", "Cost", "Secret note", "VIP"];
    let fields: Vec<Value> = titles.iter().zip(0..).map(|(title, n)| field(title, n)).collect();
    json!({
        "id": id, "revision": seed, "subject": words(mix(seed % 5000), 50), "priority": "high",
        "status": STATUSES[(mix(seed) % 5) as usize],
        "tags": [format!("t{}", mix(seed) % 50), "billing", "auto"],
        "requester": {"id": "77", "name": "Joe User"}, "custom_fields": fields, "via": "web",
    })
}

fn envelope(id: String, kind: &str, data: Value) -> String {
    json!({"specversion": "1.0", "id": id, "source": "bench/desk", "type": kind, "time": "2026-11-23T10:15:30Z", "data": data}).to_string()
}

/// An agent shares a ticket.
pub(crate) fn shared(number: usize) -> String {
    let data = json!({"ticket": ticket(&number.to_string(), 0), "comments": [], "comments_complete": true,
        "agreement": agreement(number % PARTNERS), "actor": {"id": "9", "name": "Agent", "role": "agent"}});
    envelope(format!("s-{number}"), "helpdesk.ticket.shared", data)
}

/// A ticket has changed, and somebody has written a comment. `prefix` tells tickets apart that are not shared.
pub(crate) fn changed(number: usize, prefix: &str) -> String {
    changed_on(number, &format!("{prefix}{}", ticket_of(number)))
}

/// The same on a certain ticket.
pub(crate) fn changed_on(number: usize, ticket_id: &str) -> String {
    let seed = 1 + number as u64;
    let comment = json!({"id": format!("c{number}"), "author": {"id": "9", "name": "Agent Smith", "role": "agent"},
        "body": words(seed * 131, 300), "public": !number.is_multiple_of(5), "created_at": "2026-11-23T10:15:30Z"});
    let data = json!({"ticket": ticket(ticket_id, seed), "comments": [comment],
        "actor": {"id": "9", "name": "Agent Smith", "role": "agent"}});
    envelope(format!("e-{number}"), "helpdesk.ticket.changed", data)
}
