//! Real servers: those that the environment names, containers where a Docker engine answers, or private ones from the
//! installed binaries, on free ports, in a temporary folder. They end with this process.

use std::{
    io::Write,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU16, AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use testcontainers::{GenericImage, ImageExt, core::IntoContainerPort, core::WaitFor, runners::AsyncRunner};

use super::rabbit::RabbitMq;

/// How long a server may take to start.
const LIMIT: Duration = Duration::from_secs(120);

/// A port that is free now.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    crossdesk::app::install_tls(); // every test that speaks HTTP comes by here or by a daemon
    // Below those that the system gives out by itself: what asks for any port takes none of these before its owner has it.
    let first = 20_000 + u16::try_from(std::process::id() % 50).unwrap() * 200;
    let free = || first + NEXT.fetch_add(1, Ordering::Relaxed) % 2_000;
    let mut tried = std::iter::repeat_with(free);
    tried.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

/// Waits, on a thread that may, until something is so.
fn await_state(what: &str, look: impl Fn() -> bool) {
    assert!(came_true(LIMIT, look), "this did not come true in {LIMIT:?}: {what}");
}

/// Waits, on a thread that may, until something is so or the time is over; whether it is so.
pub(super) fn came_true(limit: Duration, look: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    loop {
        let so = look();
        if so || begun.elapsed() > limit {
            return so;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn await_port(port: u16, what: &str) {
    await_state(&format!("{what} opens port {port}"), || is_open(port));
}

pub(super) fn is_open(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// A process that ends with this one: the kernel kills it when the thread that started it ends, and that thread never does.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
}

impl Process {
    /// Starts a command; `user` is somebody else to run it as.
    pub(crate) fn start(
        program: &str,
        user: Option<&str>,
        prepare: impl FnOnce(&mut Command) + Send + 'static,
    ) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        if let Some(user) = user {
            command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--init-groups"]);
        }
        command.arg("--").arg(program).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            prepare(&mut command);
            let child = command.spawn().expect("setpriv (util-linux) and the server are installed");
            sender.send(child.id()).unwrap();
            let mut child = child;
            child.wait().ok();
            loop {
                thread::park();
            }
        });
        Self { pid: receiver.recv().unwrap() }
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn kill(&self) {
        self.end("-KILL");
    }

    /// Sends a signal that ends it, and waits until it has.
    pub(crate) fn end(&self, signal: &str) {
        Command::new("kill").args([signal, &self.pid.to_string()]).status().unwrap();
        await_state(&format!("process {} ends", self.pid), || !self.runs());
    }

    /// Whether it is still there.
    pub(super) fn runs(&self) -> bool {
        Path::new(&format!("/proc/{}/stat", self.pid)).exists()
    }
}

/// Takes away what earlier runs have left: their servers ended with them, their folders did not.
fn clear_leftovers() {
    let ours = |name: &str| name.strip_prefix("crossdesk-test-")?.split('-').next()?.parse::<u32>().ok();
    for entry in std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let run = entry.file_name().to_str().and_then(ours);
        if run.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            std::fs::remove_dir_all(entry.path()).ok();
        }
    }
}

