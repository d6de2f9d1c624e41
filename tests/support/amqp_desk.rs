//! A help desk on RabbitMQ: publishes its events, does what its command queue says.

use std::sync::{Arc, LazyLock, Mutex};

use crossdesk::demo::HelpDesk;
use futures_util::StreamExt;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, options::*, types::FieldTable};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// What `crossdesk schema command` says that commands are.
static COMMANDS: LazyLock<jsonschema::Validator> =
    LazyLock::new(|| jsonschema::validator_for(&crossdesk::wire::desk_command::schema()).unwrap());

/// A help desk on RabbitMQ.
#[derive(Clone)]
pub(crate) struct AmqpDesk {
    pub(crate) desk: Arc<Mutex<HelpDesk>>,
    channel: Channel,
    exchange: String,
    connection: Arc<Connection>,
}

impl AmqpDesk {
    /// A desk whose commands are done until it is stopped.
    pub(crate) async fn start(
        url: &str,
        exchange: &str,
        queue: &str,
        desk: Arc<Mutex<HelpDesk>>,
        stop: CancellationToken,
    ) -> Self {
        let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
        let (publish, consume) =
            (connection.create_channel().await.unwrap(), connection.create_channel().await.unwrap());
        publish.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let this =
            Self { desk, channel: publish, exchange: exchange.to_owned(), connection: Arc::new(connection) };
        let declared = super::until("the daemon declares the command queue", async || {
            let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
            let channel = this.connection.create_channel().await.unwrap();
            channel.queue_declare(queue.into(), options, FieldTable::default()).await.ok()
        });
        declared.await;
        let mut commands = consume
            .basic_consume(queue.into(), "desk".into(), BasicConsumeOptions::default(), FieldTable::default())
            .await
            .unwrap();
        let desk = this.clone();
        tokio::spawn(async move {
            let _channel = consume;
            loop {
                let delivery = tokio::select! {
                    delivery = commands.next() => delivery,
                    () = stop.cancelled() => return,
                };
                let Some(Ok(delivery)) = delivery else { return };
                let command: Value = serde_json::from_slice(&delivery.data).unwrap();
                assert!(COMMANDS.is_valid(&command), "not as its schema says: {command:#}");
                let events = desk.desk.lock().unwrap().obey(&command);
                for event in events {
                    desk.tell(&event).await;
                }
                delivery.ack(BasicAckOptions::default()).await.ok();
            }
        });
        this
    }

    /// Publishes an event.
    pub(crate) async fn tell(&self, event: &Value) {
        self.publish(event.to_string().as_bytes()).await;
    }

    /// Publishes bytes as an event.
    pub(crate) async fn publish(&self, body: &[u8]) {
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type("application/cloudevents+json".into());
        let confirm = self
            .channel
            .basic_publish(
                self.exchange.as_str().into(),
                "ticket".into(),
                BasicPublishOptions::default(),
                body,
                properties,
            )
            .await
            .unwrap();
        assert!(confirm.await.unwrap().is_ack());
    }
}
