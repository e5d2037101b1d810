//! Plays many histories, on several threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::generate;
use super::history::History;
use super::mutants::Mutant;
use super::world::World;

/// A history that breaks a law.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) history: History,
    pub(super) how: String,
}

/// Plays a history and what follows once its faults end.
///
/// # Errors
/// The first law that is broken.
pub(super) fn play(history: &History, mutant: Option<Mutant>, trace: bool) -> Result<(), String> {
    let played = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(history.seed, mutant, trace);
        for step in &history.steps {
            if trace {
                eprintln!("{:>10.3} == {step:?}", world.seconds());
            }
            world.play(step);
            world.laws.verdict()?;
        }
        if trace {
            eprintln!("{:>10.3} == faults end", world.seconds());
        }
        world.converge();
        world.laws.verdict()
    }));
    played.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|t| (*t).to_owned()));
        Err(format!("it panics: {}", text.unwrap_or_default()))
    })
}

/// Plays `count` histories from the number `first` on; the first failure that is found ends it. `tell` is
/// told how many are played, from time to time.
pub(super) fn search(
    first: u64,
    count: u64,
    threads: usize,
    mutant: Option<Mutant>,
    tell: impl Fn(u64) + Sync,
) -> Option<Failure> {
    let next = AtomicU64::new(0);
    let found = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count || found.lock().expect("a lock").is_some() {
                        return;
                    }
                    let history = generate::history(first + number);
                    if let Err(how) = play(&history, mutant, false) {
                        found
                            .lock()
                            .expect("a lock")
                            .get_or_insert(Failure { history, how });
                        return;
                    }
                    if number % 1_000 == 999 {
                        tell(number + 1);
                    }
                }
            });
        }
    });
    found.into_inner().expect("a lock")
}
