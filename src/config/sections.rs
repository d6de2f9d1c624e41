//! The sections of the configuration, each with its defaults.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    guard::{Invites, Limits, Mail, Reconcile},
    jira::DeclaredJira,
    telemetry::{Log, Trace},
};
use crate::{
    broker::QueueType,
    domain::{AgreementStatus, CustomField, Direction, Kind, Local, Profile, Terms, Uuid},
};

/// All settings.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// This desk.
    pub desk: Desk,
    /// The database.
    pub store: Store,
    /// The broker.
    pub broker: Broker,
    /// The partners' listener.
    pub http: Http,
    /// The admins' listener.
    pub admin: Admin,
    /// Calls to partners.
    pub delivery: Delivery,
    /// Invites that come in.
    pub invites: Invites,
    /// How much may come in.
    pub limits: Limits,
    /// Comparing tickets with the partners'.
    pub reconcile: Reconcile,
    /// Notices by e-mail.
    pub mail: Mail,
    /// Logs.
    pub log: Log,
    /// Traces.
    pub trace: Trace,
    /// The process.
    pub runtime: Runtime,
    /// Declared agreements, beside those made by API or page.
    pub agreements: Vec<DeclaredAgreement>,
    /// Automatic sharing: the first rule whose condition holds wins.
    pub rules: Vec<Rule>,
}

/// `[runtime]`
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Runtime {
    /// How many threads decide, call partners and answer, beside those of the broker's connection and of the database.
    /// 0: half as many as there are cores. More cost more, since what one thread has made another has to fetch.
    pub threads: usize,
}

/// `[desk]`
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Desk {
    /// What partners see on an invite.
    pub name: String,
    /// Where partners reach this daemon; also the namespace of its uuids, so never change it once tickets are shared.
    pub sharing_url: String,
    /// Link to a ticket; `{id}` stands for its number. Empty: no link.
    pub ticket_url: String,
    /// Decline every invite at once, and bother nobody with it.
    pub decline_all_invites: bool,
    /// Notices about agreements go to this mail address too; empty: to nobody. It needs `mail.url`.
    pub admin_email: String,
    /// After how long a command that the desk has not answered is taken as done.
    pub command_timeout: String,
    /// Where the desk takes its commands over HTTP. Empty: it takes them from the commands queue, or asks for them.
    pub command_url: String,
    /// What commands are signed with: `whsec_` and base64.
    pub command_secret: String,
    /// A jq program that makes our events of what the desk emits. Empty: it emits them as they are.
    pub event_filter: String,
    /// The desk's custom fields, until it sends them itself.
    pub fields: Vec<CustomField>,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            name: "Help desk".to_owned(),
            sharing_url: "http://127.0.0.1:8085/sharing".to_owned(),
            ticket_url: String::new(),
            decline_all_invites: false,
            admin_email: String::new(),
            command_timeout: "1m".to_owned(),
            command_url: String::new(),
            command_secret: String::new(),
            event_filter: String::new(),
            fields: Vec::new(),
        }
    }
}

/// `[store]`
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// `sqlite:PATH` or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
    pub url: String,
    /// Encrypts the agreements' access keys at rest: 64 hex digits. Empty: they are kept as they are.
    pub key: String,
    /// How long messages are kept after they ended.
    pub keep: String,
    /// How long the desk's events are kept as they came, for `crossdesk replay`; `0s`: not at all.
    pub record: String,
    /// What this daemon is called among those that share the database. Empty: the name of its host and the port of its admins.
    pub daemon: String,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            url: "sqlite:crossdesk.db".to_owned(),
            key: String::new(),
            keep: "30days".to_owned(),
            record: "0s".to_owned(),
            daemon: String::new(),
        }
    }
}