pub(super) fn folder(name: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    static CLEARED: OnceLock<()> = OnceLock::new();
    CLEARED.get_or_init(clear_leftovers);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("crossdesk-test-{}-{name}-{number}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// A private RabbitMQ that runs, for whoever may not block meanwhile.
pub(crate) async fn running_rabbit() -> (RabbitMq, Process) {
    let start = || {
        let rabbit = RabbitMq::new();
        let process = rabbit.start();
        (rabbit, process)
    };
    tokio::task::spawn_blocking(start).await.unwrap()
}

/// A private PostgreSQL that runs, likewise.
pub(crate) async fn running_postgres() -> (Postgres, Process) {
    let start = || {
        let postgres = Postgres::new();
        let process = postgres.start();
        (postgres, process)
    };
    tokio::task::spawn_blocking(start).await.unwrap()
}

/// A private PostgreSQL.
#[derive(Debug)]
pub(crate) struct Postgres {
    pub(crate) url: String,
    folder: PathBuf,
    bin: PathBuf,
    port: u16,
}

/// PostgreSQL does not run as root.
fn postgres_user() -> Option<&'static str> {
    let output = Command::new("id").arg("-u").output().unwrap();
    (output.stdout == b"0\n").then_some("postgres")
}

impl Postgres {
    /// A new cluster that is not started yet.
    pub(crate) fn new() -> Self {
        let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
            .map(|entries| entries.flatten().map(|entry| entry.path().join("bin")).collect())
            .unwrap_or_default();
        versions.sort();
        let bin = versions
            .pop()
            .expect("PostgreSQL is missing: apt-get install postgresql, or set CROSSDESK_TEST_POSTGRES_URL");
        let (folder, port) = (folder("postgres"), free_port());
        if let Some(user) = postgres_user() {
            assert!(Command::new("chown").arg(user).arg(&folder).status().unwrap().success());
        }
        let mut initdb = Command::new("setpriv");
        if let Some(user) = postgres_user() {
            initdb.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--init-groups"]);
        }
        let data = folder.join("data");
        initdb.arg("--").arg(bin.join("initdb")).args([
            "-A",
            "trust",
            "-U",
            "crossdesk",
            "-E",
            "UTF8",
            "--no-sync",
            "-D",
        ]);
        let output = initdb.arg(&data).current_dir(&folder).output().unwrap();
        assert!(output.status.success(), "initdb failed: {}", String::from_utf8_lossy(&output.stderr));
        Self { url: format!("postgres://crossdesk@127.0.0.1:{port}/postgres"), folder, bin, port }
    }

    /// Makes the cluster answer over TLS, with `cert.pem` and `key.pem` of a folder.
    pub(crate) fn speak_tls(&self, certificates: &Path) {
        let data = self.folder.join("data");
        for name in ["cert.pem", "key.pem"] {
            std::fs::copy(certificates.join(name), data.join(name)).unwrap();
            if let Some(user) = postgres_user() {
                assert!(Command::new("chown").arg(user).arg(data.join(name)).status().unwrap().success());
            }
            let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(data.join(name), private).unwrap();
        }
        let mut file = std::fs::OpenOptions::new().append(true).open(data.join("postgresql.conf")).unwrap();
        writeln!(file, "ssl = on\nssl_cert_file = 'cert.pem'\nssl_key_file = 'key.pem'").unwrap();
    }

    /// Starts the cluster, and waits until it answers. After a crash it ends at once for as long as a process of the one before
    /// holds its memory.
    pub(crate) fn start(&self) -> Process {
        let begun = Instant::now();
        loop {
            let process = self.launch();
            if came_true(LIMIT, || is_open(self.port) || !process.runs()) && process.runs() {
                return process;
            }
            assert!(begun.elapsed() < LIMIT, "PostgreSQL did not come up in {LIMIT:?}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn launch(&self) -> Process {
        let (bin, folder, port) = (self.bin.clone(), self.folder.clone(), self.port);
        Process::start(bin.join("postgres").to_str().unwrap(), postgres_user(), move |command| {
            command.current_dir(&folder).arg("-D").arg(folder.join("data"));
            command.args([
                "-p",
                &port.to_string(),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "max_connections=300",
            ]);
            command.arg("-k").arg(&folder);
        })
    }
}

async fn container(
    image: &str,
    tag: &str,
    port: u16,
    ready: WaitFor,
    variables: &[(&str, &str)],
) -> Option<u16> {
    if !Path::new("/var/run/docker.sock").exists() {
        return None;
    }
    let image = GenericImage::new(image, tag).with_exposed_port(port.tcp()).with_wait_for(ready);
    let request = variables
        .iter()
        .fold(image.with_startup_timeout(LIMIT), |request, (k, v)| request.with_env_var(*k, *v));
    let container = request.start().await.ok()?;
    let port = container.get_host_port_ipv4(port).await.ok()?;
    std::mem::forget(container); // it serves all tests; the engine's reaper takes it away
    Some(port)
}

/// The RabbitMQ that all tests share.
pub(crate) async fn amqp_url() -> String {
    static URL: tokio::sync::OnceCell<String> = tokio::sync::OnceCell::const_new();
    let start = async || {
        if let Ok(url) = std::env::var("CROSSDESK_TEST_AMQP_URL") {
            return url;
        }
        let ready = WaitFor::message_on_stdout("Server startup complete");
        if let Some(port) = container("rabbitmq", "4", 5672, ready, &[]).await {
            return format!("amqp://guest:guest@127.0.0.1:{port}/%2f");
        }
        let start = || {
            let server = RabbitMq::new();
            server.start();
            server.url
        };
        tokio::task::spawn_blocking(start).await.unwrap()
    };
    URL.get_or_init(start).await.clone()
}

/// A new database on the PostgreSQL that all tests share.
pub(crate) async fn postgres_url() -> String {
    static URL: tokio::sync::OnceCell<String> = tokio::sync::OnceCell::const_new();
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let start = async || {
        if let Ok(url) = std::env::var("CROSSDESK_TEST_POSTGRES_URL") {
            return url;
        }
        let ready = WaitFor::message_on_stderr("database system is ready to accept connections");
        let variables = [("POSTGRES_HOST_AUTH_METHOD", "trust"), ("POSTGRES_USER", "crossdesk")];
        if let Some(port) = container("postgres", "17", 5432, ready, &variables).await {
            return format!("postgres://crossdesk@127.0.0.1:{port}/postgres");
        }
        let start = || {
            let server = Postgres::new();
            server.start();
            server.url
        };
        tokio::task::spawn_blocking(start).await.unwrap()
    };
    let url = URL.get_or_init(start).await.clone();
    let name = format!("crossdesk_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    new_database(&url, &name).await
}

/// Makes a database; returns its URL.
pub(crate) async fn new_database(url: &str, name: &str) -> String {
    use sqlx::{Connection, Executor};
    let mut connection =
        super::until("PostgreSQL answers", async || sqlx::PgConnection::connect(url).await.ok()).await;
    connection.execute(sqlx::AssertSqlSafe(format!("create database {name}"))).await.unwrap();
    connection.close().await.unwrap();
    let (base, _) = url.rsplit_once('/').unwrap();
    format!("{base}/{name}")
}

/// A number that no other test of this run has.
pub(crate) fn unique() -> String {
    static COUNT: OnceLock<AtomicU32> = OnceLock::new();
    let count = COUNT.get_or_init(AtomicU32::default).fetch_add(1, Ordering::Relaxed);
    format!("{}-{count}", std::process::id())
}
