//! What the probes say.
//!
//! Alive is a loop that goes round; ready is one that has seen what it works on. Neither depends on
//! the cloud, nor liveness on the API server: a restart mends neither.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long the loop may not have gone round. It goes round every 5 s, also when idle.
const MAX_SILENCE: Duration = Duration::from_mins(1);

/// Shared between the loop, which tells, and the probes, which ask.
#[derive(Debug)]
pub struct Health(Mutex<State>);

#[derive(Debug)]
struct State {
    last_tick: Instant,
    stuck: Option<String>,
    missing: Vec<String>,
}

impl Health {
    /// Alive, and not ready: nothing has been seen.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        let missing = vec!["the watches have not begun".to_owned()];
        Self(Mutex::new(State {
            last_tick: now,
            stuck: None,
            missing,
        }))
    }

    /// The loop went round; `stuck` names a source whose pass is long past its deadline.
    pub fn tick(&self, now: Instant, stuck: Option<String>) {
        let mut state = self.state();
        state.last_tick = now;
        state.stuck = stuck;
    }

    /// What is missing before the controller is ready.
    pub fn set_missing(&self, missing: Vec<String>) {
        self.state().missing = missing;
    }

    /// # Errors
    /// Why a restart would help.
    pub fn live(&self, now: Instant) -> Result<(), String> {
        let state = self.state();
        let silence = now.saturating_duration_since(state.last_tick);
        if silence > MAX_SILENCE {
            return Err(format!(
                "the main loop has not gone round for {} s",
                silence.as_secs()
            ));
        }
        match &state.stuck {
            Some(source) => Err(format!(
                "the pass of source {source} is long past its deadline"
            )),
            None => Ok(()),
        }
    }

    /// # Errors
    /// What is missing, one line each.
    pub fn ready(&self) -> Result<(), String> {
        let state = self.state();
        if state.missing.is_empty() {
            Ok(())
        } else {
            Err(state.missing.join("\n"))
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is one assignment: a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_silent_or_stuck_loop_is_not_alive() {
        let start = Instant::now();
        let health = Health::new(start);
        assert_eq!(health.live(start + MAX_SILENCE), Ok(()));
        let error = health
            .live(start + MAX_SILENCE + Duration::from_secs(1))
            .expect_err("silent");
        assert!(error.contains("61 s"), "{error}");
        health.tick(start + Duration::from_secs(90), Some("ns/a".to_owned()));
        assert!(
            health
                .live(start + Duration::from_secs(90))
                .expect_err("stuck")
                .contains("ns/a")
        );
        health.tick(start + Duration::from_secs(95), None);
        assert_eq!(health.live(start + Duration::from_secs(95)), Ok(()));
    }

    #[test]
    fn readiness_says_what_is_missing() {
        let health = Health::new(Instant::now());
        assert!(health.ready().is_err());
        health.set_missing(vec!["a: b".to_owned(), "c: d".to_owned()]);
        assert_eq!(health.ready(), Err("a: b\nc: d".to_owned()));
        health.set_missing(Vec::new());
        assert_eq!(health.ready(), Ok(()));
    }
}
