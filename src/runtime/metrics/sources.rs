//! The series of each source: what its passes and its status say, as long as it is there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::labels::{
    NodeLabels, OTHER, PHASES, PhaseLabels, ResultLabels, SKIP_REASONS, STEPS, SkipLabels,
    SourceLabels, StepLabels, phase_label,
};
use super::nodes::{nodes_by_flavor, states};
use super::{FloatGauge, durations};
use crate::api::ModelArtsPoolSourceStatus;
use crate::api::conditions::PRUNE_HALTED;
use crate::controller::{Key, Machine, Notice, PassResult, Report, fresh_until};
use crate::mirror::Skip;

/// What is said of each source.
pub(super) struct SourceMetrics {
    /// Every result of a pass so far: a family can't be asked for its labels.
    pub(super) results: Mutex<BTreeSet<&'static str>>,
    /// The series of nodes that each source has.
    pub(super) nodes_shown: Mutex<BTreeMap<SourceLabels, Vec<NodeLabels>>>,
    pub(super) last_success: Family<SourceLabels, FloatGauge>,
    pub(super) last_attempt: Family<SourceLabels, FloatGauge>,
    pub(super) fresh_until: Family<SourceLabels, FloatGauge>,
    pub(super) consecutive_failures: Family<SourceLabels, Gauge>,
    pub(super) suspended: Family<SourceLabels, Gauge>,
    pub(super) prune_halted: Family<SourceLabels, Gauge>,
    pub(super) syncs: Family<ResultLabels, Counter>,
    pub(super) sync_duration: Family<StepLabels, Histogram>,
    pub(super) pools: Family<PhaseLabels, Gauge>,
    pub(super) nodes: Family<NodeLabels, Gauge>,
    pub(super) skipped: Family<SkipLabels, Gauge>,
}

