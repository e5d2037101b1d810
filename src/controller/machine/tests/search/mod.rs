//! Proof by search: random histories of the cloud, of the API server, of people and of faults, played
//! against the machine in virtual time. The laws of the mirror hold after each step of each, and once
//! the faults end all is as it should be.

mod calls;
mod cloud;
mod cluster;
mod converge;
mod faults;
mod generate;
mod history;
mod laws;
mod mutants;
mod played;
mod shrink;
mod steps;
mod strangers;
mod watches;
mod world;

use std::env;
use std::time::Instant;

use history::History;
use played::{Failure, play};
use shrink::shrink;

/// Histories of each run of the tests.
const HISTORIES: u64 = 10_000;
/// Histories in which each mutant is found.
const MUTANT_HISTORIES: u64 = 2_000;

#[test]
fn the_laws_hold_in_ten_thousand_histories() {
    if let Some(failure) = played::search(0, HISTORIES, 2, None, |_| {}) {
        panic!("{}", report(failure));
    }
}

/// Each way to break the machine is found: a check that can fail.
#[test]
fn the_search_finds_each_mutant() {
    let missed = mutants::ALL.into_iter().filter(|mutant| {
        let found = played::search(0, MUTANT_HISTORIES, 2, Some(*mutant), |_| {});
        if let Some(failure) = &found {
            println!(
                "{mutant:?}: history {}, {}",
                failure.history.seed, failure.how
            );
        }
        found.is_none()
    });
    assert_eq!(missed.collect::<Vec<_>>(), []);
}

/// `make search`: as many histories as are asked for, or the one in a file.
#[test]
#[ignore = "takes as long as it is asked to"]
fn as_asked() {
    let number = |name: &str, otherwise: u64| {
        let text = env::var(name).unwrap_or_default();
        if text.is_empty() {
            otherwise
        } else {
            text.parse().expect("a number")
        }
    };
    if let Some(path) = env::var("HISTORY").ok().filter(|p| !p.is_empty()) {
        let text = std::fs::read_to_string(&path).expect("a file with a history");
        let history: History = serde_saphyr::from_str(&text).expect("a history");
        if let Err(how) = play(&history, None, true) {
            panic!("{how}");
        }
        return;
    }
    let count = number("HISTORIES", 100_000);
    // A run that found something goes on where it stopped.
    let first = (number("SEED", 0) << 32) + number("SKIP", 0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let begun = Instant::now();
    let speed = |played: u64| u128::from(played) * 1_000 / begun.elapsed().as_millis().max(1);
    let failure = played::search(first, count, threads, None, |played| {
        if played % 10_000 == 0 {
            println!("{played} histories, {} a second", speed(played));
        }
    });
    if let Some(failure) = failure {
        panic!("{}", report(failure));
    }
    let seconds = begun.elapsed().as_secs();
    println!(
        "{count} histories from number {first} on broke no law, in {seconds} s, {} a second",
        speed(count)
    );
}

/// The shortest history that breaks the same law, as a file that can be played again.
fn report(failure: Failure) -> String {
    let Failure { history, how } = failure;
    let number = history.seed;
    let history = shrink(history, |h| play(h, None, false).is_err());
    let shrunk = play(&history, None, false).err().unwrap_or_default();
    let yaml = serde_saphyr::to_string(&history).expect("a history is YAML");
    format!(
        "{how}\nhistory {number}, made shorter: {shrunk}\nplay it again: HISTORY=path make search\n\n{yaml}"
    )
}
