//! Serving a listener to a world that may be slow, many or hostile: limits on connections, headers and time, and HTTPS where
//! there is a certificate.

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow};
use axum::Router;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// What a listener lets in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doorway {
    /// Connections at once.
    pub(super) connections: usize,
    /// Bytes of a request's headers.
    pub(super) headers: usize,
    /// How long they may take, and how long a connection may sit idle.
    pub(super) header_timeout: Duration,
}

/// A certificate and its key, read from files, again whenever that is wanted.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    loaded: Arc<RwLock<Arc<ServerConfig>>>,
}

impl Certificate {
    /// Reads the files.
    ///
    /// # Errors
    /// Which file cannot be used, and why.
    pub(super) fn load(chain: &str, key: &str) -> Result<Self> {
        let (chain, key) = (PathBuf::from(chain), PathBuf::from(key));
        let loaded = Arc::new(RwLock::new(Arc::new(read(&chain, &key)?)));
        Ok(Self { chain, key, loaded })
    }

    /// Reads the files again; what cannot be used changes nothing.
    pub(super) fn reload(&self) {
        match read(&self.chain, &self.key) {
            Ok(config) => {
                *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
                tracing::info!(file = %self.chain.display(), "the certificate was read again");
            }
            Err(error) => tracing::error!(error = format!("{error:#}"), "the certificate in use stays"),
        }
    }

    fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.loaded.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn read(chain: &PathBuf, key: &PathBuf) -> Result<ServerConfig> {
    let certificates = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| anyhow!("http.certificate: {}: {error}", chain.display()))?;
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| anyhow!("http.private_key: {}: {error}", key.display()))?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(certificates, private)
        .context("http.certificate and http.private_key")?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Serves until it is stopped; then takes nothing new, and finishes what was asked.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    doorway: Doorway,
    certificate: Option<Certificate>,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(doorway.connections));
    let graceful = GracefulShutdown::new();
    loop {
        let place = tokio::select! {
            place = places.clone().acquire_owned() => place,
            () = stop.cancelled() => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file handles, mostly: others finish and give theirs back.
                tracing::warn!(error = %error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (router, acceptor) = (router.clone(), certificate.as_ref().map(Certificate::acceptor));
        let watcher = graceful.watcher();
        tokio::spawn(async move {
            let _place = place;
            // Small answers are not to wait for a full packet.
            let _as_it_is = stream.set_nodelay(true);
            match acceptor {
                None => answer(stream, router, doorway, watcher).await,
                Some(acceptor) => {
                    let shaken: std::io::Result<tokio_rustls::server::TlsStream<TcpStream>> =
                        tokio::time::timeout(doorway.header_timeout, acceptor.accept(stream))
                            .await
                            .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
                    match shaken {
                        Ok(stream) => answer(stream, router, doorway, watcher).await,
                        Err(error) => tracing::debug!(error = %error, "no TLS came about"),
                    }
                }
            }
        });
    }
    graceful.shutdown().await;
}

/// Answers the requests of one connection.
async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    doorway: Doorway,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(doorway.header_timeout)
        .max_buf_size(doorway.headers)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(error = %error, "a connection ended early");
    }
}
