//! The core: what a mirror should be, what it is, and which write makes it so.
//!
//! Everything but [`apply`] and `unfit` is pure. Nothing here knows of HTTP to the cloud: a pool comes in as
//! the JSON of one item of a listing.

pub mod apply;
mod body;
mod conform;
mod counts;
mod desired;
mod fingerprint;
mod metadata;
mod observed;
mod observed_conditions;
mod plan;
mod prune;
mod situation;
pub(crate) mod unfit;

pub use conform::PoolShape;
pub use counts::FlavorCounts;
pub use desired::{Desired, Readiness, Skip, SkipReason, desired, shown_id, text_fingerprint};
pub(crate) use fingerprint::whole;
pub use fingerprint::{Fingerprint, fingerprint};
pub(crate) use metadata::{is_cloud_key, is_dns1123_subdomain};
pub use observed::{Controller, Observed};
pub use observed_conditions::ObservedConditions;
pub use plan::{Counts, Existence, Owner, Step, Wanted, plan};
pub use prune::{Absence, Disappearance, PruneRules, Question, RECHECK, is_leaving};
pub use situation::{Freshness, Presence, conditions};
