//! What the integration tests share.

#![allow(
    unreachable_pub,
    reason = "one binary: the tests beside this module are all that reach it"
)]

pub mod audit;
pub mod chart;
pub mod cluster;
pub mod controller;
pub mod env;
pub mod generated;
pub mod metrics;
pub mod process;
