//! The daemon's flow in a simulated world: histories by the thousand from their seeds, with faults at every call.
//!
//! ```sh
//! cargo test --test stories simulation                                        # 400 histories
//! CROSSDESK_WORLDS=20000 cargo test --release --test stories whatever_fails   # more of them
//! CROSSDESK_SEED=42 CROSSDESK_WORLDS=1 cargo test --test stories whatever_fails  # one again, with all that happened
//! ```

use std::sync::Arc;

use crate::support::world::{Memory, Size, Told, play};

const SIZE: Size = Size { acts: 60, tickets: 6, deaths: 3 };

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn on_memory(seed: u64) -> Told {
    play(seed, SIZE, Arc::new(Memory::default()))
}

#[test]
fn whatever_fails_everything_is_right_in_the_end() {
    let (first, count) = (number("CROSSDESK_SEED", 1), number("CROSSDESK_WORLDS", 400));
    let half = |seeds: std::ops::Range<u64>| -> usize {
        let faults = seeds.map(|seed| {
            let told = on_memory(seed);
            assert!(told.wrong.is_empty(), "{}\nseed {seed}: {:#?}", told.trace.join("\n"), told.wrong);
            told.faults
        });
        faults.sum()
    };
    let middle = first + count / 2;
    let faults = std::thread::scope(|scope| {
        let one = scope.spawn(|| half(first..middle));
        half(middle..first + count) + one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    println!("{count} histories with {faults} faults from seed {first} on: all is right");
}

/// Histories that went wrong once: a command overtook another, messages were not handed over again, an old request came late.
const ONCE_WRONG: [u64; 3] = [2514, 5704, 44_899];

#[test]
fn what_went_wrong_once_does_not_again() {
    for seed in ONCE_WRONG {
        assert_eq!(on_memory(seed).wrong, Vec::<String>::new(), "seed {seed}");
    }
}

#[test]
fn a_seed_plays_the_same_history_again() {
    for seed in 1..20 {
        assert_eq!(on_memory(seed).trace, on_memory(seed).trace, "seed {seed}");
    }
}

#[test]
fn a_database_plays_the_same_history_as_the_simulated_store() {
    for seed in 1..10 {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("world.db").display());
        let told = play(seed, SIZE, crossdesk::store::open(&url, None, "one").unwrap());
        assert_eq!(told.wrong, Vec::<String>::new(), "seed {seed}");
        assert_eq!(told.trace, on_memory(seed).trace, "seed {seed}");
    }
}
