//! Wiring and life of a daemon: everything is made here, from the configuration, and ends here.

mod check;
mod declared;
mod parts;
mod reload;
mod replay;
mod serve;
mod token;
mod traces;

pub use check::{Found, check};

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, anyhow};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use declared::Declared;
pub use parts::options;
use parts::{mapping, post};
pub use replay::{Altered, How, Rehearsed, Replayed, replay};
use serve::{Certificate, Doorway};
pub use token::{admin_token, token_path};

use crate::{
    config::Config,
    domain::AccessKey,
    flow::{Crew, Hooks, Inbound, InboundQueue, Intake, Options, Pipeline, Reconcile, Relay, Roster, Sweep},
    http,
    retry::Policy,
    store, telemetry,
};

/// How long a daemon that is told to stop may take to finish what it holds.
const DRAIN: Duration = Duration::from_secs(8);
/// How long a daemon takes to say that it leaves.
const LEAVE: Duration = Duration::from_secs(1);
/// How often it is said what the logs left out.
const LEFT_OUT: Duration = Duration::from_secs(10);

/// A running daemon.
#[derive(Debug)]
pub struct Daemon {
    /// Where partners reach it.
    pub partners: SocketAddr,
    /// Where admins reach it.
    pub admins: SocketAddr,
    /// The admins' token.
    pub token: AccessKey,
    certificate: Option<Certificate>,
    stop: CancellationToken,
    tasks: TaskTracker,
    writer: JoinHandle<()>,
    store: Arc<dyn crate::ports::Store>,
    broker: Arc<dyn crate::ports::Broker>,
    /// What a reload works with; gone when the daemon stops, since the writer ends with the last pipeline.
    working: Option<(Options, Pipeline)>,
    config: Config,
}

impl Daemon {
    /// Starts a daemon. What cannot be reached yet is retried in the background. With `prune`, declared agreements that the
    /// configuration no longer has are ended.
    ///
    /// # Errors
    /// An address that cannot be bound, or a configuration that cannot be used.
    pub async fn start(config: &Config, prune: bool) -> Result<Self> {
        let bind = async |address: SocketAddr, key: &str| {
            TcpListener::bind(address)
                .await
                .map_err(|error| anyhow!("{key} {address} cannot be bound: {error}"))
        };
        let partners = bind(config.http.listen, "http.listen").await?;
        let admins = bind(config.admin.listen, "admin.listen").await?;
        Self::start_on(config, prune, partners, admins)
    }

    /// Starts a daemon on listeners that are bound already.
    ///
    /// # Errors
    /// A configuration that cannot be used.
    pub fn start_on(
        config: &Config,
        prune: bool,
        partners: TcpListener,
        admins: TcpListener,
    ) -> Result<Self> {
        install_tls();
        let token = admin_token(config)?;
        traces::start(config)?;
        let (chain, key) = (&config.http.certificate, &config.http.private_key);
        let certificate = if chain.is_empty() { None } else { Some(Certificate::load(chain, key)?) };
        let mut options = options(config)?;
        if config.store.key.is_empty() {
            tracing::warn!(
                "access keys are kept unencrypted: give store.key (or store.key_file) to encrypt them"
            );
        }
        let post = post(config)?.map(|(postbox, post)| {
            options.post = postbox;
            post
        });
        let (pipeline, writer) = Pipeline::new(options.clone());
        let stop = CancellationToken::new();
        // One for HTTP and queue: what is limited is limited together.
        let inbound = Inbound::new(options.clone(), pipeline.clone());
        let mut instance = [0; 8];
        getrandom::fill(&mut instance)
            .map_err(|error| anyhow!("the system gives no random numbers: {error}"))?;
        let context = Arc::new(http::Context {
            instance: hex::encode(instance),
            options: options.clone(),
            pipeline: pipeline.clone(),
            inbound: inbound.clone(),
            hooks: Hooks::new(options.clone(), pipeline.clone()),
            intake: Intake::new(options.clone(), pipeline.clone()),
            token: token.clone(),
            body_timeout: config.limits.body_timeout(),
            large_bodies: http::LargeBodies::default(),
            sessions: http::Sessions::default(),
            works: http::Works::default(),
            stop: stop.clone(),
            recorder: telemetry::install().map_err(|error| anyhow!(error))?,
        });
        let daemon = Self {
            partners: partners.local_addr().context("the partners' listener has no address")?,
            admins: admins.local_addr().context("the admins' listener has no address")?,
            token,
            certificate,
            stop,
            tasks: TaskTracker::new(),
            writer: watched(writer.run()),
            store: options.store.clone(),
            broker: options.broker.clone(),
            working: Some((options.clone(), pipeline.clone())),
            config: config.clone(),
        };
        let doorway = Doorway {
            connections: config.limits.connections,
            headers: config.limits.headers,
            header_timeout: config.limits.header_timeout(),
        };
        let routers = [http::partners(context.clone()), http::admins(context)];
        let doors = [daemon.certificate.clone(), None];
        for ((listener, router), certificate) in [partners, admins].into_iter().zip(routers).zip(doors) {
            daemon.tasks.spawn(serve::serve(listener, router, doorway, certificate, daemon.stop.clone()));
        }
        if let Some(post) = post {
            daemon.tasks.spawn(post.run(daemon.stop.clone()));
        }
        daemon.tasks.spawn(tell_left_out(daemon.stop.clone()));
        let declared = Declared::of(config, options.clock.now(), prune);
        let work = watched(work(options, pipeline, inbound, declared, daemon.stop.clone()));
        daemon.tasks.spawn(async move { drop(work.await) });
        tracing::info!(partners = %daemon.partners, admins = %daemon.admins, "crossdesk is running");
        Ok(daemon)
    }

