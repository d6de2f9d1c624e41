//! The broker and the database over TLS, signed by an authority that only a file names.

use std::{path::Path, process::Command};

use crate::support::{Pair, TestDaemon, rabbit::RabbitMq, servers::Postgres, until};

/// An authority, and a certificate of 127.0.0.1 that it signed: `ca.pem`, `cert.pem`, `key.pem`.
fn certificates(folder: &Path) {
    let openssl = |args: &[&str]| {
        let made = Command::new("openssl").args(args).current_dir(folder).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    let new = ["-newkey", "rsa:2048", "-nodes", "-days", "2"];
    openssl(
        &[&["req", "-x509"][..], &new, &["-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem"]]
            .concat(),
    );
    openssl(
        &[&["req"][..], &new, &["-subj", "/CN=server", "-keyout", "key.pem", "-out", "csr.pem"]].concat(),
    );
    std::fs::write(folder.join("ext"), "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n").unwrap();
    openssl(&[
        "x509",
        "-req",
        "-in",
        "csr.pem",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
        "ext",
        "-out",
        "cert.pem",
    ]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rabbitmq_and_postgresql_are_spoken_to_over_tls_and_nobody_else_in_their_name() {
    let (rabbit, postgres) = (RabbitMq::new(), Postgres::new());
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let port = rabbit.speak_tls(folder.path());
    postgres.speak_tls(folder.path());
    let (_rabbit, _postgres) = (rabbit.start(), postgres.start());
    let ca = folder.path().join("ca.pem").to_str().unwrap().to_owned();
    let amqps = format!("amqps://guest:guest@127.0.0.1:{port}/%2f");
    let store = format!("{}?sslmode=verify-full&sslrootcert={ca}", postgres.url);
    let mut daemon = TestDaemon::start("Acme", Pair::SQLITE_EMBEDDED).await;
    daemon.stop().await;
    daemon.config.broker.url = amqps;
    daemon.config.broker.ca_file = ca;
    daemon.config.store.url = store;
    daemon.resume_without_waiting().await;
    until("both are reached", async || {
        let ready = reqwest::get(format!("http://{}/readyz", daemon.config.admin.listen)).await.ok()?;
        ready.status().is_success().then_some(())
    })
    .await;
    assert_eq!(daemon.get("agreements").await, serde_json::json!([]));
    // Without the authority nobody is believed.
    daemon.stop().await;
    daemon.config.broker.ca_file.clear();
    daemon.resume_without_waiting().await;
    until("it says why it is not ready", async || {
        let ready = reqwest::get(format!("http://{}/readyz", daemon.config.admin.listen)).await.ok()?;
        (ready.status() == 503 && ready.text().await.ok()?.contains("certificate")).then_some(())
    })
    .await;
    daemon.stop().await;
}
