//! The tests from the outside: real daemons, real brokers and databases, a desk and partners beside them.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "a test that finds what it does not expect fails there and then"
)]

mod support;

mod accessible; // the admin pages for everybody
mod addresses; // which addresses may be called
mod administration; // what an administrator asks of agreements: checks, and the command line
mod agreements; // an agreement's life, between two daemons and towards partners of every dialect
mod arbitrary; // readers of everything that comes from outside, with whatever may come
mod arrows; // which module may import which
mod bad_input; // events and requests that cannot be used
mod bridges; // bridges on queues
mod browsing; // the admin pages in a real browser, as a person uses them
mod commands; // the program: its output, its exit codes, its signals
mod company; // several daemons on one broker and one database
mod configuration; // files, variables, secrets, samples
mod contradicting; // partners that say something else while they are told
mod crashes; // everything killed at random
mod delivery; // retries, order, what a partner's answers mean
mod deploying; // what comes with the program: definitions, alerts, dashboard, backup, reload, the service manager
mod digesting; // tickets that a partner cannot digest, and the others
mod documents; // OpenAPI against what is answered
mod echoes; // our own commands coming back
mod explaining; // what became of a ticket, in words; what fits which field
mod fields; // custom fields: rules, and what fits later
mod filters; // desks that speak in their own way
mod histories; // random histories of two desks: equal after quiet
mod invites; // invites from strangers
mod jira; // tickets shared with a Jira, both ways
mod jira_agreements; // agreements with a Jira
mod jira_privacy; // who may read what in a Jira
mod jira_story; // the whole way of a ticket and its issue
mod joined; // bridges of the examples, and two daemons with nothing but queues between them
mod keys; // access keys: changed, sealed
mod kit; // what examines partners, and what is one
mod life; // the life of an agreement: every step by every party, in the domain, over the wire and by the API
mod limits; // too much, too often, too slow, for too long
mod lost_answers; // refusals that mean something else
mod moving; // a partner that is elsewhere than before
mod notices; // who is told, on the desk and by mail
mod outages; // brokers and databases that go away and come back
mod pages; // who gets to see the admin pages
mod queues; // queues of the broker that do not answer, or are full
mod reconciling; // drift between two sides: found, told, repaired
mod refused; // what partners refuse, or have taken without a word
mod remembering; // comments and events that come again, messages that no index has
mod replaying; // recorded events under a changed mapping
mod restarts; // agreements over restarts, declared ones too
mod sharing; // the requests of the protocol, and the code that answers each
mod simulation; // the flow in a simulated world, from a seed
mod statuses; // statuses: translated, refused, closed
mod story; // the whole way, on all four pairs of store and broker
mod syncing; // what else syncs and what does not: numbers, links, people, HTML, rules, merges
mod terms; // what holds whatever a partner does
mod tls; // the broker and the database over TLS
mod tracing; // a change followed through queues, rows and requests
mod unreadable; // a message on RabbitMQ that no library can read
mod upgrading; // databases of older versions, and of newer ones
mod webhooks; // a desk that takes its commands over HTTP
