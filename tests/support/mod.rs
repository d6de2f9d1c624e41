//! What the tests stand on.

pub(crate) mod amqp_desk;
pub(crate) mod books;
pub(crate) mod browser;
pub(crate) mod crash;
pub(crate) mod daemon;
pub(crate) mod jira;
pub(crate) mod mail;
pub(crate) mod on_its_way;
pub(crate) mod partner;
pub(crate) mod rabbit;
pub(crate) mod sender;
pub(crate) mod servers;
pub(crate) mod side;
pub(crate) mod wait;
pub(crate) mod world;

pub(crate) use amqp_desk::AmqpDesk;
pub(crate) use browser::{Browser, Look};
pub(crate) use daemon::{Pair, TestDaemon};
pub(crate) use partner::FakePartner;
pub(crate) use sender::{Sender, forge, new_ticket, say};
pub(crate) use wait::until;

/// A test for each pair of store and broker.
#[macro_export]
macro_rules! on_all_pairs {
    ($($story:ident),* $(,)?) => {$(
        mod $story {
            use $crate::support::Pair;
            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite_and_embedded() { super::stories::$story(Pair::SQLITE_EMBEDDED).await; }
            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite_and_rabbitmq() { super::stories::$story(Pair::SQLITE_AMQP).await; }
            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres_and_embedded() { super::stories::$story(Pair::POSTGRES_EMBEDDED).await; }
            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres_and_rabbitmq() { super::stories::$story(Pair::POSTGRES_AMQP).await; }
        }
    )*};
}

/// A test for each database, each with the broker that is mostly beside it.
#[macro_export]
macro_rules! on_both {
    ($($story:ident),* $(,)?) => {$(
        mod $story {
            use $crate::support::Pair;
            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite_over_http() { super::$story(Pair::SQLITE_EMBEDDED).await; }
            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres_over_rabbitmq() { super::$story(Pair::POSTGRES_AMQP).await; }
        }
    )*};
}
