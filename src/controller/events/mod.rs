//! Kubernetes events: what is worth one, how many, and how they are published.
//!
//! What is worth an event is told by comparing what is stored with what is about to be: so that an
//! event comes once, also over restarts, and only where the write was accepted.

mod budget;
mod news;
mod publish;

pub(super) use budget::Budget;
pub use news::News;
pub(super) use news::{
    Edit, Removal, of_mirror, of_removal, of_restoration, of_source, of_unwritten_status,
};
pub(super) use publish::publish;

use jiff::Timestamp;

use super::key::Key;

/// An event, and the object that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Kind of the object: a mirror's or a source's.
    pub kind: &'static str,
    /// The object.
    pub object: Key,
    /// Its uid.
    pub uid: Box<str>,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub news: News,
}
