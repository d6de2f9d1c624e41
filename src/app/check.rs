//! The usual mistakes of whoever runs a daemon, each with its remedy.

use std::{io::ErrorKind, net::SocketAddr, path::Path, time::Duration};

use reqwest::{Client, header::WWW_AUTHENTICATE};
use tokio::net::TcpListener;

use super::{serve::Certificate, token::token_path};
use crate::{config::Config, flow::Options, http::INSTANCE, ports::StoreError};

/// How long an address has to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How far the database's clock may be from this machine's.
const SKEW: Duration = Duration::from_secs(30);

/// What was found at one place, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is as it should be.
    Fine(String),
    /// It works, and may not be meant so.
    Look(String),
    /// It does not work.
    Wrong(String),
}

/// Looks at everything that a configuration names.
pub async fn check(config: &Config, options: &Options) -> Vec<(&'static str, Found)> {
    let mut found = vec![
        ("store", store(options).await),
        ("broker", broker(options).await),
        ("http.listen", listener(config, config.http.listen).await),
        ("admin.listen", listener(config, config.admin.listen).await),
        ("admin.token", token(config)),
    ];
    if !config.http.certificate.is_empty() {
        found.push(("certificate", certificate(config)));
    }
    found.push(("sharing_url", sharing_url(config).await));
    found
}

/// Whether an address can be bound, or the daemon has it.
async fn listener(config: &Config, address: SocketAddr) -> Found {
    match TcpListener::bind(address).await {
        Ok(_) => Found::Fine("ok".to_owned()),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let admin = format!("http://{}/healthz", config.admin.listen);
            let client = Client::builder().timeout(PATIENCE).no_proxy().build();
            let answer = match client {
                Ok(client) => client.get(admin).send().await,
                Err(error) => Err(error),
            };
            if answer.is_ok_and(|answer| answer.headers().contains_key(INSTANCE)) {
                return Found::Fine("ok: the daemon has it".to_owned());
            }
            Found::Wrong(format!("{address} is somebody else's already: end that, or give another"))
        }
        Err(error) => {
            Found::Wrong(format!("{address} cannot be bound: {error}; is it an address of this machine?"))
        }
    }
}

