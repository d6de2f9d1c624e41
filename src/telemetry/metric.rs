//! The catalogue of metrics: every name, what it counts, and the one function that counts it.

use std::{sync::OnceLock, time::Duration};

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::{
    domain::{FieldNotSynced, Kind, MessageType, Reason, Uuid},
    engine::Outcome,
};

/// Renders `/metrics`.
#[derive(Clone)]
pub struct Recorder(PrometheusHandle);

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Recorder")
    }
}

impl Recorder {
    /// The page, in Prometheus' text format.
    pub fn render(&self) -> String {
        self.0.render()
    }
}

/// Milliseconds to minutes.
const SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0];

/// Installs the process' recorder, once; later calls give the same one.
///
/// # Errors
/// Where another recorder is installed already.
pub fn install() -> Result<Recorder, String> {
    static RECORDER: OnceLock<Result<Recorder, String>> = OnceLock::new();
    RECORDER
        .get_or_init(|| {
            let builder = ["crossdesk_delivery_seconds", "crossdesk_sync_lag_seconds"]
                .into_iter()
                .try_fold(PrometheusBuilder::new(), |builder, name| {
                    builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), &SECONDS)
                });
            let handle =
                builder.and_then(PrometheusBuilder::install_recorder).map_err(|error| error.to_string())?;
            describe();
            Ok(Recorder(handle))
        })
        .clone()
}

fn describe() {
    describe_counter!("crossdesk_events_total", "Events of the desk, by what became of them.");
    describe_counter!("crossdesk_partner_messages_total", "Messages written for partners.");
    describe_counter!("crossdesk_deliveries_total", "Attempts to deliver, by how they ended.");
    describe_histogram!("crossdesk_delivery_seconds", "How long partners took to answer.");
    describe_counter!("crossdesk_inbound_total", "Requests of partners, by how they ended.");
    describe_counter!("crossdesk_commands_total", "Commands written for the desk.");
    describe_histogram!("crossdesk_sync_lag_seconds", "From the desk's event to the partner's answer.");
    describe_gauge!("crossdesk_outbox_pending", "Messages that are not yet with the broker.");
    describe_gauge!("crossdesk_dead_letters", "Messages that wait for a person.");
    describe_counter!("crossdesk_fields_not_synced_total", "Custom fields left out, by reason.");
    describe_gauge!(
        "crossdesk_partner_up",
        "How the last attempt at a partner ended: 1 or 0; NaN where this daemon serves it no more."
    );
    describe_gauge!(
        "crossdesk_tickets_adrift",
        "Tickets that differed from the partner's when they were last compared by the clock."
    );
    for outcome in
        [Outcome::Applied, Outcome::Unchanged, Outcome::Stale, Outcome::Unshared, Outcome::Rejected]
    {
        counter!("crossdesk_events_total", "outcome" => outcome.as_str()).increment(0);
    }
    for kind in [
        MessageType::CommandUserCreate,
        MessageType::CommandTicketCreate,
        MessageType::CommandTicketUpdate,
        MessageType::CommandTicketUnshare,
        MessageType::CommandTicketFetch,
        MessageType::CommandNotice,
    ] {
        counter!("crossdesk_commands_total", "type" => kind.as_str()).increment(0);
    }
    for reason in [Reason::UnknownField, Reason::IncompatibleType, Reason::UnknownOption, Reason::NotShared] {
        counter!("crossdesk_fields_not_synced_total", "reason" => reason.as_str()).increment(0);
    }
    waiting(0, 0);
}

/// Events were taken in.
pub fn events(outcome: Outcome, count: u64) {
    counter!("crossdesk_events_total", "outcome" => outcome.as_str()).increment(count);
}

/// Messages for partners were written.
pub fn partner_messages(kind: Kind, message: MessageType, count: u64) {
    let kind = match kind {
        Kind::Zendesk => "zendesk",
        Kind::Jira => "jira",
        Kind::ThirdParty => "third_party",
        Kind::Queue => "queue",
    };
    counter!("crossdesk_partner_messages_total", "kind" => kind, "type" => message.as_str()).increment(count);
}

/// A command for the desk was written.
pub fn command(kind: MessageType, not_synced: &[FieldNotSynced]) {
    counter!("crossdesk_commands_total", "type" => kind.as_str()).increment(1);
    for field in not_synced {
        counter!("crossdesk_fields_not_synced_total", "reason" => field.reason.as_str()).increment(1);
    }
}

/// A partner was tried; `outcome` is `delivered`, `retry` or `parked`. It is up if it answered with a yes or a no.
pub fn delivery(
    agreement: &Uuid,
    outcome: &'static str,
    answered: bool,
    took: Duration,
    lag: Option<Duration>,
) {
    let name = agreement.to_string();
    counter!("crossdesk_deliveries_total", "agreement" => name.clone(), "outcome" => outcome).increment(1);
    histogram!("crossdesk_delivery_seconds").record(took.as_secs_f64());
    gauge!("crossdesk_partner_up", "agreement" => name).set(if answered { 1.0 } else { 0.0 });
    if let Some(lag) = lag {
        histogram!("crossdesk_sync_lag_seconds").record(lag.as_secs_f64());
    }
}

/// This daemon serves a partner no more: how it is, another may know.
pub fn unserved(agreement: &Uuid) {
    gauge!("crossdesk_partner_up", "agreement" => agreement.to_string()).set(f64::NAN);
}

/// A partner made a request. Only agreements that are known are named: anybody can make up others.
pub fn inbound(agreement: Option<&Uuid>, status: u16) {
    let outcome = match status {
        200..=299 => "applied",
        401 | 403 => "forbidden",
        500..=599 => "failed",
        _ => "refused",
    };
    let name = agreement.map_or_else(|| "unknown".to_owned(), ToString::to_string);
    counter!("crossdesk_inbound_total", "agreement" => name, "outcome" => outcome).increment(1);
}

/// All tickets of an agreement were compared with the partner's; so many differed.
pub fn drift(agreement: &Uuid, differing: usize) {
    let count = f64::from(u32::try_from(differing).unwrap_or(u32::MAX));
    gauge!("crossdesk_tickets_adrift", "agreement" => agreement.to_string()).set(count);
}

/// How much waits.
pub fn waiting(pending: i64, dead: i64) {
    let number = |count: i64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    gauge!("crossdesk_outbox_pending").set(number(pending));
    gauge!("crossdesk_dead_letters").set(number(dead));
}
