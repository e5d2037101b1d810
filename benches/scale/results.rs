//! The raw results of a benchmark, and what is read from them: medians, and how a cost grows.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Everything that one benchmark has measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Results {
    /// The command that made them.
    pub command: String,
    /// The machine: CPU, cores, memory, kernel.
    pub machine: BTreeMap<String, String>,
    /// What was measured, and with what it was built.
    pub versions: BTreeMap<String, String>,
    /// In the order in which they were made.
    pub runs: Vec<Run>,
}

/// One contender with so many pools, once.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Who was measured.
    pub contender: String,
    /// Pools in the cloud; 0 for what does not depend on them.
    pub pools: usize,
    /// Which of several.
    pub repetition: usize,
    /// Values by name; the unit is part of the name. What was not measured is absent.
    pub measured: BTreeMap<String, f64>,
}

impl Results {
    fn values(&self, contender: &str, pools: usize, measure: &str) -> Vec<f64> {
        let runs = self
            .runs
            .iter()
            .filter(|r| r.contender == contender && r.pools == pools);
        let mut values: Vec<f64> = runs
            .filter_map(|r| r.measured.get(measure).copied())
            .collect();
        values.sort_by(f64::total_cmp);
        values
    }

    /// The median over the repetitions; nothing where it was not measured.
    pub fn median(&self, contender: &str, pools: usize, measure: &str) -> Option<f64> {
        let values = self.values(contender, pools, measure);
        values.get(values.len() / 2).copied()
    }

    /// The least and the most of several repetitions.
    pub fn spread(&self, contender: &str, pools: usize, measure: &str) -> Option<(f64, f64)> {
        let values = self.values(contender, pools, measure);
        let (first, last) = (values.first()?, values.last()?);
        (values.len() > 1).then_some((*first, *last))
    }

    /// The numbers of pools that this was measured with.
    pub fn sizes(&self, measure: &str) -> BTreeSet<usize> {
        let runs = self
            .runs
            .iter()
            .filter(|r| r.measured.contains_key(measure));
        runs.map(|r| r.pools).collect()
    }

    /// The exponent with which a cost grows with the number of pools: 1 is linear. Fitted over the medians of sizes from
    /// 100 on, below which what does not depend on the size rules; nothing where there are fewer than two.
    pub fn exponent(&self, contender: &str, measure: &str) -> Option<f64> {
        let sizes = self.sizes(measure).into_iter().filter(|&n| n >= 100);
        #[allow(clippy::cast_precision_loss, reason = "numbers of pools")]
        let points: Vec<(f64, f64)> = sizes
            .filter_map(|n| Some(((n as f64).ln(), self.median(contender, n, measure)?.ln())))
            .collect();
        slope(&points)
    }
}

/// The slope of the line with the least squares.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    if points.len() < 2 {
        return None;
    }
    #[allow(clippy::cast_precision_loss, reason = "a few points")]
    let count = points.len() as f64;
    let mean_x = points.iter().map(|p| p.0).sum::<f64>() / count;
    let mean_y = points.iter().map(|p| p.1).sum::<f64>() / count;
    let above: f64 = points.iter().map(|p| (p.0 - mean_x) * (p.1 - mean_y)).sum();
    let below: f64 = points.iter().map(|p| (p.0 - mean_x).powi(2)).sum();
    Some(above / below)
}
