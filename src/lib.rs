//! Mirrors the resource pools of Huawei Cloud `ModelArts` into Kubernetes.

pub mod api;
pub mod cli;
pub mod controller;
pub mod mirror;
pub mod modelarts;
pub mod runtime;
pub mod simulator;
