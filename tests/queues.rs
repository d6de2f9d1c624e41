//! Queues that do not answer, and queues that are full.

use std::time::Duration;

use crossdesk::{
    broker::{QueueType, open},
    domain::Uuid,
    ports::{Broker, BrokerError, Destination, Outgoing, Source},
};
use futures_util::future::join_all;
use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    options::{BasicGetOptions, BasicPublishOptions},
    types::{AMQPValue, FieldTable},
};

use super::support::{rabbit::RabbitMq, servers::running_rabbit, until};

/// How many channels two daemons have open that consume nothing.
const LINES: usize = 2;

fn connected(rabbit: &RabbitMq) -> (std::sync::Arc<dyn Broker>, crossdesk::broker::Topology) {
    let config = crossdesk::config::Broker { queue_type: QueueType::Quorum, ..Default::default() };
    (open(&rabbit.url, None, config.topology()).unwrap(), config.topology())
}

/// Publishes a message for a partner, whose queue is made with that.
async fn publish(broker: &dyn Broker, partner: &Uuid) {
    let message = Outgoing {
        destination: Destination::Partner(partner.clone()),
        id: "message-1".to_owned(),
        kind: "ticket.update",
        subject: "1".to_owned(),
        body: "{}".to_owned(),
        trace: None,
    };
    assert!(broker.publish(vec![message]).await[0].is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_does_not_answer_is_asked_for_one_thing_at_a_time() {
    let (rabbit, process) = running_rabbit().await;
    let partner = Uuid::new("00000000000000000000000000000000000000aa");
    let (first, topology) = connected(&rabbit);
    publish(&*first, &partner).await;
    rabbit.still(&topology.partner_queue(&partner), true).await;

    let (second, _) = connected(&rabbit);
    let source = Source::Partner(partner.clone());
    second.ping().await.unwrap();
    // One of its own, and one of the first's.
    until("what it was asked over is closed", async || (rabbit.channels().await == LINES).then_some(()))
        .await;
    for answer in join_all((0..20).map(|_| second.consume(source.clone()))).await {
        assert!(
            matches!(&answer, Err(BrokerError::Refused(why)) if why.contains("does not answer")),
            "{answer:?}"
        );
    }
    until("one request waits", async || (rabbit.channels().await == LINES + 1).then_some(())).await;

    rabbit.still(&topology.partner_queue(&partner), false).await;
    let consumer = until("it answers again", async || second.consume(source.clone()).await.ok()).await;
    drop(consumer);
    // But for the line that it was tried over.
    until("nothing is left", async || (rabbit.channels().await == LINES + 1).then_some(())).await;
    process.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partners_queue_is_removed_when_it_is_empty_and_takes_no_connection_along() {
    let (rabbit, process) = running_rabbit().await;
    let partner = Uuid::new("00000000000000000000000000000000000000aa");
    let (broker, topology) = connected(&rabbit);
    publish(&*broker, &partner).await;
    let _inbound = broker.consume(Source::Inbound).await.unwrap();
    let connections = rabbit.connections().await;
    let stays = broker.close_partner(&partner).await;
    assert!(matches!(&stays, Err(BrokerError::Refused(why)) if why.contains("not empty")), "{stays:?}");

    let mut queue = broker.consume(Source::Partner(partner.clone())).await.unwrap();
    let taken = queue.next(1, Duration::ZERO).await.unwrap().remove(0);
    queue.ack(taken.tag).await.unwrap();
    drop(queue);
    for _ in 0..2 {
        until("it is removed, or was", async || broker.close_partner(&partner).await.ok()).await;
    }
    assert_eq!(rabbit.connections().await, connections);
    assert!(!rabbit.queues().await.contains(&topology.partner_queue(&partner)));
    process.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_of_commands_costs_no_connection() {
    let (rabbit, process) = running_rabbit().await;
    let (broker, topology) = connected(&rabbit);
    let command = |number: usize| Outgoing {
        destination: Destination::Commands,
        id: format!("command-{number}"),
        kind: "ticket.open",
        subject: "1".to_owned(),
        body: "{}".to_owned(),
        trace: None,
    };
    assert!(broker.publish(vec![command(0)]).await[0].is_ok());
    rabbit.limit(&topology.commands_queue, 1).await;
    let full = || async {
        let answer = broker.publish(vec![command(1)]).await.remove(0);
        matches!(answer, Err(BrokerError::Refused(why)) if why.contains("it said no"))
    };
    until("it is full", async || full().await.then_some(())).await;
    let before = rabbit.connections().await;
    for _ in 0..3 {
        assert!(full().await);
    }
    assert_eq!(rabbit.connections().await, before);
    process.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_never_answers_ends_no_other_consumer_again_and_again() {
    let (rabbit, process) = running_rabbit().await;
    rabbit.gives_up_after(Duration::from_secs(25)).await;
    let partner = Uuid::new("00000000000000000000000000000000000000aa");
    let (broker, topology) = connected(&rabbit);
    publish(&*broker, &partner).await;
    rabbit.still(&topology.partner_queue(&partner), true).await;

    // RabbitMQ gives up, and ends the connection. Before the first time nobody can know that it will.
    let mut inbound = broker.consume(Source::Inbound).await.unwrap();
    assert!(broker.consume(Source::Partner(partner.clone())).await.is_err());
    inbound.next(1, Duration::ZERO).await.unwrap_err();

    let mut inbound = until("it is back", async || broker.consume(Source::Inbound).await.ok()).await;
    let alone = rabbit.connections().await;
    assert!(broker.consume(Source::Partner(partner.clone())).await.is_err());
    assert_ne!(rabbit.connections().await, alone, "it was asked for over another, which is not given up yet");
    until("it gives up again", async || (rabbit.connections().await == alone).then_some(())).await;
    let other = Connection::connect(&rabbit.url, ConnectionProperties::default()).await.unwrap();
    let channel = other.create_channel().await.unwrap();
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    let queue = topology.inbound_queue.as_str().into();
    channel.basic_publish("".into(), queue, options, b"{}", properties).await.unwrap();
    assert_eq!(inbound.next(1, Duration::ZERO).await.unwrap().len(), 1);

    rabbit.still(&topology.partner_queue(&partner), false).await;
    until("it answers", async || broker.consume(Source::Partner(partner.clone())).await.ok()).await;
    process.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_may_take_one_message_by_itself_and_its_queue_of_old_stays() {
    let (rabbit, process) = running_rabbit().await;
    let (partner, old) = (Uuid::new("a".repeat(40)), Uuid::new("b".repeat(40)));
    // As earlier versions made it: with a single active consumer.
    let (earlier, topology) = connected(&rabbit);
    publish(&*earlier, &old).await;
    let (broker, _) = connected(&rabbit);
    for agreement in [&partner, &old] {
        broker.open_bridge(agreement).await.unwrap();
        let message = Outgoing {
            destination: Destination::Bridge(agreement.clone()),
            id: "message-2".to_owned(),
            kind: "ticket.update",
            subject: "1".to_owned(),
            body: "{}".to_owned(),
            trace: None,
        };
        assert!(broker.publish(vec![message]).await[0].is_ok());
    }
    let bridge = Connection::connect(&rabbit.url, ConnectionProperties::default()).await.unwrap();
    let channel = bridge.create_channel().await.unwrap();
    let queue = topology.partner_queue(&partner);
    let got = channel.basic_get(queue.as_str().into(), BasicGetOptions::default()).await.unwrap();
    assert_eq!(got.unwrap().data, b"{}");
    process.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn long_headers_of_a_message_cost_no_connection() {
    let (rabbit, process) = running_rabbit().await;
    let (broker, topology) = connected(&rabbit);
    let mut inbound = broker.consume(Source::Inbound).await.unwrap();
    let sender = Connection::connect(&rabbit.url, ConnectionProperties::default()).await.unwrap();
    let channel = sender.create_channel().await.unwrap();
    let mut headers = FieldTable::default();
    headers.insert("long".into(), AMQPValue::LongString("v".repeat(60_000).into()));
    let properties = BasicProperties::default().with_headers(headers).with_message_id("long".into());
    let queue = topology.inbound_queue.as_str().into();
    channel.basic_publish("".into(), queue, BasicPublishOptions::default(), b"{}", properties).await.unwrap();
    let taken = inbound.next(1, Duration::ZERO).await.unwrap().remove(0);
    assert_eq!(taken.id.as_deref(), Some("long"));
    process.kill();
}
