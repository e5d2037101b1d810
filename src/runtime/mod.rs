//! What every long-running part needs: logs, metrics, probes, the client, the lease, the end.

mod connections;
pub mod health;
pub mod kubernetes;
pub mod lease;
pub mod logs;
pub mod metrics;
pub mod server;
pub mod shutdown;
