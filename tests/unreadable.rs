//! A message on RabbitMQ that no AMQP library can read: it stops nobody else's, and it is said what to do about it.

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Pair, TestDaemon, until};

/// A client that says what it likes: lapin's texts are always UTF-8.
struct Raw(TcpStream);

fn short(text: &[u8]) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()], text].concat()
}

impl Raw {
    async fn open(url: &str) -> Self {
        let url = url::Url::parse(url).unwrap();
        let address = (url.host_str().unwrap().to_owned(), url.port().unwrap_or(5672));
        let vhost = url.path().trim_start_matches('/').replace("%2f", "/").replace("%2F", "/");
        let vhost = if vhost.is_empty() { "/".to_owned() } else { vhost };
        let mut this = Self(TcpStream::connect(address).await.unwrap());
        this.0.write_all(b"AMQP\0\0\x09\x01").await.unwrap();
        let secret = format!("\0{}\0{}", url.username(), url.password().unwrap_or_default());
        let length = u32::try_from(secret.len()).unwrap().to_be_bytes();
        let plain =
            [&[0, 0, 0, 0][..], &short(b"PLAIN"), &length, secret.as_bytes(), &short(b"en_US")].concat();
        this.heard().await;
        this.method(0, 10, 11, &plain).await;
        this.heard().await;
        this.method(0, 10, 31, &[0, 10, 0, 2, 0, 0, 0, 0]).await;
        this.method(0, 10, 40, &[&short(vhost.as_bytes())[..], &[0, 0]].concat()).await;
        this.heard().await;
        this.method(1, 20, 10, &[0]).await;
        this.heard().await;
        this
    }

    /// Publishes to a queue; the id is whatever bytes it is.
    async fn publish(&mut self, queue: &str, id: &[u8]) {
        self.method(1, 60, 40, &[&[0, 0, 0][..], &short(queue.as_bytes()), &[0]].concat()).await;
        let only_an_id = [0x00, 0x80];
        let header = [&[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2][..], &only_an_id, &short(id)].concat();
        self.frame(2, 1, &header).await;
        self.frame(3, 1, b"{}").await;
    }

    async fn method(&mut self, channel: u16, class: u8, method: u8, arguments: &[u8]) {
        self.frame(1, channel, &[&[0, class, 0, method][..], arguments].concat()).await;
    }

    async fn frame(&mut self, kind: u8, channel: u16, payload: &[u8]) {
        let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let frame = [&[kind][..], &channel.to_be_bytes(), &size, payload, &[0xce]].concat();
        self.0.write_all(&frame).await.unwrap();
    }

    async fn heard(&mut self) {
        let mut head = [0; 7];
        self.0.read_exact(&mut head).await.unwrap();
        let size = u32::from_be_bytes(head[3..].try_into().unwrap()) as usize;
        self.0.read_exact(&mut vec![0; size + 1]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_cannot_be_read_is_told_keeps_no_other_queue_and_can_be_taken_out() {
    let daemon = TestDaemon::with("Acme", Pair::SQLITE_AMQP, Default::default(), |config| {
        config.broker.queue_type = crossdesk::broker::QueueType::Quorum;
    })
    .await;
    let (partner, uuid) = daemon.agreed().await;
    let broker = &daemon.config.broker;
    let mut sender = Raw::open(&broker.url).await;
    sender.publish(&broker.inbound_queue, b"caf\xe9").await;
    let ready = format!("http://{}/readyz", daemon.config.admin.listen);
    let said = async || {
        let answer = reqwest::get(&ready).await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        (status, body["broker"].as_str().unwrap().to_owned())
    };
    let told = until("it is told", async || {
        Some(said().await).filter(|(_, broker)| broker.contains("cannot be read"))
    })
    .await;
    assert!(told.0 == 200 && told.1.contains("take-first.py"), "{told:?}");
    // The desk's events come through all the same.
    for n in 0..20 {
        let id = daemon.open_and_share(&uuid, &format!("Ticket {n}")).await;
        assert!(!id.is_empty());
    }
    until("all are out", async || (partner.tickets("POST").len() == 20).then_some(())).await;
    // What is told to do about it works.
    let folder = tempfile::tempdir().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/rabbitmq/take-first.py");
    let mut take = tokio::process::Command::new("/usr/bin/python3");
    take.args([script, &broker.inbound_queue]).env("AMQP_URL", &broker.url).current_dir(folder.path());
    let done = take.output().await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let kept = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap();
    assert!(std::fs::read(kept.path()).unwrap().ends_with(b"{}"));
    let mut bridge = crate::bridges::Bridge::join(&daemon).await;
    let (uuid, token) = (bridge.uuid.clone(), bridge.token.clone());
    assert_eq!(bridge.send("agreement.update", &uuid, &token, "{\"status\":\"accepted\"}").await.0, "200");
}
