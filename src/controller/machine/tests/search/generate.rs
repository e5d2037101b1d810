//! Random histories.

use fastrand::Rng;

use super::history::{CloudFault, Edit, History, Holder, Slow, SourceEdit, Step, WriteFault};

/// Numbers of pools are at most this. Most histories have six: small worlds show most.
pub(super) const MAX_POOLS: u8 = 29;
const SOURCES: u8 = 3;

/// The history of this number.
pub(super) fn history(number: u64) -> History {
    let rng = &mut Rng::with_seed(number);
    let pools = if rng.u8(..40) == 0 {
        MAX_POOLS + 1
    } else {
        rng.u8(1..=6)
    };
    let sources = rng.u8(1..=SOURCES);
    let mut steps: Vec<Step> = (0..sources)
        .map(|source| Step::MakeSource { source })
        .collect();
    for source in 0..sources {
        // Settings that only differ later are seldom worth it.
        for _ in 0..rng.u8(..4) {
            steps.push(Step::EditSource {
                source,
                what: source_edit(rng),
            });
        }
    }
    let crowd = rng.u8(..=pools);
    steps.extend((0..crowd).map(|pool| Step::Come {
        pool,
        workspace: u8::from(rng.u8(..6) == 0),
    }));
    // Each history is made of few kinds of steps, again and again: a mix of all of them seldom comes to
    // anything.
    let kinds: Vec<u8> = (0..rng.u8(2..=10)).map(|_| rng.u8(..KINDS)).collect();
    for _ in 0..rng.u8(3..=30) {
        if rng.u8(..3) > 0 {
            steps.push(Step::Pass {
                seconds: seconds(rng),
            });
        }
        let kind = *rng.choice(&kinds).unwrap_or(&0);
        steps.push(step(kind, pools, sources, rng));
    }
    History {
        seed: number,
        steps,
    }
}

const KINDS: u8 = 30;

fn step(kind: u8, pools: u8, sources: u8, rng: &mut Rng) -> Step {
    let pool = rng.u8(..pools);
    let source = rng.u8(..sources);
    let seconds = seconds(rng);
    match kind {
        0 => Step::Come {
            pool,
            workspace: rng.u8(..2),
        },
        1 | 2 => Step::Go { pool },
        3 => Step::GoAll { from: pool },
        4 => Step::Hide { pool },
        5 => Step::Return { pool },
        6 => Step::Change {
            pool,
            phase: rng.u8(..5),
            nodes: rng.u8(..9),
        },
        7 => Step::Reorder { pool },
        8 => Step::Move {
            pool,
            workspace: rng.u8(..2),
        },
        9 => Step::Replace { pool },
        10 => Step::Grow {
            pool,
            large: rng.bool(),
        },
        11 => Step::Label {
            pool,
            on: rng.bool(),
        },
        12 => Step::ListingFails {
            how: cloud_fault(rng),
            seconds,
        },
        13 => Step::ShowFails {
            how: cloud_fault(rng),
            seconds,
        },
        14 => Step::Unsaid { pool, seconds },
        15 => Step::CloudIsSlow {
            slow: slow(rng, 400_000),
            seconds,
        },
        16 => Step::SecretMissing { seconds },
        17 => Step::NewKey,
        18 => Step::Outage { seconds },
        19 => Step::WritesFail {
            how: write_fault(rng),
            seconds,
        },
        20 => Step::Refuse { pool, seconds },
        21 => Step::ApiIsSlow {
            slow: slow(rng, 4_000),
            seconds,
        },
        22 => Step::WatchesBreak {
            seconds: rng.u32(..60),
        },
        23 => Step::WatchesAreSlow {
            millis: up_to(rng, 10_000),
            seconds,
        },
        24 | 25 => Step::Edit {
            pool,
            what: edit(rng),
        },
        26 => Step::Occupy {
            pool,
            owner: holder(sources, rng),
        },
        27 => match rng.u8(..3) {
            0 => Step::DeleteSource {
                source,
                orphan: rng.bool(),
            },
            _ => Step::MakeSource { source },
        },
        28 => Step::EditSource {
            source,
            what: source_edit(rng),
        },
        _ => Step::Restart,
    }
}

/// Most often minutes, at most two hours.
fn seconds(rng: &mut Rng) -> u32 {
    match rng.u8(..40) {
        0 => rng.u32(600..7_200),
        _ => up_to(rng, 600),
    }
}

/// At most `max`, small numbers as often as large ones.
fn up_to(rng: &mut Rng, max: u32) -> u32 {
    let bits = rng.u32(0..=max.ilog2() + 1);
    rng.u32(0..=max.min((1 << bits) - 1))
}

fn slow(rng: &mut Rng, max: u32) -> Slow {
    Slow {
        millis: up_to(rng, max),
        request: rng.bool(),
    }
}

fn cloud_fault(rng: &mut Rng) -> CloudFault {
    match rng.u8(..4) {
        0 => CloudFault::Unavailable,
        1 => CloudFault::Incomplete,
        2 => CloudFault::Throttled(rng.u16(1..400)),
        _ => CloudFault::Rejected,
    }
}

fn write_fault(rng: &mut Rng) -> WriteFault {
    match rng.u8(..5) {
        0 => WriteFault::Conflict,
        1 => WriteFault::Throttled(rng.u8(..90)),
        2 => WriteFault::ServerError,
        3 => WriteFault::Forbidden,
        _ => WriteFault::AnswerLost,
    }
}

fn edit(rng: &mut Rng) -> Edit {
    let all = [
        Edit::Spec,
        Edit::Status,
        Edit::Conditions,
        Edit::OurLabel,
        Edit::OwnLabel,
        Edit::AddFinalizer,
        Edit::RemoveFinalizer,
        Edit::Delete,
        Edit::Disown,
    ];
    *rng.choice(&all).unwrap_or(&Edit::Delete)
}

fn holder(sources: u8, rng: &mut Rng) -> Holder {
    match rng.u8(..4) {
        0 => Holder::Nobody,
        1 => Holder::Stranger,
        2 => Holder::FormerSource,
        _ => Holder::Source(rng.u8(..sources)),
    }
}

fn source_edit(rng: &mut Rng) -> SourceEdit {
    match rng.u8(..10) {
        0 => SourceEdit::Interval(*rng.choice(&[5, 30, 60, 300, 3_600]).unwrap_or(&30)),
        1 => SourceEdit::Retain(rng.bool()),
        2 | 3 => SourceEdit::Grace(*rng.choice(&[0, 1, 30, 60, 600]).unwrap_or(&60)),
        4 => SourceEdit::Percent(*rng.choice(&[0, 50, 100]).unwrap_or(&50)),
        5 => SourceEdit::Suspend(rng.bool()),
        6 => SourceEdit::Workspaces(rng.u8(..4)),
        7 => SourceEdit::Selector(rng.bool()),
        8 => SourceEdit::Statuses(rng.u8(1..8)),
        _ => SourceEdit::Refresh,
    }
}
