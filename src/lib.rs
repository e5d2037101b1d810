//! Mirrors the resource pools of Huawei Cloud `ModelArts` into Kubernetes.
//!
//! One pass over a source goes through these, and each knows only those after it:
//!
//! - [`cli`]: one file per subcommand; flags become what the others take.
//! - [`controller`]: the loop. `controller::machine` decides in pure code what is listed and written
//!   when; `controller::run` performs it, `controller::watch` feeds it what the API server says.
//! - [`mirror`]: the core. What a mirror should be, what it is, and which write makes it so; pure but for
//!   `mirror::apply`.
//! - [`modelarts`]: the cloud. A client that can only read, credentials, signatures, errors. It knows
//!   nothing of Kubernetes, and [`mirror`] nothing of it.
//! - [`api`]: the custom resources, their definitions and conditions.
//! - [`api_server`]: calls to the API server: how long one may take, and what its failure means.
//!
//! Without the feature `controller`, which is on by default, [`api`] is all there is: types for operators
//! that read mirrors, without a client of their own. `docs/consuming.md` tells what they may rely on.
//!
//! Beside them, [`runtime`] is what any controller needs (probes, metrics, logs, shutdown), and
//! [`simulator`] a `ModelArts` to try things out with.

pub mod api;
#[cfg(feature = "controller")]
pub mod api_server;
#[cfg(feature = "controller")]
pub mod cli;
#[cfg(feature = "controller")]
pub mod controller;
#[cfg(feature = "controller")]
pub mod mirror;
#[cfg(feature = "controller")]
pub mod modelarts;
#[cfg(feature = "controller")]
pub mod runtime;
#[cfg(feature = "controller")]
pub mod simulator;
