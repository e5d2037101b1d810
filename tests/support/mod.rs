//! What the integration tests share.

pub mod audit;
pub mod cluster;
pub mod controller;
pub mod env;
