//! What things are called: this daemon, and everything on the broker; and who vouches for that.

use super::{
    fault::{Check, wrong},
    sections::Config,
};

/// The longest name that AMQP can say, in bytes.
const LONGEST: usize = 255;
/// How long an agreement's uuid may be, which stands behind the prefix of a partner's queue.
const LONGEST_UUID: usize = 200;
/// How much what is called after the events' queue has behind its name.
const SUFFIX: usize = ".shards".len();

impl Config {
    /// What this daemon is called among those that share its database.
    pub fn daemon_name(&self) -> String {
        if !self.store.daemon.is_empty() {
            return self.store.daemon.clone();
        }
        // Asked of the kernel: a service that sees nothing of /proc but processes has a name too.
        let host = hostname::get().unwrap_or_default();
        format!("{}:{}", host.to_string_lossy(), self.admin.listen.port())
    }
}

impl super::Broker {
    /// The certificates that the broker's may be signed by.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn authorities(&self) -> Result<Option<String>, String> {
        if self.ca_file.is_empty() {
            return Ok(None);
        }
        let read = std::fs::read_to_string(&self.ca_file);
        read.map(Some).map_err(|error| format!("{} cannot be read: {error}", self.ca_file))
    }

    /// Whether each thing on the broker has a name, and one of its own: events that came to the commands' queue would be lost.
    pub(super) fn check_names(&self) -> Check {
        let exchanges = [
            ("events_exchange", &self.events_exchange, "amq.topic"),
            ("commands_exchange", &self.commands_exchange, "amq.topic"),
            ("partners_exchange", &self.partners_exchange, "amq.direct"),
        ];
        let queues = [
            ("events_queue", &self.events_queue, ""),
            ("commands_queue", &self.commands_queue, ""),
            ("inbound_queue", &self.inbound_queue, ""),
            ("dead_letter_queue", &self.dead_letter_queue, ""),
        ];
        let most = LONGEST - LONGEST_UUID;
        let prefix = self.partner_queue_prefix.as_str();
        if prefix.is_empty() || prefix.len() > most || prefix.starts_with("amq.") {
            let why =
                format!("must have 1 to {most} bytes, and not begin with amq.: the agreement's uuid follows");
            return wrong("broker.partner_queue_prefix", why);
        }
        if self.events_queue.len() > LONGEST - SUFFIX {
            return wrong("broker.events_queue", format!("must have {} bytes at most", LONGEST - SUFFIX));
        }
        // RabbitMQ has exchanges of its own, of which those of the right type will do.
        for names in [&exchanges[..], &queues[..]] {
            for (at, (key, name, own)) in names.iter().enumerate() {
                let key = format!("broker.{key}");
                if name.is_empty() || name.len() > LONGEST {
                    return wrong(key, format!("must have 1 to {LONGEST} bytes"));
                }
                if name.starts_with("amq.") && name != own {
                    return wrong(key, "begins with amq., which RabbitMQ keeps for itself");
                }
                if let Some((other, ..)) = names.iter().take(at).find(|(_, other, _)| other == name) {
                    return wrong(
                        key,
                        format!("is the same as broker.{other}; each needs a name of its own"),
                    );
                }
            }
        }
        Ok(())
    }

    /// The names of everything on the broker.
    pub fn topology(&self) -> crate::broker::Topology {
        crate::broker::Topology {
            queue_type: self.queue_type,
            events_exchange: self.events_exchange.clone(),
            events_queue: self.events_queue.clone(),
            events_shards: self.events_shards,
            commands_exchange: self.commands_exchange.clone(),
            commands_queue: self.commands_queue.clone(),
            partners_exchange: self.partners_exchange.clone(),
            partner_queue_prefix: self.partner_queue_prefix.clone(),
            inbound_queue: self.inbound_queue.clone(),
            dead_letter_queue: self.dead_letter_queue.clone(),
        }
    }
}
