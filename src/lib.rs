//! crossdesk shares a help desk's tickets with other desks: what Zendesk's ticket sharing does, for any desk.
//!
//! It stands beside one desk. The desk's events come in, over RabbitMQ or HTTP; what changed goes out to the partners that
//! an agreement names, over the Networked Help Desk protocol or a queue; what partners send becomes commands for the desk.
//!
//! # The picture
//!
//! ```text
//!  desk events ──▶ intake ──┐                           ┌──▶ partner queue ──▶ delivery ──▶ partner, Jira
//!   (AMQP, HTTP)            ├──▶ engine ──▶ store ──▶ relay                └──▶ the partner's own bridge
//!  partner ──▶ inbound ─────┘   (pure)    (one tx)      └──▶ desk commands ──▶ the desk
//!   (HTTP, AMQP, webhooks)                                     (AMQP, HTTP)
//! ```
//!
//! 1. The [`engine`] is a function: what is known and a change make a decision. It reads no clock, database or network.
//! 2. The [`store`] writes the decisions of a whole batch in one transaction.
//! 3. Intake acknowledges, and inbound answers, only after that commit. What comes twice is applied once.
//! 4. Whatever leaves, leaves as a message row written in that transaction; the relay is the only publisher.
//! 5. A unit of work ends as one of: done, to be tried again at a time, parked with a reason. It never falls out.
//!
//! Rows are the truth, queues hand over: whoever takes a message from a queue looks at its row before acting, and looks again
//! when that was more than a second ago or something has been withdrawn since. That is why
//! the embedded broker keeps nothing, and is filled again from the rows at the start.
//!
//! # An event out
//!
//! A delivery on the events queue is read by [`flow::Intake`] with [`wire::desk::decode`], and goes with others to the
//! [`flow::Pipeline`]. Its writer reads everything that the batch speaks of in a few statements
//! ([`ports::Store::snapshot_knowing`]), lets [`engine::outgoing::ticket_changed`] decide event by event, and writes all of it at
//! once ([`ports::Store::apply`]). Then the events are acknowledged, the [`flow::Relay`] publishes the new messages, each
//! with the broker's confirm, and the [`flow::Worker`] of the partner takes them from its queue, looks at their rows and
//! calls the partner ([`ports::Partner`]). What the answer means is [`flow::verdict`]'s to say; it is written before the
//! queue is acknowledged.
//!
//! # A message in
//!
//! A partner's request comes to the sharing endpoints of [`http`] (or a bridge's message to the inbound queue), and
//! [`flow::Inbound`] finds out who asks. [`wire::nhd`] reads it, and [`engine::incoming`] decides: what the terms do not
//! let cross is dropped, what is new becomes a command for the desk, and is laid over the ticket for its other shares at
//! once. The partner gets its answer after the commit. The command goes out like any message; the desk does it, and the
//! event that it then emits is recognised as our own change coming back.
//!
//! A Jira speaks neither: its webhooks are read by [`wire::jira_hook`], and [`flow::Hooks`] makes the same changes of them; what
//! goes there is a task for a [`ports::Tracker`], however many requests that takes.
//!
//! # The house
//!
//! | module | what for | may import |
//! |---|---|---|
//! | [`domain`] | what things are; pure | – |
//! | [`engine`] | what to do about a change; pure | domain |
//! | [`wire`] | bytes and domain, one file a party; pure | domain, engine's types |
//! | [`clock`], [`retry`], [`ports`] | time; waits; what the flow needs of the world | domain, engine's types |
//! | [`telemetry`] | the catalogue of metrics, the two forms of logs, spans of traces | domain, engine's types |
//! | [`flow`] | intake, inbound, pipeline, relay, delivery, roster, sweep; the crew of daemons on one database | all above |
//! | [`store`] | the store on SQLite and PostgreSQL | domain, engine's types, ports |
//! | [`broker`] | the broker on RabbitMQ, and embedded | domain, ports |
//! | [`partner`] | whatever is called over HTTP: partners, Jira, the desk's webhook | domain, wire, ports |
//! | [`mail`] | notices over SMTP | domain, ports |
//! | [`http`] | the sharing endpoints, webhooks, the admin API and pages, health | domain, engine, wire, ports, flow, telemetry |
//! | [`config`] | the settings | domain, engine's rules, wire's filter, what checks a URL |
//! | [`app`] | wiring, life and reload; what `check` looks at | everything but cli, demo and kit |
//! | [`kit`] | a partner to develop against, and one that examines | nothing of ours |
//! | [`demo`], [`cli`] | two desks that play the story; the commands | app and below |
//!
//! No adapter imports another, and nobody below `app` sees the configuration whole. `tests/arrows.rs` holds the sources
//! against this table.
//!
//! More: [how it is built](_architecture), [agreements](_agreements), [how two tickets stay one](_sync), [partners](_partners), [their protocol](_protocol), [sharing with a Jira](_jira),
//! [writing a bridge](_bridges), [desks without RabbitMQ](_desks), [running it](_operations), [security](_security), [how fast it is](_performance),
//! [how far it goes](_scale), [a newcomer's first day](_contributing).

pub mod app;
pub mod broker;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod domain;
pub mod engine;
pub mod flow;
pub mod http;
pub mod kit;
pub mod mail;
pub mod partner;
pub mod ports;
pub mod retry;
pub mod store;
pub mod telemetry;
pub mod wire;

#[doc = include_str!("docs/architecture.md")]
pub mod _architecture {}
#[doc = include_str!("docs/agreements.md")]
pub mod _agreements {}
#[doc = include_str!("docs/sync.md")]
pub mod _sync {}
#[doc = include_str!("docs/jira.md")]
pub mod _jira {}
#[doc = include_str!("docs/partners.md")]
pub mod _partners {}
#[doc = include_str!("docs/protocol.md")]
pub mod _protocol {}
#[doc = include_str!("docs/bridges.md")]
pub mod _bridges {}
#[doc = include_str!("docs/desks.md")]
pub mod _desks {}
#[doc = include_str!("docs/performance.md")]
pub mod _performance {}
#[doc = include_str!("docs/scale.md")]
pub mod _scale {}
#[doc = include_str!("docs/security.md")]
pub mod _security {}
#[doc = include_str!("docs/contributing.md")]
pub mod _contributing {}
#[doc = include_str!("docs/operations.md")]
pub mod _operations {}
