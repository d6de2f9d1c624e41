//! The bare loops: what any consumer has to do, and nothing else.

use std::process::Command;

use crossdesk::{
    domain::{EventBody, Namespace, Property, TicketUpdate},
    wire,
};
use futures_util::{FutureExt, StreamExt};
use lapin::{BasicProperties, Connection, ConnectionProperties, options::*, types::FieldTable};

use crate::{
    broker::{BARE, BARE_EXCHANGE, Rig, bare_queues},
    daemon::end,
    events::{self, PARTNERS, agreement},
    measured::{Measured, Usage},
};

/// How many make a batch.
const BATCH: usize = 1000;
/// How many may be unacknowledged.
const PREFETCH: u16 = 4000;

/// Runs a loop in a process of its own, over a queue that is filled first.
pub(crate) async fn measure(rig: &Rig, name: &str, first: usize, count: usize) -> Measured {
    rig.purge(&bare_queues()).await;
    rig.preload(BARE, (first..first + count).map(|number| events::changed(number, ""))).await;
    let before = rig.usage();
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new(program).args(["as", name, &rig.url, &count.to_string()]).spawn().unwrap();
    let rate = if name == "consume" {
        rig.rate_until_empty(BARE, count).await
    } else {
        rig.rate_until(&bare_queues(), count).await
    };
    let (usage, after) = (Usage::of(child.id()), rig.usage());
    end(&mut child);
    rig.purge(&[BARE.to_owned()]).await;
    usage.measured(rate, count, &before, &after)
}

/// The loop itself.
pub(crate) fn run(name: &str, url: &str, count: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(forward(name, url, count));
    // Looked at, and then ended, by whoever started it.
    loop {
        std::thread::park();
    }
}

async fn forward(name: &str, url: &str, count: usize) {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
    let (consuming, publishing) =
        (connection.create_channel().await.unwrap(), connection.create_channel().await.unwrap());
    consuming.basic_qos(PREFETCH, BasicQosOptions::default()).await.unwrap();
    publishing.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let mut consumer = consuming
        .basic_consume(BARE.into(), "bench".into(), BasicConsumeOptions::default(), FieldTable::default())
        .await
        .unwrap();
    let ours = Namespace::of("bench.example/sharing");
    let keys: Vec<String> = (0..PARTNERS).map(agreement).collect();
    let (sender, mut batches) = tokio::sync::mpsc::unbounded_channel::<(Vec<_>, u64)>();
    let acking = consuming.clone();
    let settling = tokio::spawn(async move {
        while let Some((published, tag)) = batches.recv().await {
            for publish in published {
                let confirm: lapin::PublisherConfirm = publish;
                assert!(confirm.await.unwrap().is_ack());
            }
            acking.basic_ack(tag, BasicAckOptions { multiple: true }).await.unwrap();
        }
    });
    let mut done = 0;
    while done < count {
        let mut next = Some(consumer.next().await.unwrap().unwrap());
        let (mut starting, mut tag) = (Vec::new(), 0);
        while let Some(delivery) = next.take() {
            tag = delivery.delivery_tag;
            done += 1;
            if name != "consume" {
                let (key, body) = match name {
                    "mapping" => map(&delivery.data, &ours, &keys),
                    _ => (keys[done % PARTNERS].clone(), delivery.data),
                };
                let channel = publishing.clone();
                let mut publish = Box::pin(async move {
                    let properties = BasicProperties::default()
                        .with_delivery_mode(2)
                        .with_content_type("application/json".into());
                    let options = BasicPublishOptions::default();
                    channel
                        .basic_publish(BARE_EXCHANGE.into(), key.as_str().into(), options, &body, properties)
                        .await
                });
                // Polled once, its frames are queued; waiting for each would wait for the socket each time.
                let begun = (&mut publish).now_or_never();
                starting.push((publish, begun));
            }
            if starting.len() < BATCH && done < count {
                next = consumer.next().now_or_never().map(|next| next.unwrap().unwrap());
            }
        }
        let mut published = Vec::with_capacity(starting.len());
        for (publish, begun) in starting {
            published.push(match begun {
                Some(done) => done.unwrap(),
                None => publish.await.unwrap(),
            });
        }
        sender.send((published, tag)).unwrap();
        tokio::task::yield_now().await;
    }
    drop(sender);
    settling.await.unwrap();
}

/// An event as its partner gets it, without any state.
fn map(body: &[u8], ours: &Namespace, keys: &[String]) -> (String, Vec<u8>) {
    let event = wire::desk::decode(body, ours).unwrap();
    let EventBody::Changed(ticket) = event.body else { panic!("an event of another type") };
    let mut update = TicketUpdate::new(ours.ticket(&ticket.id));
    update.properties = ticket.properties;
    update.properties.retain(|property, _| match property {
        Property::Field(title) => !["Cost", "Secret note", "VIP"].contains(&title.as_str()),
        other => *other != Property::Priority,
    });
    update.tags = ticket.tags;
    update.actor = ticket.actor;
    update.comments = ticket.comments.into_iter().map(|(comment, _)| comment.into()).collect();
    let number: usize = ticket.id.as_str().parse().unwrap();
    (keys[number % PARTNERS].clone(), wire::nhd::ticket(&update).into_bytes())
}
