//! The machine's own decisions, in a time of its own: races and paces that a real API server shows only
//! by chance.

mod absence;
mod freshness;
mod mirrors;
mod passes;
mod rig;

use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
