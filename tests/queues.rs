//! Queues that do not answer, and queues that are full.

use crossdesk::{
    broker::{QueueType, open},
    domain::Uuid,
    ports::{Broker, BrokerError, Destination, Outgoing, Source},
};
use futures_util::future::join_all;

use super::support::{rabbit::RabbitMq, servers::running_rabbit, until};

fn connected(rabbit: &RabbitMq) -> (std::sync::Arc<dyn Broker>, crossdesk::broker::Topology) {
    let config = crossdesk::config::Broker { queue_type: QueueType::Quorum, ..Default::default() };
    (open(&rabbit.url, None, config.topology()).unwrap(), config.topology())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_does_not_answer_is_asked_for_one_thing_at_a_time() {
    let (rabbit, process) = running_rabbit().await;
    let partner = Uuid::new("00000000000000000000000000000000000000aa");
    let (first, topology) = connected(&rabbit);
    first.open_partner(&partner).await.unwrap();
    rabbit.still(&topology.partner_queue(&partner), true).await;

    let (second, _) = connected(&rabbit);
    let source = Source::Partner(partner.clone());
    second.open_partner(&partner).await.unwrap();
    let before = rabbit.channels().await;
    for answer in join_all((0..20).map(|_| second.consume(source.clone()))).await {
        assert!(
            matches!(&answer, Err(BrokerError::Refused(why)) if why.contains("does not answer")),
            "{answer:?}"
        );
    }
    // The others' channels were closed again.
    until("one request waits", async || (rabbit.channels().await == before + 1).then_some(())).await;

    rabbit.still(&topology.partner_queue(&partner), false).await;
    let consumer = until("it answers again", async || second.consume(source.clone()).await.ok()).await;
    drop(consumer);
    until("nothing is left", async || (rabbit.channels().await == before).then_some(())).await;
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
