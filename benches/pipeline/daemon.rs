//! The daemon as a process of its own, as ops run it.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::{
    broker::{Rig, partner_queues},
    events::{self, PARTNERS, TICKETS, agreement},
    measured::{Measured, Usage},
    support::{servers::free_port, until},
};

/// Ends a process, and waits until it is gone.
pub(crate) fn end(child: &mut Child) {
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    child.wait().unwrap();
}

/// A daemon with its settings and its store.
pub(crate) struct Daemon {
    config: PathBuf,
    pub(crate) partners: u16,
    pub(crate) admin: u16,
    pub(crate) events: String,
    prefix: String,
}

/// What the agreements of a daemon are.
#[derive(Clone, Copy)]
pub(crate) struct Partners<'a> {
    /// Who shares: `outbound` or `inbound`.
    pub(crate) direction: &'a str,
    /// `queue`, or `third_party` with the address of its server.
    pub(crate) kind: &'a str,
    pub(crate) url: &'a str,
}

/// Bridges that take from queues.
pub(crate) const BRIDGES: Partners<'_> = Partners { direction: "outbound", kind: "queue", url: "" };

impl Daemon {
    pub(crate) fn new(folder: &Path, name: &str, store: &str, broker: &str, queue_type: &str) -> Self {
        Self::with(folder, name, store, broker, queue_type, BRIDGES)
    }

    pub(crate) fn with(
        folder: &Path,
        name: &str,
        store: &str,
        broker: &str,
        queue_type: &str,
        partner: Partners<'_>,
    ) -> Self {
        let (partners, admin) = (free_port(), free_port());
        let (events, prefix) = (format!("{name}.events"), format!("{name}.partner."));
        let mut text = format!(
            "[desk]\nsharing_url = \"http://127.0.0.1:{partners}/sharing\"\n[store]\nurl = \"{store}\"\n\
             [broker]\nurl = \"{broker}\"\nqueue_type = \"{queue_type}\"\nevents_exchange = \"{name}.helpdesk\"\n\
             events_queue = \"{events}\"\ncommands_exchange = \"{name}.commands\"\ncommands_queue = \"{name}.commands\"\n\
             partners_exchange = \"{name}.partners\"\npartner_queue_prefix = \"{prefix}\"\n\
             inbound_queue = \"{name}.inbound\"\ndead_letter_queue = \"{name}.dead\"\n\
             [http]\nlisten = \"127.0.0.1:{partners}\"\n[admin]\nlisten = \"127.0.0.1:{admin}\"\ntoken = \"bench\"\n\
             [log]\nlevel = \"error\"\n[delivery]\nallow_private_partners = true\nside_by_side = 32\n"
        );
        let Partners { direction, kind, url } = partner;
        let url = if url.is_empty() { String::new() } else { format!("url = \"{url}\"\n") };
        for number in 0..PARTNERS {
            let uuid = agreement(number);
            write!(
                text,
                "[[agreements]]\nuuid = \"{uuid}\"\nname = \"Partner {number}\"\ndirection = \"{direction}\"\nkind = \"{kind}\"\n\
                 {url}access_key = \"{uuid}\"\nstatus = \"accepted\"\n[agreements.terms]\nsync_tags = true\nsync_custom_fields = true\n"
            )
            .unwrap();
            for title in ["Cost", "Secret note", "VIP"] {
                write!(text, "[[agreements.local.fields]]\ntitle = \"{title}\"\ndirection = \"never\"\n")
                    .unwrap();
            }
        }
        let config = folder.join(format!("{name}.toml"));
        std::fs::write(&config, text).unwrap();
        Self { config, partners, admin, events, prefix }
    }

    /// One of several that work on the same database and the same queues, with ports of its own.
    pub(crate) fn member(&self, folder: &Path, name: &str, number: usize, shards: usize) -> Self {
        let (partners, admin) = (free_port(), free_port());
        let text = std::fs::read_to_string(&self.config).unwrap();
        let text = text
            .replace(&format!(":{}\"", self.partners), &format!(":{partners}\""))
            .replace(&format!(":{}\"", self.admin), &format!(":{admin}\""))
            .replace(
                "[broker]\n",
                &format!("daemon = \"{name}-{number}\"\n[broker]\nevents_shards = {shards}\n"),
            );
        let config = folder.join(format!("{name}-{number}.toml"));
        std::fs::write(&config, text).unwrap();
        Self { config, partners, admin, events: self.events.clone(), prefix: self.prefix.clone() }
    }

    pub(crate) fn queues(&self) -> Vec<String> {
        partner_queues(&self.prefix)
    }

    pub(crate) fn start(&self) -> Child {
        Command::new(env!("CARGO_BIN_EXE_crossdesk"))
            .args(["run", "--config", self.config.to_str().unwrap()])
            .stdin(Stdio::null())
            .spawn()
            .unwrap()
    }

    pub(crate) async fn until_ready(&self) {
        let url = format!("http://127.0.0.1:{}/readyz", self.admin);
        until("the daemon is ready", async || {
            reqwest::get(&url).await.ok().filter(|answer| answer.status().is_success()).map(drop)
        })
        .await;
    }

    /// Shares all tickets, so that what follows are changes.
    pub(crate) async fn share_tickets(&self, rig: &Rig) {
        let mut child = self.start();
        self.until_ready().await;
        rig.until_there(&self.queues()).await;
        rig.preload(&self.events, (0..TICKETS).map(events::shared)).await;
        rig.rate_until(&self.queues(), TICKETS).await;
        end(&mut child);
        rig.purge(&self.queues()).await;
    }

    /// Events on shared tickets, from a queue that is filled first.
    pub(crate) async fn measure(&self, rig: &Rig, first: usize, count: usize) -> Measured {
        rig.purge(&self.queues()).await;
        rig.preload(&self.events, (first..first + count).map(|number| events::changed(number, ""))).await;
        let before = rig.usage();
        let mut child = self.start();
        let rate = rig.rate_until(&self.queues(), count).await;
        let (usage, after) = (Usage::of(child.id()), rig.usage());
        end(&mut child);
        rig.purge(&self.queues()).await;
        usage.measured(rate, count, &before, &after)
    }

    /// What most desks emit: of twenty events one on a shared ticket. The rate of all of them.
    pub(crate) async fn measure_mixed(&self, rig: &Rig, first: usize, count: usize) -> Measured {
        rig.purge(&self.queues()).await;
        let event =
            |number: usize| events::changed(number, if number.is_multiple_of(20) { "" } else { "other-" });
        rig.preload(&self.events, (first..first + count).map(event)).await;
        let before = rig.usage();
        let mut child = self.start();
        let rate = rig.rate_until_empty(&self.events, count).await;
        let (usage, after) = (Usage::of(child.id()), rig.usage());
        end(&mut child);
        rig.purge(&self.queues()).await;
        usage.measured(rate, count, &before, &after)
    }

    /// Events on tickets that nobody shares.
    pub(crate) async fn measure_unshared(&self, rig: &Rig, first: usize, count: usize) -> Measured {
        rig.preload(&self.events, (first..first + count).map(|number| events::changed(number, "other-")))
            .await;
        let before = rig.usage();
        let mut child = self.start();
        let rate = rig.rate_until_empty(&self.events, count).await;
        let (usage, after) = (Usage::of(child.id()), rig.usage());
        end(&mut child);
        usage.measured(rate, count, &before, &after)
    }
}
