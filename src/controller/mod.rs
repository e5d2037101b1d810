//! Keeps the mirrors of every source as they should be.
//!
//! A pass of a source is `fetch → desired → plan → apply → report`. The heart of the loop is
//! [`Machine`], plain data that takes what happened and says what to do next; `controller::run` feeds it from
//! the watches, the cloud and the API server, and performs what it says.

mod ambient;
mod events;
mod fetch;
mod identity;
mod key;
mod log;
mod machine;
mod pace;
pub mod plan;
mod reason;
mod report;
mod run;
mod source;
mod watch;
mod write;

pub use ambient::AmbientNamespaces;
pub use events::{Event, News};
pub use fetch::Listing;
pub use key::Key;
pub use machine::{
    Action, Changes, Confirmation, CredentialsError, Input, Limits, ListingError, Machine, Notice,
    Now, PoolAnswer, Rejection, SourceIdentity, WriteOrder, WriteTicket,
};
pub use reason::FailureReason;
pub use report::{PassFailure, PassResult, PruneHalt, Report, fresh_until, status_after};
pub use run::{Options, run};
pub use source::{Settings, Source};
