//! So many lines of one kind a minute, and then how many more there were: a partner that fails ten thousand times an hour fills no
//! disk, and hides nothing else.

use std::{
    collections::HashMap,
    fmt::{Debug, Write as _},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use tracing::{
    Event, Level, Metadata,
    callsite::Identifier,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Filter};

const MINUTE: Duration = Duration::from_secs(60);
/// Where the lines about what was left out come from: they are never left out themselves.
const OWN: &str = module_path!();

/// Lets so many lines of one kind through in a minute. A kind is a place in the sources. What somebody has asked for, `debug` and
/// `trace`, is never left out.
#[derive(Debug)]
pub(super) struct Flood {
    /// 0: no limit.
    most: AtomicU32,
    kinds: Mutex<Option<HashMap<Identifier, Kind>>>,
}

/// The lines of one place.
#[derive(Debug)]
struct Kind {
    since: Instant,
    told: u32,
    left_out: u64,
    /// What the first one said that was left out.
    words: String,
}

impl Flood {
    pub(super) const fn new() -> Self {
        Self { most: AtomicU32::new(0), kinds: Mutex::new(None) }
    }

    pub(super) fn set(&self, most: u32) {
        self.most.store(most, Ordering::Relaxed);
    }

    /// Whether this line is let through.
    fn lets(&self, event: &Event<'_>) -> bool {
        let (most, metadata) = (self.most.load(Ordering::Relaxed), event.metadata());
        if most == 0 || *metadata.level() > Level::INFO || metadata.target() == OWN {
            return true;
        }
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Kind { since: Instant::now(), told: 0, left_out: 0, words: String::new() };
        let kind = kinds.get_or_insert_default().entry(metadata.callsite()).or_insert_with(new);
        if kind.left_out == 0 && kind.since.elapsed() >= MINUTE {
            *kind = new();
        }
        if kind.told < most {
            kind.told += 1;
            return true;
        }
        kind.left_out += 1;
        if kind.left_out == 1 {
            event.record(&mut Words(&mut kind.words));
        }
        false
    }

    /// Says what was left out in minutes that are over; or in all.
    pub(super) fn tell(&self, all: bool) {
        let over: Vec<Kind> = {
            let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(kinds) = kinds.as_mut() else { return };
            kinds.extract_if(|_, kind| all || kind.since.elapsed() >= MINUTE).map(|(_, kind)| kind).collect()
        };
        for Kind { since, left_out, words, .. } in over.into_iter().filter(|kind| kind.left_out > 0) {
            let seconds = since.elapsed().as_secs();
            tracing::warn!(
                left_out,
                seconds,
                of = words,
                "there was more of this than log.per_minute lets through"
            );
        }
    }
}

impl<S> Filter<S> for &'static Flood {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        self.lets(event)
    }
}

/// The message of a line.
struct Words<'a>(&'a mut String);

impl Visit for Words<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            let _always_works = write!(self.0, "{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};

    use super::*;

    #[test]
    fn of_a_flood_a_part_is_told_and_then_how_much_more_there_was() {
        static FLOOD: Flood = Flood::new();
        let written = Arc::new(Mutex::new(Vec::new()));
        let writer = written.clone();
        let logs = tracing_subscriber::fmt::layer()
            .with_writer(move || Pen(writer.clone()))
            .with_ansi(false)
            .with_filter(&FLOOD);
        let lines = || {
            let bytes = std::mem::take(&mut *written.lock().unwrap_or_else(PoisonError::into_inner));
            String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
        };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(logs), || {
            FLOOD.set(3);
            for at in 0..10 {
                tracing::warn!(at, "the river rises");
                tracing::debug!(at, "somebody asked for this");
            }
            tracing::info!("something else");
            FLOOD.tell(false);
            let told = lines();
            assert_eq!(told.iter().filter(|line| line.contains("the river")).count(), 3, "{told:?}");
            assert_eq!(told.iter().filter(|line| line.contains("asked for")).count(), 10);
            assert_eq!(told.iter().filter(|line| line.contains("something else")).count(), 1);
            assert_eq!(told.len(), 14, "nothing is told of a minute that is not over");
            FLOOD.tell(true);
            let told = lines();
            assert!(
                matches!(told.as_slice(), [line] if line.contains("left_out=7") && line.contains("the river rises")),
                "{told:?}"
            );
            FLOOD.set(0);
            (0..10).for_each(|_| tracing::warn!("no limit"));
            assert_eq!(lines().len(), 10);
        });
    }

    struct Pen(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Pen {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
}