/// `[broker]`
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Broker {
    /// `embedded`, or `amqp://` / `amqps://USER:PASSWORD@HOST:PORT/VHOST`.
    pub url: String,
    /// File with certificates, PEM, that the broker's may be signed by, beside the system's.
    pub ca_file: String,
    /// How queues are declared.
    pub queue_type: QueueType,
    /// Topic exchange that the desk publishes its events to.
    pub events_exchange: String,
    /// The queue that they are taken from.
    pub events_queue: String,
    /// Over how many queues the events are spread by their header `ticket`, so that as many daemons can share the work.
    pub events_shards: u16,
    /// Topic exchange that commands are published to.
    pub commands_exchange: String,
    /// The queue that the desk takes them from.
    pub commands_queue: String,
    /// Direct exchange of the partner queues.
    pub partners_exchange: String,
    /// What the names of the partner queues begin with: two daemons on one vhost need one each.
    pub partner_queue_prefix: String,
    /// The queue of what bridges send.
    pub inbound_queue: String,
    /// The queue of copies of what could not be processed.
    pub dead_letter_queue: String,
}

impl Default for Broker {
    fn default() -> Self {
        Self {
            url: "embedded".to_owned(),
            ca_file: String::new(),
            queue_type: QueueType::Quorum,
            events_exchange: "helpdesk.events".to_owned(),
            events_queue: "crossdesk.events".to_owned(),
            events_shards: 1,
            commands_exchange: "crossdesk.commands".to_owned(),
            commands_queue: "crossdesk.commands".to_owned(),
            partners_exchange: "crossdesk.partners".to_owned(),
            partner_queue_prefix: "crossdesk.partner.".to_owned(),
            inbound_queue: "crossdesk.inbound".to_owned(),
            dead_letter_queue: "crossdesk.dead".to_owned(),
        }
    }
}

/// `[http]`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Address and port for partners; this one may face the world.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// File with the certificate chain, PEM: then it is HTTPS. Empty: HTTP, behind a proxy that speaks TLS.
    pub certificate: String,
    /// File with its private key, PEM.
    pub private_key: String,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8085)),
            certificate: String::new(),
            private_key: String::new(),
        }
    }
}

/// `[admin]`
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Address and port for admins: API, pages, metrics.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// The token; empty: made at the first start and kept in `crossdesk-admin.token` beside the store.
    pub token: String,
}

impl Default for Admin {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8086)), token: String::new() }
    }
}

/// `[delivery]`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Delivery {
    /// Allow http:// partners, and private or loopback addresses.
    pub allow_private_partners: bool,
    /// How long a partner has to answer.
    pub timeout: String,
    /// How many tickets of one partner go side by side.
    pub side_by_side: usize,
    /// After how long of failing the desk is told of a partner.
    pub notify_after: String,
    /// When to try again.
    pub retry: Retry,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            allow_private_partners: false,
            timeout: "10s".to_owned(),
            side_by_side: 8,
            notify_after: "15m".to_owned(),
            retry: Retry::default(),
        }
    }
}

/// `delivery.retry`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// The first wait; the next ones grow from it.
    pub initial: String,
    /// The longest wait.
    pub max: String,
    /// After this long a message is parked.
    pub give_up_after: String,
}

impl Default for Retry {
    fn default() -> Self {
        Self { initial: "1s".to_owned(), max: "5m".to_owned(), give_up_after: "72h".to_owned() }
    }
}

/// `[[agreements]]`
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclaredAgreement {
    /// Its name on the network, the same on both sides.
    pub uuid: Uuid,
    /// What this desk calls it.
    pub name: String,
    /// Which side this desk is on.
    pub direction: Direction,
    /// What the partner is.
    pub kind: Kind,
    /// Its sharing URL; none for kind `queue`.
    #[serde(default)]
    pub url: Option<String>,
    /// The secret, the same on both sides; a Jira has its own in `jira`.
    #[serde(default)]
    pub access_key: String,
    /// Where it stands when it is first seen.
    pub status: AgreementStatus,
    /// What crosses.
    #[serde(default)]
    pub terms: Terms,
    /// The partner's dialect.
    #[serde(default)]
    pub profile: Profile,
    /// What this side alone settles.
    #[serde(default)]
    pub local: Local,
    /// Where tickets go in a Jira; for kind `jira`, and for that alone.
    #[serde(default)]
    pub jira: Option<DeclaredJira>,
}

/// `[[rules]]`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What it is called.
    pub name: String,
    /// A CEL expression over `ticket`, `comment`, `actor` and `via`.
    pub when: String,
    /// The agreement, by uuid or name.
    pub share_with: String,
}

macro_rules! hides_secrets {
    ($($name:ident),*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )*};
}

hides_secrets!(Desk, Store, Broker, Admin, DeclaredAgreement);