    /// Takes up a configuration that has changed: the desk's fields, rules, declared agreements, the log's level, the
    /// certificate. What else has changed is named in the log, and counts after the next start.
    pub async fn reload(&mut self, config: &Config) {
        if let Some(certificate) = &self.certificate {
            certificate.reload();
        }
        let Some((options, pipeline)) = &self.working else { return };
        let taken_up = reload::taken_up(&self.config, config);
        let changeable = match mapping(&taken_up).changeable() {
            Ok(changeable) => changeable,
            Err(error) => return tracing::error!(error = %error, "the configuration in use stays"),
        };
        telemetry::change_logs(&config.log.level, config.log.per_minute);
        options.live.set(changeable);
        if options.started.load(std::sync::atomic::Ordering::Acquire) {
            Declared::of(config, options.clock.now(), false).apply(options, pipeline).await;
        }
        let left = reload::needs_a_start(&self.config, config);
        if left.is_empty() {
            tracing::info!("the configuration was read again");
        } else {
            let keys = left.join(", ");
            tracing::warn!(keys, "the configuration was read again; these keys count after the next start");
        }
        self.config = taken_up;
    }

    /// Stops: takes nothing more in, finishes what it holds, within ten seconds. Returns whether all was finished.
    pub async fn stop(mut self) -> bool {
        tracing::info!("stopping: what is held is finished first");
        self.stop.cancel();
        self.working = None;
        self.tasks.close();
        let drained = tokio::time::timeout(DRAIN, async {
            self.tasks.wait().await;
            // Every pipeline is gone with its task, so the writer ends when all is written.
            self.writer.await
        });
        let finished = drained.await.is_ok();
        if !finished {
            tracing::warn!("not all was finished in time; the rest is taken up at the next start");
        }
        self.broker.flush().await;
        if self.store.is_shared() {
            // The others need not wait to see that this one is gone. What it has still to publish is theirs.
            let _away = tokio::time::timeout(LEAVE, self.store.leave()).await;
        }
        traces::finish().await;
        telemetry::tell_left_out(true);
        tracing::info!("stopped");
        finished
    }
}

/// Copies the store of a configuration, while a daemon may be working on it.
///
/// # Errors
/// Why not, and what to do instead.
pub async fn backup(config: &Config, to: &std::path::Path) -> Result<()> {
    store::backup(&config.store.url, to).await.map_err(|why| anyhow!("{why}"))
}

/// One TLS provider for the whole process; the second daemon of a process finds it there.
pub fn install_tls() {
    let _installed_already = rustls::crypto::ring::default_provider().install_default();
}

/// Runs a part of the daemon. Should it fail, the process ends: half a daemon would look alive and do nothing, and whoever runs it
/// starts it again.
fn watched(part: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    let part = tokio::spawn(part);
    tokio::spawn(async move {
        if let Err(error) = part.await
            && error.is_panic()
        {
            tracing::error!(error = %error, "a part of the daemon failed; it ends");
            std::process::exit(1);
        }
    })
}

/// Says from time to time what the logs left out.
async fn tell_left_out(stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(LEFT_OUT)).await.is_some() {
        telemetry::tell_left_out(false);
    }
}

/// Brings the store up, then runs everything that works on it until it is told to stop.
async fn work(
    options: Options,
    pipeline: Pipeline,
    inbound: Inbound,
    declared: Declared,
    stop: CancellationToken,
) {
    let mut waits = Policy::RECONNECT.waits();
    while let Err(error) = options.store.prepare().await {
        options.outages.store.failed(&error);
        tokio::select! {
            () = tokio::time::sleep(waits.next_wait()) => {}
            () = stop.cancelled() => return,
        }
    }
    options.outages.store.works();
    declared.apply(&options, &pipeline).await;
    options.started.store(true, std::sync::atomic::Ordering::Release);
    let (crew, own) = Crew::new(options.clone(), pipeline.clone());
    tokio::join!(
        crew.run(stop.clone()),
        Relay::new(options.clone(), pipeline.clone()).run(stop.clone()),
        Intake::new(options.clone(), pipeline.clone()).run(own.sources, stop.clone()),
        InboundQueue::new(options.clone(), pipeline.clone(), inbound).run(stop.clone()),
        Roster::new(options.clone(), pipeline.clone()).run(own.standing, own.finishing, stop.clone()),
        Reconcile::new(options.clone(), pipeline.clone()).run(stop.clone()),
        Sweep::new(options.clone(), pipeline.clone()).run(stop.clone()),
    );
}