impl SourceMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            results: Mutex::default(),
            nodes_shown: Mutex::default(),
            last_success: Family::default(),
            last_attempt: Family::default(),
            fresh_until: Family::default(),
            consecutive_failures: Family::default(),
            suspended: Family::default(),
            prune_halted: Family::default(),
            syncs: Family::default(),
            sync_duration: Family::new_with_constructor(durations),
            pools: Family::default(),
            nodes: Family::default(),
            skipped: Family::default(),
        };
        let mut time = |name: &str, help: &str, family: &Family<SourceLabels, FloatGauge>| {
            registry.register_with_unit(name, help, Unit::Seconds, family.clone());
        };
        time(
            "source_last_success_timestamp",
            "When the last successful pass of the source began; its mirrors are as old as this",
            &metrics.last_success,
        );
        time(
            "source_last_attempt_timestamp",
            "When the last pass of the source began, whatever came of it",
            &metrics.last_attempt,
        );
        time(
            "source_fresh_until_timestamp",
            "Until when the mirrors of the source count as fresh; alert when it is past",
            &metrics.fresh_until,
        );
        let mut count = |name: &str, help: &str, family: &Family<SourceLabels, Gauge>| {
            registry.register(name, help, family.clone());
        };
        count(
            "source_consecutive_failures",
            "Passes of the source that failed in a row; 0 after a success",
            &metrics.consecutive_failures,
        );
        count(
            "source_suspended",
            "1 while spec.suspend keeps the source from asking the cloud",
            &metrics.suspended,
        );
        count(
            "source_prune_halted",
            "1 while mirrors of missing pools are kept because too many are missing at once or the cloud does not confirm it; the condition PruneHalted of the source says why",
            &metrics.prune_halted,
        );
        registry.register(
            "source_skipped_pools",
            "Pools of the last complete listing that can't be mirrored, by reason; status.skipped of the source names them",
            metrics.skipped.clone(),
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
            "pool_nodes",
            "Nodes of the Dedicate pools of the last complete listing by flavor and state; as old as the last success, and missing where the cloud does not say: that is not 0",
            metrics.nodes.clone(),
        );
        metrics
    }

    /// Takes in how a pass ended.
    pub(super) fn pass_ended(&self, notice: &Notice) {
        let Notice::PassEnded {
            source,
            report,
            listing,
            whole,
            failures,
            ..
        } = notice
        else {
            return;
        };
        let labels = SourceLabels::of(source);
        let started = seconds(report.started);
        self.last_attempt.get_or_create(&labels).set(started);
        self.consecutive_failures
            .get_or_create(&labels)
            .set(i64::from(*failures));
        let result = match &report.result {
            PassResult::Succeeded { skipped, halt, .. } => {
                self.succeeded(&labels, report, skipped, halt.is_some());
                "success"
            }
            PassResult::Failed(failure) => failure.reason.as_str(),
            PassResult::Suspended | PassResult::Begun => return,
        };
        for (step, duration) in STEPS.into_iter().zip([*listing, Some(*whole)]) {
            if let Some(duration) = duration {
                self.sync_duration
                    .get_or_create(&labels.step(step))
                    .observe(duration.as_secs_f64());
            }
        }
        locked(&self.results).insert(result);
        self.syncs.get_or_create(&labels.result(result)).inc();
    }

    fn succeeded(&self, labels: &SourceLabels, report: &Report, skipped: &[Skip], halted: bool) {
        let started = seconds(report.started);
        self.last_success.get_or_create(labels).set(started);
        let until = fresh_until(report.started, report.interval);
        self.fresh_until
            .get_or_create(labels)
            .set(until.map_or(started, seconds));
        self.prune_halted
            .get_or_create(labels)
            .set(i64::from(halted));
        for reason in SKIP_REASONS {
            let count = skipped.iter().filter(|skip| skip.reason == reason).count();
            self.skipped
                .get_or_create(&labels.skip(reason))
                .set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// Sets the gauges that show what the machine knows of a source, its status included.
    pub(super) fn show(&self, machine: &Machine, source: &Key) {
        let labels = SourceLabels::of(source);
        if let Some(source) = machine.sources().find(|s| s.key == *source) {
            self.seed(&labels, &source.status);
        }
        self.suspended
            .get_or_create(&labels)
            .set(i64::from(machine.is_suspended(source)));
        let mut by_phase: BTreeMap<&'static str, i64> = BTreeMap::new();
        for pool in machine.listed_pools(source) {
            *by_phase
                .entry(phase_label(pool.phase.as_deref()))
                .or_default() += 1;
        }
        for phase in PHASES.into_iter().chain([OTHER]) {
            let labels = labels.phase(phase);
            match by_phase.get(phase) {
                Some(count) => {
                    self.pools.get_or_create(&labels).set(*count);
                }
                None => {
                    self.pools.remove(&labels);
                }
            }
        }
        self.show_nodes(machine, source, labels);
    }

    fn show_nodes(&self, machine: &Machine, source: &Key, labels: SourceLabels) {
        let mut shown = Vec::new();
        for (flavor, counts) in nodes_by_flavor(machine.listed_pools(source)) {
            for (state, count) in states(&counts) {
                if let Some(count) = count {
                    let labels = labels.nodes(flavor, state);
                    self.nodes.get_or_create(&labels).set(count);
                    shown.push(labels);
                }
            }
        }
        let before = if shown.is_empty() {
            locked(&self.nodes_shown).remove(&labels)
        } else {
            locked(&self.nodes_shown).insert(labels, shown.clone())
        };
        // What is shown no more is not 0: nobody says so.
        let kept: BTreeSet<_> = shown.iter().map(|l| (&l.flavor, l.state)).collect();
        for labels in before.into_iter().flatten() {
            if !kept.contains(&(&labels.flavor, labels.state)) {
                self.nodes.remove(&labels);
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
        let unset = self.prune_halted.get(labels).is_none();
        let halted = status.condition(PRUNE_HALTED);
        if unset && halted.is_some_and(|c| c.status == "True") {
            self.prune_halted.get_or_create(labels).set(1);
        }
    }

    /// Drops the gauges of all sources: another replica has newer ones. What was counted stays counted.
    pub(super) fn clear_gauges(&self) {
        for gauge in [&self.last_success, &self.last_attempt, &self.fresh_until] {
            gauge.clear();
        }
        self.consecutive_failures.clear();
        self.suspended.clear();
        self.prune_halted.clear();
        self.pools.clear();
        self.nodes.clear();
        self.skipped.clear();
        locked(&self.nodes_shown).clear();
    }

    /// Drops the series of a source that is gone: namespaces come and go, and would fill the memory.
    pub(super) fn forget(&self, source: &Key) {
        let labels = SourceLabels::of(source);
        for gauge in [&self.last_success, &self.last_attempt, &self.fresh_until] {
            gauge.remove(&labels);
        }
        for gauge in [
            &self.consecutive_failures,
            &self.suspended,
            &self.prune_halted,
        ] {
            gauge.remove(&labels);
        }
        for &result in locked(&self.results).iter() {
            self.syncs.remove(&labels.result(result));
        }
        for step in STEPS {
            self.sync_duration.remove(&labels.step(step));
        }
        for phase in PHASES.into_iter().chain([OTHER]) {
            self.pools.remove(&labels.phase(phase));
        }
        for reason in SKIP_REASONS {
            self.skipped.remove(&labels.skip(reason));
        }
        for labels in locked(&self.nodes_shown).remove(&labels).iter().flatten() {
            self.nodes.remove(labels);
        }
    }
}

/// Of what is never half written: a panic elsewhere spoils nothing.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[allow(
    clippy::cast_precision_loss,
    reason = "seconds of an epoch fit a float exactly"
)]
fn seconds(time: jiff::Timestamp) -> f64 {
    time.as_second() as f64
}
