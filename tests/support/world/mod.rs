//! A world made of nothing but one seed: store, broker, partners and clock are simulated, and the daemon's own flow runs in
//! it, with faults at every call and lives that end at any of them. The same seed plays the same history.

mod broker;
mod faults;
mod memory;
mod partner;
mod people;
mod rows;
mod store;

use std::{
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use crossdesk::{
    app,
    clock::Clock,
    config::Config,
    demo::Habits,
    domain::{Timestamp, Uuid},
    flow::{Crew, Intake, Options, Pipeline, Relay, Roster, Sweep},
    ports::{MessageFilter, Store},
    retry::Policy,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::books::{DeskBooks, Dice, differences};
use broker::Queues;
use faults::{Faults, Life};
pub(crate) use memory::Memory;
use store::at_once;

/// Where the world begins: a moment in 2026.
const BEGIN: i64 = 1_770_000_000_000;
/// How long everything may take to come to rest after the last event, in the world's time.
const REST: Duration = Duration::from_secs(2 * 3600);

/// How long somebody waits for an answer of the daemon.
const PATIENCE: Duration = Duration::from_secs(30);

/// A world's size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Things that people do, on the desk and at partners.
    pub(crate) acts: usize,
    /// Tickets that the desk shares.
    pub(crate) tickets: usize,
    /// How often the daemon dies.
    pub(crate) deaths: usize,
}

/// What came of a history.
#[derive(Debug)]
pub(crate) struct Told {
    /// What is wrong at the end; nothing, if all is right.
    pub(crate) wrong: Vec<String>,
    /// Everything that could be seen from outside, in order.
    pub(crate) trace: Vec<String>,
    /// How many calls failed.
    pub(crate) faults: usize,
}

/// The world's time is that of its runtime, which stands still while somebody works and jumps when all wait.
#[derive(Debug)]
struct WorldClock(Instant);

impl Clock for WorldClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(BEGIN).plus(self.0.elapsed())
    }
}

struct World {
    faults: Arc<Faults>,
    store: Arc<dyn Store>,
    queues: Queues,
    durable: bool,
    completes: bool,
    desk: Mutex<DeskBooks>,
    partners: partner::Partners,
    begun: Instant,
    running: Mutex<Option<Running>>,
    /// Answers that nobody should have got.
    refused: Mutex<Vec<String>>,
}

/// A life of the daemon, as those see it who bring it something.
#[derive(Clone)]
struct Running {
    life: Life,
    stop: CancellationToken,
    options: Options,
    pipeline: Pipeline,
}

fn ours(n: usize) -> Uuid {
    Uuid::new(format!("{:040x}", n + 1))
}

fn theirs(n: usize) -> Uuid {
    Uuid::new(format!("{:040x}", (1 << 20) + n))
}

const SHARING_URL: &str = "https://desk.example/sharing";

/// Plays the history of a seed on a store.
pub(crate) fn play(seed: u64, size: Size, store: Arc<dyn Store>) -> Told {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        at_once(store.prepare()).unwrap();
        let mut dice = Dice::new(seed);
        let completes = dice.roll(4) > 0;
        let world = Arc::new(World {
            faults: Faults::new(seed + 1),
            store,
            queues: Queues::default(),
            // A desk that asks for its commands has to answer them.
            durable: !completes || dice.roll(2) == 0,
            completes,
            desk: Mutex::new(DeskBooks::new(Habits {
                completes,
                names_commands: !completes || dice.roll(2) == 0,
                normalises: false,
            })),
            partners: Arc::new((0..3).map(|_| Mutex::default()).collect()),
            begun: Instant::now(),
            running: Mutex::new(None),
            refused: Mutex::default(),
        });
        world.story(&mut dice, size).await
    })
}

