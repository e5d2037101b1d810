//! Makes a history that breaks a law shorter.

use serde_json::Value;

use super::history::{History, Step};

/// The shortest history that is found to break a law still, as `breaks` tells.
pub(super) fn shrink(history: History, breaks: impl Fn(&History) -> bool) -> History {
    let mut best = history;
    loop {
        let before = best.clone();
        drop_steps(&mut best, &breaks);
        shorten_numbers(&mut best, &breaks);
        if best == before {
            return best;
        }
    }
}

/// Drops steps, by halves first, then one by one.
fn drop_steps(best: &mut History, breaks: &impl Fn(&History) -> bool) {
    let mut size = best.steps.len().div_ceil(2);
    while size > 0 {
        let mut from = 0;
        while from < best.steps.len() {
            let mut shorter = best.clone();
            let to = (from + size).min(shorter.steps.len());
            shorter.steps.drain(from..to);
            if breaks(&shorter) {
                *best = shorter;
            } else {
                from += size;
            }
        }
        size /= 2;
    }
}

/// Makes each number of each step smaller.
fn shorten_numbers(best: &mut History, breaks: &impl Fn(&History) -> bool) {
    for index in 0..best.steps.len() {
        let mut place = 0;
        while let Some(smaller) = smaller(&best.steps[index], place) {
            let found = smaller.into_iter().find_map(|step| {
                let mut shorter = best.clone();
                shorter.steps[index] = step;
                breaks(&shorter).then_some(shorter)
            });
            match found {
                Some(shorter) => *best = shorter,
                None => place += 1,
            }
        }
    }
}

/// The step with its number at `place` made smaller, by much first; nothing where it has no such number.
fn smaller(step: &Step, place: usize) -> Option<Vec<Step>> {
    let json = serde_json::to_value(step).expect("a step is JSON");
    let number = *numbers(&json).get(place)?;
    let candidates = [0, number / 2, number - number / 4, number.saturating_sub(1)];
    let with = |candidate: u64| {
        let mut json = json.clone();
        set_number(&mut json, &mut { place }, candidate);
        serde_json::from_value(json).ok()
    };
    Some(
        candidates
            .into_iter()
            .filter(|c| *c < number)
            .filter_map(with)
            .collect(),
    )
}

fn numbers(json: &Value) -> Vec<u64> {
    match json {
        Value::Number(number) => number.as_u64().into_iter().collect(),
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        Value::Object(members) => members.values().flat_map(numbers).collect(),
        _ => Vec::new(),
    }
}

/// Sets the number that comes after `left` others.
fn set_number(json: &mut Value, left: &mut usize, to: u64) -> bool {
    match json {
        Value::Number(number) if *left == 0 => {
            *number = to.into();
            true
        }
        Value::Number(_) => {
            *left -= 1;
            false
        }
        Value::Array(items) => items.iter_mut().any(|item| set_number(item, left, to)),
        Value::Object(members) => members.values_mut().any(|item| set_number(item, left, to)),
        _ => false,
    }
}
