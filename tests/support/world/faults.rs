//! What can go wrong, from one seed: every call of the daemon to the world outside waits a while, may fail before it does
//! anything or after, and never returns once its daemon is dead.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::support::books::Dice;

/// The world's troubles.
#[derive(Debug)]
pub(crate) struct Faults {
    dice: Mutex<Dice>,
    on: AtomicBool,
    struck: AtomicUsize,
    trace: Mutex<Vec<String>>,
}

/// When a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It does what it should.
    None,
    /// Nothing was done.
    Before,
    /// It was done, and nobody is told.
    After,
}

/// One life of the daemon: once it has ended, no call returns.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) faults: Arc<Faults>,
    alive: Arc<AtomicBool>,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            dice: Mutex::new(Dice::new(seed)),
            on: AtomicBool::new(true),
            struck: AtomicUsize::new(0),
            trace: Mutex::default(),
        })
    }

    pub(crate) fn roll(&self, sides: usize) -> usize {
        self.dice.lock().unwrap().roll(sides)
    }

    /// From now on all goes well.
    pub(crate) fn end(&self) {
        self.on.store(false, Ordering::Relaxed);
    }

    /// Whether this time something goes wrong, once in so many.
    pub(crate) fn fault(&self, one_in: usize) -> Fault {
        if !self.on.load(Ordering::Relaxed) || self.roll(one_in) > 0 {
            return Fault::None;
        }
        self.struck.fetch_add(1, Ordering::Relaxed);
        if self.roll(2) == 0 { Fault::Before } else { Fault::After }
    }

    pub(crate) fn struck(&self) -> usize {
        self.struck.load(Ordering::Relaxed)
    }

    /// Some time passes, mostly little.
    pub(crate) async fn wait(&self, up_to_millis: usize) {
        let long = self.roll(20) == 0;
        let millis = self.roll(if long { up_to_millis * 10 } else { up_to_millis } + 1);
        tokio::time::sleep(Duration::from_millis(millis as u64)).await;
    }

    /// Notes something that can be seen from outside.
    pub(crate) fn note(&self, what: String) {
        if std::env::var_os("CROSSDESK_TELL").is_some() {
            eprintln!("{what}");
        }
        self.trace.lock().unwrap().push(what);
    }

    /// Everything that could be seen from outside, in order.
    pub(crate) fn trace(&self) -> Vec<String> {
        self.trace.lock().unwrap().clone()
    }
}

impl Life {
    pub(crate) fn new(faults: Arc<Faults>) -> Self {
        Self { faults, alive: Arc::new(AtomicBool::new(true)) }
    }

    pub(crate) fn end(&self) {
        self.alive.store(false, Ordering::Relaxed);
    }

    /// A call takes its time; if its daemon is dead by then, it never returns.
    pub(crate) async fn passes(&self, up_to_millis: usize) {
        self.faults.wait(up_to_millis).await;
        if !self.alive.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }
}