impl World {
    async fn story(self: &Arc<Self>, dice: &mut Dice, size: Size) -> Told {
        self.live();
        tokio::spawn(self.clone().desk_talks());
        tokio::spawn(self.clone().desk_works());
        for n in 0..self.partners.len() {
            tokio::spawn(self.clone().partner_talks(n));
        }
        let share = |n: usize| self.desk.lock().unwrap().share(ours(n % 3).as_str(), n);
        let tickets: Vec<String> = (0..size.tickets).map(share).collect();
        for n in 0..size.acts {
            let which = dice.roll(self.partners.len());
            let partner = &self.partners[which];
            match dice.roll(10) {
                0 => partner.lock().unwrap().act(
                    theirs(which).as_str(),
                    dice.roll(1000),
                    n,
                    size.tickets / 4 + 1,
                ),
                1 => partner.lock().unwrap().answer(dice.roll(1000), n),
                _ => self.desk.lock().unwrap().act(&tickets[dice.roll(tickets.len())], dice.roll(1000), n),
            }
            self.faults.wait(40).await;
            if dice.roll(size.acts) < size.deaths {
                self.die(dice).await;
            }
        }
        self.faults.end();
        let rest = Instant::now();
        loop {
            let wrong = self.wrong();
            if wrong.is_empty() || rest.elapsed() > REST {
                return Told { wrong, trace: self.faults.trace(), faults: self.faults.struck() };
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    }

    /// A daemon begins to live.
    fn live(self: &Arc<Self>) {
        let life = Life::new(self.faults.clone());
        let options = self.options(&life);
        let (pipeline, writer) = Pipeline::new(options.clone());
        let stop = CancellationToken::new();
        let (_nobody_else, own) = Crew::new(options.clone(), pipeline.clone());
        tokio::spawn(writer.run());
        let running =
            Running { life, stop: stop.clone(), options: options.clone(), pipeline: pipeline.clone() };
        *self.running.lock().unwrap() = Some(running);
        tokio::spawn(async move {
            people::declare(&options, &pipeline).await;
            options.started.store(true, std::sync::atomic::Ordering::Release);
            tokio::join!(
                Relay::new(options.clone(), pipeline.clone()).run(stop.clone()),
                Intake::new(options.clone(), pipeline.clone()).run(own.sources, stop.clone()),
                Roster::new(options.clone(), pipeline.clone()).run(own.standing, own.finishing, stop.clone()),
                Sweep::new(options, pipeline).run(stop),
            );
        });
    }

    /// The daemon dies wherever it is, and another one begins to live a while later.
    async fn die(self: &Arc<Self>, dice: &mut Dice) {
        if let Some(running) = self.running.lock().unwrap().take() {
            running.life.end();
            running.stop.cancel();
        }
        self.faults.note("the daemon dies".to_owned());
        self.queues.disconnect_all();
        if !self.durable {
            self.queues.forget();
        }
        tokio::time::sleep(Duration::from_millis(dice.roll(3000) as u64)).await;
        self.live();
    }

    fn options(&self, life: &Life) -> Options {
        static BASE: OnceLock<Options> = OnceLock::new();
        let base = BASE.get_or_init(|| {
            app::install_tls();
            let mut config = Config::default();
            "Crash".clone_into(&mut config.desk.name);
            SHARING_URL.clone_into(&mut config.desk.sharing_url);
            "sqlite:never-opened.db".clone_into(&mut config.store.url);
            app::options(&config).unwrap()
        });
        let calm = |initial, max| Policy {
            initial: Duration::from_millis(initial),
            max: Duration::from_millis(max),
            jitter: 0,
        };
        Options {
            store: Arc::new(store::Shaky { store: self.store.clone(), life: life.clone() }),
            broker: Arc::new(broker::Shaky {
                queues: self.queues.clone(),
                life: life.clone(),
                durable: self.durable,
            }),
            partner: Arc::new(partner::Shaky { partners: self.partners.clone(), life: life.clone() }),
            clock: Arc::new(WorldClock(self.begun)),
            outages: Arc::default(),
            started: Arc::default(),
            retry: calm(200, 20_000),
            reconnect: calm(50, 2_000),
            shards: 1,
            batch: 16,
            side_by_side: 4,
            ..base.clone()
        }
    }

    /// What is not as it should be.
    fn wrong(&self) -> Vec<String> {
        let counts = at_once(self.store.counts()).unwrap();
        let mut wrong = self.refused.lock().unwrap().clone();
        if counts.pending > 0 || counts.parked > 0 || self.queues.waiting() > 0 {
            wrong.push(format!("{counts:?}, {} in queues", self.queues.waiting()));
        }
        for n in 0..self.partners.len() {
            for agreement in [ours(n), theirs(n)] {
                for message in at_once(self.store.messages(MessageFilter::Open(agreement), 1000)).unwrap() {
                    wrong.push(format!(
                        "{} waits: {:?}, {} tries, due {:?}, {:?}",
                        message.id, message.state, message.attempts, message.due_at, message.error
                    ));
                }
            }
        }
        if self.completes {
            let commands = at_once(self.store.messages(MessageFilter::Commands(0), 1000)).unwrap();
            wrong.extend(commands.iter().map(|command| format!("command {} waits", command.id)));
        }
        let partners: Vec<_> = self.partners.iter().map(|partner| partner.lock().unwrap()).collect();
        let desk = self.desk.lock().unwrap();
        wrong.extend(differences(&desk, SHARING_URL, partners.iter().map(|books| &**books)));
        wrong
    }
}
