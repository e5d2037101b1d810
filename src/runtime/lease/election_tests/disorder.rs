//! Everything at once that can go wrong between replicas.

use std::time::Duration;

use fastrand::Rng;
use k8s_openapi::api::coordination::v1::Lease;

use super::{Replica, SECOND, Server, at};
use crate::api_server::WriteError;
use crate::runtime::lease::clock::BootTime;
use crate::runtime::lease::election::{Call, Step};

/// Replicas with clocks of their own, calls that take their time, answers that are lost, processes that
/// stop for a while: at no time do two of them believe that they may write.
#[test]
fn there_are_never_two_holders() {
    let mut takeovers = 0;
    for seed in 0..300 {
        takeovers += Disorder::new(seed).run(Duration::from_mins(10));
    }
    assert!(takeovers > 1_000, "{takeovers}");
}

struct Disorder {
    rng: Rng,
    server: Server,
    replicas: Vec<(Replica, Doing)>,
}

enum Doing {
    Nothing,
    Waiting(BootTime),
    Calling(Box<Exchange>),
    Stopped(BootTime, Box<Doing>),
}

/// A call that is sent at a time, reaches the server at another, and is answered, or given up, at a third.
struct Exchange {
    sent: BootTime,
    /// Until it reaches the server.
    call: Option<Call>,
    arrives: BootTime,
    ends: BootTime,
    answer: Answer,
}

enum Answer {
    Look(Result<Option<Lease>, WriteError>),
    Write(Result<Lease, WriteError>),
}

impl Disorder {
    const TICK: Duration = Duration::from_millis(100);

    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let replicas = ["a", "b", "c"].map(|identity| {
            // The machines were not started at the same time.
            let now = at(SECOND * rng.u32(0..100_000));
            (
                Replica::started_at(now, identity, rng.u64(..)),
                Doing::Nothing,
            )
        });
        Self {
            rng,
            server: Server::default(),
            replicas: replicas.into(),
        }
    }

    /// How often the lease went from one to another.
    fn run(&mut self, time: Duration) -> usize {
        let mut holders = Vec::new();
        let ticks = time.as_millis() / Self::TICK.as_millis();
        for _ in 0..ticks {
            for index in 0..self.replicas.len() {
                self.go_on(index);
            }
            let replicas = self.replicas.iter().enumerate();
            let may_write: Vec<_> = replicas
                .filter(|(_, (replica, _))| replica.holds().is_some())
                .map(|(index, _)| index)
                .collect();
            assert!(may_write.len() <= 1, "{may_write:?}");
            if let Some(holder) = may_write.first()
                && holders.last() != Some(holder)
            {
                holders.push(*holder);
            }
        }
        holders.len()
    }

    fn go_on(&mut self, index: usize) {
        let rng = &mut self.rng;
        let (replica, doing) = &mut self.replicas[index];
        replica.now = replica.now + Self::TICK;
        let now = replica.now;
        // Once in a minute or so.
        if rng.u32(0..600) == 0 && !matches!(doing, Doing::Stopped(..)) {
            let until = now + SECOND * rng.u32(1..40);
            let before = std::mem::replace(doing, Doing::Nothing);
            *doing = Doing::Stopped(until, Box::new(before));
        }
        match doing {
            Doing::Stopped(until, before) if *until <= now => {
                *doing = std::mem::replace(before, Doing::Nothing);
            }
            Doing::Waiting(until) if *until <= now => *doing = Doing::Nothing,
            _ => {}
        }
        // What was sent arrives also where the sender is stopped.
        let calling = match &mut *doing {
            Doing::Stopped(_, before) => &mut **before,
            other => other,
        };
        if let Doing::Calling(exchange) = calling
            && exchange.arrives <= now
            && let Some(call) = exchange.call.take()
        {
            exchange.answer = match call {
                Call::Look => Answer::Look(Ok(self.server.lease.clone())),
                call => Answer::Write(self.server.write(call)),
            };
        }
        if matches!(doing, Doing::Calling(exchange) if exchange.ends <= now)
            && let Doing::Calling(exchange) = std::mem::replace(doing, Doing::Nothing)
        {
            let (sent, time) = (exchange.sent, replica.time());
            match exchange.answer {
                Answer::Look(answer) => replica.election.looked(sent, answer, time),
                Answer::Write(answer) => replica.election.wrote(sent, answer, time),
            }
        }
        if matches!(doing, Doing::Nothing) {
            *doing = match replica.step() {
                Step::Wait(wait) => Doing::Waiting(now + wait),
                Step::Call(call, limit) => {
                    // One in ten takes longer than its sender waits, and arrives all the same.
                    let slow = rng.u32(0..10) == 0;
                    let takes = Duration::from_millis(rng.u64(0..if slow { 30_000 } else { 300 }));
                    let none = || WriteError::Unreachable("no answer".to_owned());
                    let answer = match call {
                        Call::Look => Answer::Look(Err(none())),
                        _ => Answer::Write(Err(none())),
                    };
                    Doing::Calling(Box::new(Exchange {
                        sent: now,
                        call: Some(call),
                        arrives: now + takes,
                        ends: now + takes.min(limit),
                        answer,
                    }))
                }
            };
        }
    }
}
