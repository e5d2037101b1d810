//! A simulated `ModelArts` API, for trying out and for tests.
//!
//! It plays a [`Scenario`] (by default a small world that changes while one watches), checks signatures as the
//! real gateway does, and misbehaves on command. It must not be used by anything that mirrors: the controller
//! knows nothing of it, and meets it only over HTTP.
//!
//! ```text
//!   scenario ─► World (pure: scenario, time, commands) ─┐
//!   Gate (signatures, tokens, locks) ◄─ Issuers ────────┼─► Cloud (request + time ─► Answer) ─► server (HTTP)
//!   Faults, holds ──────────────────────────────────────┘         ▲
//!                            Control (commands in the process) ───┴── control_http (the same over loopback)
//! ```
//!
//! [`Simulator::start`] runs one; [`Simulator::control`] steers it. What it answers is what is publicly documented
//! of the real API; `docs/simulator.md` is the guide for people.

mod answer;
mod buckets;
mod change;
mod clock;
mod cloud;
mod control;
mod control_http;
mod credentials;
mod errors;
mod fault;
mod gate;
mod generate;
mod issuers;
mod listing;
mod pools;
mod query;
mod requests;
mod scenario;
mod selection;
mod selector;
mod server;
mod span;
mod world;

#[cfg(test)]
mod default_world_tests;
#[cfg(test)]
mod http_tests;

pub use change::Change;
pub use clock::Clock;
pub use control::Control;
pub use credentials::{
    AccessKey, Credentials, DEFAULT_ACCESS_KEY, DEFAULT_POD_TOKEN, DEFAULT_SECRET_KEY,
    DEFAULT_USER, Metadata, User,
};
pub use errors::{DOCUMENTED_ERRORS, DocumentedError};
pub use fault::{Fault, Preset};
pub use generate::Generate;
pub use requests::{Requests, Seen};
pub use scenario::{
    DEFAULT_PROJECT_ID, DEFAULT_WORKSPACE, Event, Scenario, ScenarioError, ScenarioPool, Workspace,
};
pub use selection::{Match, Operation, Selection};
pub use selector::Selector;
pub use server::{Options, Simulator, StartError, serve};
pub use world::{CommandError, World};
