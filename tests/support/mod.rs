//! What the integration tests share.

#![allow(dead_code, reason = "the tests and the benchmark each use a part")]
#![allow(
    unreachable_pub,
    reason = "one binary: the tests beside this module are all that reach it"
)]

pub mod alerts;
pub mod audit;
pub mod chart;
pub mod cluster;
pub mod compatibility;
pub mod controller;
pub mod curl;
pub mod differences;
pub mod env;
pub mod expected;
pub mod generated;
pub mod go;
pub mod markdown;
pub mod metrics;
pub mod node;
pub mod plan;
pub mod policy;
pub mod process;
pub mod prometheus;
pub mod proxy;
pub mod replicas;
pub mod sdk;
pub mod shell;
pub mod webhook;
pub mod wire;
