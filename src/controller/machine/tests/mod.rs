//! The machine's own decisions, in a time of its own: races and paces that a real API server shows only
//! by chance.

mod absence;
mod api;
mod api_server_trouble;
mod confirmations;
mod failures;
mod freshness;
mod keys;
mod leadership;
mod metrics;
mod mirrors;
mod passes;
mod restarts;
mod rig;
mod search;
mod slow_cloud;

use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
