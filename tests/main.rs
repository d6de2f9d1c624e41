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

mod administration; // agreements as their administrators meet them: checks, keys, notices, mail, limits, declared ones
mod agreements; // an agreement's life, between two daemons and towards partners of every dialect
mod arbitrary; // readers of everything that comes from outside, with whatever may come
mod arrows; // which module may import which
mod bad_input; // events and requests that cannot be used
mod bridges; // bridges on queues
mod commands; // the program: its output, its exit codes, its signals
mod configuration; // files, variables, secrets, samples
mod crashes; // everything killed at random
mod delivery; // retries, order, what a partner's answers mean
mod echoes; // our own commands coming back
mod explaining; // what became of a ticket, in words; what fits which field
mod histories; // random histories of two desks: equal after quiet
mod life; // the life of an agreement: every step by every party, in the domain, over the wire and by the API
mod limits; // too much, too often, too slow, for too long
mod outages; // brokers and databases that go away and come back
mod sharing; // the requests of protocol.md, and the code that answers each
mod story;
mod syncing;
mod tls; // the broker and the database over TLS // what syncs and what does not: status, fields, comments, people, numbers // the whole way, on all four pairs of store and broker