/// Whether the admins' token can be read, or made.
fn token(config: &Config) -> Found {
    if !config.admin.token.is_empty() {
        return Found::Fine("ok".to_owned());
    }
    let path = token_path(config);
    match std::fs::read_to_string(&path) {
        Ok(_) => Found::Fine(format!("ok: it is in {}", path.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            match can_keep_in(folder.unwrap_or(Path::new("."))) {
                Ok(()) => Found::Fine(format!("ok: the first start makes it, in {}", path.display())),
                Err(error) => Found::Wrong(format!(
                    "it cannot be kept in {}: {error}; give admin.token",
                    path.display()
                )),
            }
        }
        Err(error) => {
            Found::Wrong(format!("{} cannot be read: {error}; is this the daemon's user?", path.display()))
        }
    }
}

/// Whether a file can be made in a folder.
fn can_keep_in(folder: &Path) -> std::io::Result<()> {
    let path = folder.join(format!(".crossdesk-check-{}", std::process::id()));
    std::fs::File::create_new(&path)?;
    std::fs::remove_file(path)
}

fn certificate(config: &Config) -> Found {
    super::install_tls();
    match Certificate::load(&config.http.certificate, &config.http.private_key) {
        Ok(_) => Found::Fine("ok".to_owned()),
        Err(error) => Found::Wrong(format!("{error:#}")),
    }
}

/// Whether `store.key` opens the keys of agreements.
async fn keys(options: &Options) -> Result<(), StoreError> {
    let store = &options.store;
    store.attach().await?;
    for agreement in store.agreements().await? {
        store.access_keys(&agreement.uuid).await?;
    }
    Ok(())
}

async fn store(options: &Options) -> Found {
    if let Err(error) = options.store.ping().await {
        return Found::Wrong(error.to_string());
    }
    let tables = match options.store.tables().await {
        Ok(tables) => tables,
        Err(error) => return Found::Wrong(error.to_string()),
    };
    if tables.unknown > 0 {
        return Found::Look(format!(
            "a newer version has brought its tables {} step(s) further than this one knows: it works on them; upgrade this one too",
            tables.unknown
        ));
    }
    if tables.empty {
        return Found::Fine("ok, and empty: the first start makes its tables".to_owned());
    }
    if !tables.missing.is_empty() {
        return Found::Look(format!(
            "its tables are an older version's: the next start of the daemon brings them up to date ({}); make a backup before it",
            tables.missing.join(", ")
        ));
    }
    if let Err(error) = keys(options).await {
        return Found::Wrong(error.to_string());
    }
    let Ok(Some(theirs)) = options.store.clock().await else { return Found::Fine("ok".to_owned()) };
    let ours = options.clock.now();
    let apart = ours.since(theirs).max(theirs.since(ours));
    if apart > SKEW {
        return Found::Look(format!(
            "the database's clock is {} s from this machine's: set both by NTP; daemons that share it judge time-outs by their own",
            apart.as_secs()
        ));
    }
    Found::Fine("ok".to_owned())
}

async fn broker(options: &Options) -> Found {
    match options.broker.ping().await {
        Ok(()) => Found::Fine("ok".to_owned()),
        Err(error) => {
            let said = error.to_string();
            let remedy = if said.contains("ACCESS_REFUSED") || said.contains("ACCESS-REFUSED") {
                "; is the password right? Otherwise give its user configure, write and read on crossdesk.* and helpdesk.events, and write on amq.default \
                 (deploy/rabbitmq/definitions.json)"
            } else if said.contains("NOT_ALLOWED") || said.contains("NOT-ALLOWED") {
                "; is there such a vhost, and may this user enter it? rabbitmqctl list_permissions -p VHOST"
            } else {
                ""
            };
            Found::Wrong(format!("{said}{remedy}"))
        }
    }
}

/// Whether the address that partners are given leads to this daemon.
async fn sharing_url(config: &Config) -> Found {
    let url = config.desk.sharing_url.trim_end_matches('/');
    let client = match Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).build()
    {
        Ok(client) => client,
        Err(error) => return Found::Look(error.to_string()),
    };
    // Nobody has an agreement of that name; the answer tells who answers.
    let answer = match client.get(format!("{url}/agreements/crossdesk-check")).send().await {
        Ok(answer) => answer,
        Err(error) => {
            let why = if error.is_timeout() { "no answer in time" } else { "no connection" };
            let remedy = "does the daemon run, and does the proxy in front lead to http.listen?";
            return Found::Look(format!("{url} cannot be reached from here ({why}): {remedy}"));
        }
    };
    let speaks = answer.headers().get(WWW_AUTHENTICATE).is_some_and(|value| value == "X-Ticket-Sharing");
    if !speaks {
        let status = answer.status().as_u16();
        return Found::Wrong(format!(
            "{url} is somebody else: it answers {status} and does not speak the protocol; give the address that leads to http.listen, \
             with the path that ends in /sharing"
        ));
    }
    let theirs = answer.headers().get(INSTANCE).cloned();
    let admin = format!("http://{}/healthz", config.admin.listen);
    let ours = match client.get(admin).send().await {
        Ok(answer) => answer.headers().get(INSTANCE).cloned(),
        Err(_) => {
            return Found::Look(format!("{url} answers; the daemon at {} does not", config.admin.listen));
        }
    };
    if ours != theirs {
        return Found::Look(format!(
            "{url} leads to another daemon than {}: fine where several share a database, wrong otherwise",
            config.admin.listen
        ));
    }
    let local = url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    if local.is_some_and(|host| host == "localhost" || host.starts_with("127.")) {
        return Found::Look("ok, from this machine: no partner elsewhere can reach it".to_owned());
    }
    Found::Fine("ok".to_owned())
}
