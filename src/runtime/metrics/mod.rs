//! The numbers at `/metrics`. No label takes the name or id of a pool, or a message.

mod labels;
mod nodes;
mod sources;
mod text;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::controller::{Key, Machine, Notice};
use crate::mirror::Step;
use labels::{OperationLabels, RequestLabels};
use sources::SourceMetrics;
pub(super) use text::{OPENMETRICS, PROMETHEUS};

type FloatGauge = Gauge<f64, AtomicU64>;

/// All metrics of the controller.
pub struct Metrics {
    registry: Registry,
    sources: SourceMetrics,
    mirror_writes: Family<OperationLabels, Counter>,
    cloud_requests: Family<RequestLabels, Counter>,
    cloud_request_duration: Family<OperationLabels, Histogram>,
    leader: Gauge,
    tasks: Gauge,
}

fn durations() -> Histogram {
    // From a quiet listing of ten pools to a first mirror of many thousands.
    Histogram::new([
        0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
    ])
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("modelarts");
        let metrics = Self {
            registry: Registry::default(),
            sources: SourceMetrics::new(&mut registry),
            mirror_writes: Family::default(),
            cloud_requests: Family::default(),
            cloud_request_duration: Family::new_with_constructor(durations),
            leader: Gauge::default(),
            tasks: Gauge::default(),
        };
        registry.register(
            "mirror_writes",
            "Accepted writes to mirrors by operation: create, update (metadata and spec), status; none while nothing changes",
            metrics.mirror_writes.clone(),
        );
        registry.register(
            "cloud_requests",
            "Requests to the cloud by operation and HTTP status, or what happened instead of one; a body that breaks off counts by its status",
            metrics.cloud_requests.clone(),
        );
        registry.register_with_unit(
            "cloud_request_duration",
            "How long requests to the cloud took, until the head of the answer was read",
            Unit::Seconds,
            metrics.cloud_request_duration.clone(),
        );
        registry.register(
            "leader",
            "1 on the replica that lists and writes, 0 on those that stand by; alert when none says 1",
            metrics.leader.clone(),
        );
        registry.register(
            "runtime_tasks",
            "Tasks of the process that have not ended; a number that grows for hours is a leak",
            metrics.tasks.clone(),
        );
        registry.register(
            "build",
            "The version that runs",
            Info::new(vec![(
                "version".to_owned(),
                env!("CARGO_PKG_VERSION").to_owned(),
            )]),
        );
        Self {
            registry,
            ..metrics
        }
    }
}

impl Metrics {
    /// The metrics in the text format of `OpenMetrics`.
    #[must_use]
    pub fn encode(&self) -> String {
        // None outside of a runtime: there is no task then.
        let tasks = tokio::runtime::Handle::try_current().map(|r| r.metrics().num_alive_tasks());
        self.tasks
            .set(tasks.map_or(0, |n| i64::try_from(n).unwrap_or(i64::MAX)));
        let mut text = String::new();
        // Writing to a string does not fail; a metric that does is left out rather than the server.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// The metrics in the text format of Prometheus.
    #[must_use]
    pub fn encode_for_prometheus(&self) -> String {
        text::prometheus_text(&self.encode())
    }

    /// Counts an accepted write to a mirror.
    pub fn mirror_written(&self, step: Step) {
        let operation = match step {
            Step::Create => "create",
            Step::Apply | Step::ReplaceOwner => "update",
            Step::ApplyStatus | Step::PatchStatus => "status",
            Step::Delete => "delete",
            Step::Nothing | Step::Conflict => return,
        };
        self.mirror_writes
            .get_or_create(&OperationLabels { operation })
            .inc();
    }

    /// Counts a request to the cloud.
    pub fn cloud_request(&self, operation: &'static str, code: String, duration: Duration) {
        self.cloud_requests
            .get_or_create(&RequestLabels { operation, code })
            .inc();
        self.cloud_request_duration
            .get_or_create(&OperationLabels { operation })
            .observe(duration.as_secs_f64());
    }

    /// Takes in what the loop noticed.
    pub fn note(&self, notice: &Notice) {
        match notice {
            Notice::PassEnded { .. } => self.sources.pass_ended(notice),
            Notice::SourceSeen(_) => {}
            Notice::SourceGone(source) => self.sources.forget(source),
        }
    }

    /// From now on this replica lists and writes.
    pub fn lead(&self) {
        self.leader.set(1);
    }

    /// It does not, or no more. The gauges of sources go: another replica has newer ones. What was
    /// counted stays counted.
    pub fn stand_by(&self) {
        self.leader.set(0);
        self.sources.clear_gauges();
    }

    /// Sets the gauges that show what the machine knows of a source, its status included.
    pub fn show_source(&self, machine: &Machine, source: &Key) {
        self.sources.show(machine, source);
    }
}

/// Where the cloud's client tells of its requests.
#[must_use]
pub fn observer(metrics: Arc<Metrics>) -> crate::modelarts::Observer {
    Arc::new(move |o| metrics.cloud_request(o.operation, o.code.clone(), o.duration))
}

#[cfg(test)]
#[path = "docs.rs"]
mod docs_are_generated;

#[cfg(test)]
mod tests;
