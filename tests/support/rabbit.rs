//! A private RabbitMQ from the installed binaries.

use std::{
    collections::HashMap,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use super::servers::{Process, await_port, came_true, folder, free_port, is_open};

/// How long a node may take to open its port.
const LIMIT: Duration = Duration::from_secs(60);
/// How long its queues may take to get leaders.
const ELECTION: Duration = Duration::from_secs(20);
/// How many times it is started before it counts as broken.
const STARTS: usize = 4;

/// A private RabbitMQ.
#[derive(Debug)]
pub(crate) struct RabbitMq {
    pub(crate) url: String,
    folder: PathBuf,
    port: u16,
    distribution: u16,
    names: u16,
}

impl RabbitMq {
    /// A new node that is not started yet.
    pub(crate) fn new() -> Self {
        let program = "/usr/lib/rabbitmq/bin/rabbitmq-server";
        assert!(
            Path::new(program).exists(),
            "RabbitMQ is missing: apt-get install rabbitmq-server, or set CROSSDESK_TEST_AMQP_URL"
        );
        let folder = folder("rabbitmq");
        let (port, distribution, names) = (free_port(), free_port(), free_port());
        let mut file = std::fs::File::create(folder.join("rabbitmq.conf")).unwrap();
        writeln!(file, "listeners.tcp.1 = 127.0.0.1:{port}\nlog.console = false\nlog.file.level = notice")
            .unwrap();
        writeln!(file, "disk_free_limit.absolute = 50MB\nvm_memory_high_watermark.absolute = 2GB").unwrap();
        std::fs::write(folder.join("plugins"), "[rabbitmq_consistent_hash_exchange].\n").unwrap();
        Process::start("epmd", None, move |command| {
            command.args(["-port", &names.to_string(), "-address", "127.0.0.1"]);
        });
        await_port(names, "epmd");
        let url = format!("amqp://guest:guest@127.0.0.1:{port}/%2f");
        Self { url, folder, port, distribution, names }
    }

    /// Makes the node answer over TLS too, with `ca.pem`, `cert.pem` and `key.pem` of a folder; returns the port.
    pub(crate) fn speak_tls(&self, certificates: &Path) -> u16 {
        let port = free_port();
        let mut file =
            std::fs::OpenOptions::new().append(true).open(self.folder.join("rabbitmq.conf")).unwrap();
        writeln!(file, "listeners.ssl.1 = 127.0.0.1:{port}").unwrap();
        for (option, name) in [("cacertfile", "ca.pem"), ("certfile", "cert.pem"), ("keyfile", "key.pem")] {
            writeln!(file, "ssl_options.{option} = {}", certificates.join(name).display()).unwrap();
        }
        port
    }

    /// Has the node begin with these definitions, and no users beside theirs.
    pub(crate) fn load(&self, definitions: &Path) {
        let mut file =
            std::fs::OpenOptions::new().append(true).open(self.folder.join("rabbitmq.conf")).unwrap();
        writeln!(file, "load_definitions = {}", definitions.display()).unwrap();
    }

    /// Its URL for a user (`name:password`) of a vhost.
    pub(crate) fn url_of(&self, user: &str, vhost: &str) -> String {
        format!("amqp://{user}@127.0.0.1:{}/{vhost}", self.port)
    }

    /// Gives the node shovels, as terms of its own language.
    pub(crate) fn shovel(&self, shovels: &str) {
        let plugins = "[rabbitmq_consistent_hash_exchange, rabbitmq_shovel].\n";
        std::fs::write(self.folder.join("plugins"), plugins).unwrap();
        let terms = format!("[{{rabbitmq_shovel, [{{shovels, [{shovels}]}}]}}].\n");
        std::fs::write(self.folder.join("advanced.config"), terms).unwrap();
    }

    /// Starts the node, and waits until it answers. One that comes back from a crash in part is started once more, as its operator
    /// would: RabbitMQ 3.10 may leave a quorum queue without a leader.
    pub(crate) fn start(&self) -> Process {
        for _ in 0..STARTS {
            let had = self.elections();
            let process = self.launch();
            let opens = came_true(LIMIT, || is_open(self.port) || !process.runs());
            if opens && process.runs() && came_true(ELECTION, || self.leads_again(&had)) {
                return process;
            }
            process.kill();
        }
        panic!("RabbitMQ did not come up in {STARTS} starts; its log is in {}", self.folder.display());
    }

    /// Has the process of a quorum queue stand still, or go on.
    pub(crate) async fn still(&self, queue: &str, still: bool) {
        let act = if still { "suspend" } else { "resume" };
        self.eval(&format!("ok = sys:{act}(binary_to_atom(<<\"%2F_{queue}\">>)).")).await;
    }

    /// Has the node be short of memory, as far as it believes, or be well again.
    pub(crate) async fn alarm(&self, on: bool) {
        let act = if on {
            "set_alarm({{resource_limit, memory, node()}, []})"
        } else {
            "clear_alarm({resource_limit, memory, node()})"
        };
        self.eval(&format!("ok = rabbit_alarm:{act}.")).await;
    }

    /// Has the node write down which queues it has: one that was made in the last seconds may be without a leader for ever when it
    /// is killed (3.10).
    pub(crate) async fn settle(&self) {
        self.eval("[ok = dets:sync(Table) || Table <- dets:all()].").await;
    }

    /// Has a queue refuse what is more than so many messages.
    pub(crate) async fn limit(&self, queue: &str, most: usize) {
        let terms = format!("{{\"max-length\":{most},\"overflow\":\"reject-publish\"}}");
        self.ctl(&["set_policy", "--apply-to", "queues", "limit", &format!("^{queue}$"), &terms]).await;
    }

    /// How long the node waits for a quorum queue that is asked for a consumer; it is 65 s otherwise.
    pub(crate) async fn gives_up_after(&self, limit: Duration) {
        let ticks = limit.as_secs() - 5;
        self.eval(&format!("application:set_env(kernel, net_ticktime, {ticks}).")).await;
    }

    /// How many channels are open.
    pub(crate) async fn channels(&self) -> usize {
        self.eval("length(rabbit_channel:list()).").await.trim().parse().unwrap()
    }

    /// The connections that are open.
    pub(crate) async fn connections(&self) -> String {
        self.eval("lists:sort([pid_to_list(Pid) || Pid <- rabbit_networking:connections()]).").await
    }

    /// The names of its queues.
    pub(crate) async fn queues(&self) -> String {
        self.ctl(&["list_queues", "name"]).await
    }

    /// Has the node run something of its own language; what comes of it.
    async fn eval(&self, code: &str) -> String {
        self.ctl(&["eval", code]).await
    }

    async fn ctl(&self, args: &[&str]) -> String {
        let (node, names) = (format!("crossdesk-{}@localhost", self.port), self.names.to_string());
        let mut command = tokio::process::Command::new("/usr/lib/rabbitmq/bin/rabbitmqctl");
        command.args(["--quiet", "--node", &node]).args(args);
        let output = command.env("HOME", &self.folder).env("ERL_EPMD_PORT", names).output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Of each queue with a leader, how many times it got one, as the log tells.
    fn elections(&self) -> HashMap<String, usize> {
        let mut elections = HashMap::new();
        for file in std::fs::read_dir(self.folder.join("log")).into_iter().flatten().flatten() {
            let log = std::fs::read_to_string(file.path()).unwrap_or_default();
            for line in log.lines().filter(|line| line.contains("-> leader in term")) {
                if let Some(queue) = line.split('\'').nth(1) {
                    *elections.entry(queue.to_owned()).or_default() += 1;
                }
            }
        }
        elections
    }

    /// Whether each queue that had a leader has a new one.
    fn leads_again(&self, had: &HashMap<String, usize>) -> bool {
        let now = self.elections();
        had.iter().all(|(queue, count)| now.get(queue).is_some_and(|times| times > count))
    }

    fn launch(&self) -> Process {
        let folder = self.folder.clone();
        let (port, distribution, names) = (self.port, self.distribution, self.names);
        Process::start("/usr/lib/rabbitmq/bin/rabbitmq-server", None, move |command| {
            let inside = |name: &str| folder.join(name);
            command
                .env("HOME", &folder)
                .env("RABBITMQ_NODENAME", format!("crossdesk-{port}@localhost"))
                .env("RABBITMQ_MNESIA_BASE", inside("data"))
                .env("RABBITMQ_LOG_BASE", inside("log"))
                .env("RABBITMQ_CONFIG_FILE", inside("rabbitmq"))
                .env("RABBITMQ_ADVANCED_CONFIG_FILE", inside("advanced.config"))
                .env("RABBITMQ_ENABLED_PLUGINS_FILE", inside("plugins"))
                .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
                .env("RABBITMQ_DIST_PORT", distribution.to_string())
                .env("ERL_EPMD_PORT", names.to_string())
                // The mode that runs the node in the process itself, so that its id is the one to kill.
                .env("RUNNING_UNDER_SYSTEMD", "1")
                .env(
                    "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                    "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none",
                );
        })
    }
}
