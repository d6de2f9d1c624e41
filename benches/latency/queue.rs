//! From the desk's publish to whoever takes from the partner queues.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crossdesk::domain::Namespace;
use futures_util::StreamExt;
use lapin::{BasicProperties, Connection, ConnectionProperties, options::*, types::FieldTable};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::{broker::Rig, daemon::Daemon, events, support::servers::running_rabbit};

/// How long the last message may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Events at a steady rate; the lags of the messages that came of them, in milliseconds.
pub(crate) async fn measure(rate: u64, seconds: u64) -> Vec<f64> {
    let count = usize::try_from(rate * seconds).unwrap();
    let (rabbit, running) = running_rabbit().await;
    let rig = Rig::new(&rabbit.url, running.pid, "classic").await;
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("bench.db").display());
    let daemon = Daemon::new(folder.path(), "latency", &store, &rabbit.url, "classic");
    daemon.share_tickets(&rig).await;
    let mut child = daemon.start();
    daemon.until_ready().await;

    let connection = Connection::connect(&rabbit.url, ConnectionProperties::default()).await.unwrap();
    let (sender, mut arrived) = mpsc::unbounded_channel();
    for queue in daemon.queues() {
        let channel = connection.create_channel().await.unwrap();
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let consumer = channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await;
        let (mut consumer, sender) = (consumer.unwrap(), sender.clone());
        tokio::spawn(async move {
            while let Some(Ok(delivery)) = consumer.next().await {
                sender.send((Instant::now(), delivery.data)).unwrap();
            }
        });
    }

    let desk = connection.create_channel().await.unwrap();
    let begun = Instant::now();
    let mut sent = Vec::with_capacity(count);
    for number in 0..count {
        let due = begun + Duration::from_nanos(1_000_000_000 / rate * u64::try_from(number).unwrap());
        tokio::time::sleep_until(due.into()).await;
        let event = events::changed(number, "");
        let properties = BasicProperties::default().with_delivery_mode(2);
        sent.push(Instant::now());
        let options = BasicPublishOptions::default();
        desk.basic_publish("".into(), daemon.events.as_str().into(), options, event.as_bytes(), properties)
            .await
            .unwrap();
    }

    // A message tells by the uuid of its comment of which event it comes.
    let ours = Namespace::of(&format!("127.0.0.1:{}/sharing", daemon.partners));
    let numbers: HashMap<String, usize> =
        (0..count).map(|number| (ours.comment(&format!("c{number}")).to_string(), number)).collect();
    let mut lags = Vec::with_capacity(count);
    while lags.len() < count {
        let next = tokio::time::timeout(PATIENCE, arrived.recv()).await;
        let (at, body) = next.expect("all arrive within a minute").unwrap();
        let message: Value = serde_json::from_slice(&body).unwrap();
        for comment in message["comments"].as_array().unwrap() {
            let number = numbers[comment["uuid"].as_str().unwrap()];
            lags.push((at - sent[number]).as_secs_f64() * 1000.0);
        }
    }
    crate::daemon::end(&mut child);
    lags.sort_by(f64::total_cmp);
    lags
}
