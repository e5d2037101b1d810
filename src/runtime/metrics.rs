//! The numbers at `/metrics`. No label takes the name or id of a pool, or a message.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::api::ModelArtsPoolSourceStatus;
use crate::controller::{Key, Machine, Notice, PassResult, fresh_until};
use crate::mirror::Step;

/// The documented phases; others count as `other`, so that the cloud can't make labels.
const PHASES: [&str; 8] = [
    "Creating",
    "Running",
    "Abnormal",
    "Deleting",
    "Error",
    "CreationFailed",
    "ScalingFailed",
    "Waiting",
];

type FloatGauge = Gauge<f64, AtomicU64>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    namespace: String,
    source: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    namespace: String,
    source: String,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StepLabels {
    namespace: String,
    source: String,
    step: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PhaseLabels {
    namespace: String,
    source: String,
    phase: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    operation: &'static str,
    code: String,
}

/// The values of the label `step`.
const STEPS: [&str; 2] = ["list", "total"];

/// All metrics of the controller.
pub struct Metrics {
    registry: Registry,
    /// Every result of a pass so far: a family can't be asked for its labels.
    results: Mutex<BTreeSet<&'static str>>,
    last_success: Family<SourceLabels, FloatGauge>,
    last_attempt: Family<SourceLabels, FloatGauge>,
    fresh_until: Family<SourceLabels, FloatGauge>,
    consecutive_failures: Family<SourceLabels, Gauge>,
    suspended: Family<SourceLabels, Gauge>,
    syncs: Family<ResultLabels, Counter>,
    sync_duration: Family<StepLabels, Histogram>,
    pools: Family<PhaseLabels, Gauge>,
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
            results: Mutex::default(),
            last_success: Family::default(),
            last_attempt: Family::default(),
            fresh_until: Family::default(),
            consecutive_failures: Family::default(),
            suspended: Family::default(),
            syncs: Family::default(),
            sync_duration: Family::new_with_constructor(durations),
            pools: Family::default(),
            mirror_writes: Family::default(),
            cloud_requests: Family::default(),
            cloud_request_duration: Family::new_with_constructor(durations),
            leader: Gauge::default(),
            tasks: Gauge::default(),
        };
        let mut gauge = |name: &str, help: &str, family: &Family<SourceLabels, FloatGauge>| {
            registry.register_with_unit(name, help, Unit::Seconds, family.clone());
        };
        gauge(
            "source_last_success_timestamp",
            "When the last successful pass of the source began; its mirrors are as old as this",
            &metrics.last_success,
        );
        gauge(
            "source_last_attempt_timestamp",
            "When the last pass of the source began, whatever came of it",
            &metrics.last_attempt,
        );
        gauge(
            "source_fresh_until_timestamp",
            "Until when the mirrors of the source count as fresh; alert when it is past",
            &metrics.fresh_until,
        );
        registry.register(
            "source_consecutive_failures",
            "Passes of the source that failed in a row; 0 after a success",
            metrics.consecutive_failures.clone(),
        );
        registry.register(
            "source_suspended",
            "1 while spec.suspend keeps the source from asking the cloud",
            metrics.suspended.clone(),
        );
        registry.register(
            "source_syncs",
            "Passes of the source by result: success, or the reason of the failure",
            metrics.syncs.clone(),
        );
        registry.register_with_unit(
            "source_sync_duration",
            "How long a pass took: step list until the listing was complete, step total until all was written",
            Unit::Seconds,
            metrics.sync_duration.clone(),
        );
        registry.register(
            "pools",
            "Pools of the last complete listing that are mirrored, by phase; other: a phase that is not documented, or none",
            metrics.pools.clone(),
        );
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
            Notice::PassEnded {
                source,
                report,
                listing,
                whole,
                failures,
            } => {
                let labels = labels(source);
                let started = seconds(report.started);
                self.last_attempt.get_or_create(&labels).set(started);
                self.consecutive_failures
                    .get_or_create(&labels)
                    .set(i64::from(*failures));
                let result = match &report.result {
                    PassResult::Succeeded { .. } => {
                        self.last_success.get_or_create(&labels).set(started);
                        let until = fresh_until(report.started, report.interval);
                        self.fresh_until
                            .get_or_create(&labels)
                            .set(until.map_or(started, seconds));
                        "success"
                    }
                    PassResult::Failed(failure) => failure.reason.as_str(),
                    PassResult::Suspended | PassResult::Begun => return,
                };
                let SourceLabels { namespace, source } = labels;
                for (step, duration) in STEPS.into_iter().zip([*listing, Some(*whole)]) {
                    if let Some(duration) = duration {
                        let labels = StepLabels {
                            namespace: namespace.clone(),
                            source: source.clone(),
                            step,
                        };
                        self.sync_duration
                            .get_or_create(&labels)
                            .observe(duration.as_secs_f64());
                    }
                }
                self.results().insert(result);
                self.syncs
                    .get_or_create(&ResultLabels {
                        namespace,
                        source,
                        result,
                    })
                    .inc();
            }
            Notice::SourceSeen(_) => {}
            Notice::SourceGone(source) => self.forget(source),
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
        for gauge in [&self.last_success, &self.last_attempt, &self.fresh_until] {
            gauge.clear();
        }
        self.consecutive_failures.clear();
        self.suspended.clear();
        self.pools.clear();
    }

    /// Sets the gauges that show what the machine knows of a source, its status included.
    pub fn show_source(&self, machine: &Machine, source: &Key) {
        let labels = labels(source);
        if let Some(source) = machine.sources().find(|s| s.key == *source) {
            self.seed(&labels, &source.status);
        }
        self.suspended
            .get_or_create(&labels)
            .set(i64::from(machine.is_suspended(source)));
        let mut by_phase: BTreeMap<&'static str, i64> = BTreeMap::new();
        for phase in machine.phases(source) {
            let phase = phase.map_or("other", |p| {
                PHASES
                    .into_iter()
                    .find(|known| *known == p)
                    .unwrap_or("other")
            });
            *by_phase.entry(phase).or_default() += 1;
        }
        for phase in PHASES.into_iter().chain(["other"]) {
            let labels = PhaseLabels {
                namespace: labels.namespace.clone(),
                source: labels.source.clone(),
                phase,
            };
            match by_phase.get(phase) {
                Some(count) => {
                    self.pools.get_or_create(&labels).set(*count);
                }
                None => {
                    self.pools.remove(&labels);
                }
            }
        }
    }

    /// Sets what no pass of this process has said yet from the status: after a restart the mirrors are
    /// as old as before, and an alert must not fall silent.
    fn seed(&self, labels: &SourceLabels, status: &ModelArtsPoolSourceStatus) {
        for (gauge, time) in [
            (&self.last_success, &status.last_sync_time),
            (&self.fresh_until, &status.fresh_until),
        ] {
            // What get() gives holds a lock that the other call needs.
            let unset = gauge.get(labels).is_none();
            if let Some(time) = time.as_ref().filter(|_| unset) {
                gauge.get_or_create(labels).set(seconds(time.0));
            }
        }
    }

    fn results(&self) -> std::sync::MutexGuard<'_, BTreeSet<&'static str>> {
        // A set of words is never half written.
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops the series of a source that is gone: namespaces come and go, and would fill the memory.
    fn forget(&self, source: &Key) {
        let labels = labels(source);
        for gauge in [&self.last_success, &self.last_attempt, &self.fresh_until] {
            gauge.remove(&labels);
        }
        self.consecutive_failures.remove(&labels);
        self.suspended.remove(&labels);
        for &result in self.results().iter() {
            let SourceLabels { namespace, source } = labels.clone();
            self.syncs.remove(&ResultLabels {
                namespace,
                source,
                result,
            });
        }
        for step in STEPS {
            let SourceLabels { namespace, source } = labels.clone();
            self.sync_duration.remove(&StepLabels {
                namespace,
                source,
                step,
            });
        }
        for phase in PHASES.into_iter().chain(["other"]) {
            let SourceLabels { namespace, source } = labels.clone();
            self.pools.remove(&PhaseLabels {
                namespace,
                source,
                phase,
            });
        }
    }
}

/// Where the cloud's client tells of its requests.
#[must_use]
pub fn observer(metrics: Arc<Metrics>) -> crate::modelarts::Observer {
    Arc::new(move |o| metrics.cloud_request(o.operation, o.code.clone(), o.duration))
}

fn labels(source: &Key) -> SourceLabels {
    SourceLabels {
        namespace: source.namespace.to_string(),
        source: source.name.to_string(),
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "seconds of an epoch fit a float exactly"
)]
fn seconds(time: jiff::Timestamp) -> f64 {
    time.as_second() as f64
}

#[cfg(test)]
#[path = "metrics_docs.rs"]
mod docs_are_generated;

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
