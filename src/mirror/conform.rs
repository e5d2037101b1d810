//! Makes the JSON of the cloud such that the API server accepts it, whatever it is.
//!
//! The shape comes from the schema of the CRD itself, so that what is checked here is what the API
//! server checks. A known field of a wrong type is left out, after the tolerances that the cloud's
//! own versions need (a number as a string, one object for an array); what is unknown is kept.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use serde_json::{Map, Value};

use super::fingerprint::whole;
use crate::api::ModelArtsPool;

/// The shapes of a mirror's spec and status.
#[derive(Debug)]
pub struct PoolShape {
    spec: Shape,
    status: Shape,
}

/// What the API server accepts in one place.
#[derive(Debug)]
enum Shape {
    String,
    DateTime,
    Integer,
    Boolean,
    Array(Box<Shape>),
    /// An object with known fields; others are kept.
    Object(BTreeMap<String, Shape>),
    /// An object whose values all have one shape.
    Map(Box<Shape>),
    /// Anything.
    Any,
}

impl PoolShape {
    /// The shapes of the CRD that this program writes.
    #[must_use]
    pub fn of_the_crd() -> Self {
        let crd = ModelArtsPool::crd();
        let schema = crd
            .spec
            .versions
            .into_iter()
            .next()
            .and_then(|v| v.schema?.open_api_v3_schema);
        let mut properties = schema.and_then(|s| s.properties).unwrap_or_default();
        let mut part = |name: &str| {
            properties
                .remove(name)
                .map_or(Shape::Any, |s| Shape::of(&s))
        };
        Self {
            spec: part("spec"),
            status: part("status"),
        }
    }

    /// The cloud's spec as the API server accepts it.
    pub(super) fn spec(&self, spec: Map<String, Value>) -> Map<String, Value> {
        conform_object(spec, &self.spec)
    }

    /// The cloud's status as the API server accepts it.
    pub(super) fn status(&self, status: Map<String, Value>) -> Map<String, Value> {
        conform_object(status, &self.status)
    }
}

impl Shape {
    fn of(schema: &JSONSchemaProps) -> Self {
        match schema.type_.as_deref() {
            Some("string") if schema.format.as_deref() == Some("date-time") => Self::DateTime,
            Some("string") => Self::String,
            Some("integer") => Self::Integer,
            Some("boolean") => Self::Boolean,
            Some("array") => match &schema.items {
                Some(JSONSchemaPropsOrArray::Schema(item)) => Self::Array(Box::new(Self::of(item))),
                _ => Self::Any,
            },
            Some("object") => match (&schema.properties, &schema.additional_properties) {
                (Some(fields), _) => Self::Object(
                    fields
                        .iter()
                        .map(|(name, field)| (name.clone(), Self::of(field)))
                        .collect(),
                ),
                (None, Some(JSONSchemaPropsOrBool::Schema(value))) => {
                    Self::Map(Box::new(Self::of(value)))
                }
                _ => Self::Object(BTreeMap::new()),
            },
            _ => Self::Any,
        }
    }
}

fn conform_object(object: Map<String, Value>, shape: &Shape) -> Map<String, Value> {
    match conform(Value::Object(object), shape) {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

/// `value` in `shape`, or nothing where it has another type.
fn conform(value: Value, shape: &Shape) -> Option<Value> {
    match (shape, value) {
        (Shape::Any, value) => Some(value),
        // A null in a known field says the same as its absence.
        (_, Value::Null) => None,
        (Shape::String, value) => text(value).map(Value::String),
        (Shape::DateTime, Value::String(s)) => s
            .parse::<Timestamp>()
            .ok()
            .map(|t| Value::String(t.to_string())),
        (Shape::Integer, value) => integer(&value).map(Value::from),
        (Shape::Boolean, Value::Bool(b)) => Some(Value::Bool(b)),
        (Shape::Boolean, Value::String(s)) => s.parse().ok().map(Value::Bool),
        (Shape::Array(item), Value::Array(items)) => Some(Value::Array(
            items.into_iter().filter_map(|i| conform(i, item)).collect(),
        )),
        // Some versions of the cloud's API send one object where others send an array of them.
        (Shape::Array(item), value @ Value::Object(_)) => {
            conform(value, item).map(|one| Value::Array(vec![one]))
        }
        (Shape::Object(fields), Value::Object(object)) => Some(Value::Object(
            object
                .into_iter()
                .filter_map(|(key, value)| {
                    let value = match fields.get(&key) {
                        Some(shape) => conform(value, shape)?,
                        None => value,
                    };
                    Some((key, value))
                })
                .collect(),
        )),
        (Shape::Map(shape), Value::Object(object)) => Some(Value::Object(
            object
                .into_iter()
                .filter_map(|(k, v)| Some((k, conform(v, shape)?)))
                .collect(),
        )),
        _ => None,
    }
}

/// A string, also where the cloud sends a number or a boolean for one.
pub(super) fn text(value: Value) -> Option<String> {
    match value {
        Value::String(s) => Some(s),
        Value::Number(n) => Some(n.to_string()),
        Value::Bool(b) => Some(b.to_string()),
        _ => None,
    }
}

/// An integer of 64 bits, also where the cloud sends a string for one. A fraction is no integer.
fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(n) => n
            .as_i64()
            .or_else(|| n.as_f64().filter(|_| !n.is_u64()).and_then(whole)),
        Value::String(s) => s.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(object) => object,
            other => panic!("not an object: {other}"),
        }
    }

    fn spec(value: Value) -> Value {
        Value::Object(PoolShape::of_the_crd().spec(object(value)))
    }

    fn status(value: Value) -> Value {
        Value::Object(PoolShape::of_the_crd().status(object(value)))
    }

    #[test]
    fn what_fits_is_kept_as_it_is() {
        let good = json!({"type": "Dedicate", "scope": ["Train"], "controlMode": 9,
            "resources": [{"flavor": "f", "count": 2, "extendParams": {"dockerBaseSize": "50", "deep": {"x": [1, null]}}}]});
        assert_eq!(spec(good.clone()), good);
    }

    #[test]
    fn numbers_as_strings_and_strings_as_numbers() {
        assert_eq!(
            spec(
                json!({"controlMode": "9", "type": 5, "resources": [{"count": " 2 ", "dataVolumes": [{"size": 100, "count": "1"}]}]})
            ),
            json!({"controlMode": 9, "type": "5", "resources": [{"count": 2, "dataVolumes": [{"size": "100", "count": 1}]}]})
        );
        assert_eq!(
            spec(json!({"ipv6enable": "true"})),
            json!({"ipv6enable": true})
        );
    }

    #[test]
    fn one_object_stands_for_an_array_of_one() {
        assert_eq!(
            status(
                json!({"resources": {"available": {"flavor": "f", "count": 1}, "creating": null}, "clusters": {"name": "c", "plugins": {"name": "p"}}})
            ),
            json!({"resources": {"available": [{"flavor": "f", "count": 1}]}, "clusters": [{"name": "c", "plugins": [{"name": "p"}]}]})
        );
    }

    #[test]
    fn a_known_field_of_a_wrong_type_is_left_out_and_the_rest_stays() {
        assert_eq!(
            spec(
                json!({"type": {"no": 1}, "scope": ["a", null, 7, {}], "controlMode": 1.5, "network": "n", "jobFlavors": "x",
                "clusterFlavor": "kept", "resources": [{"count": 9_223_372_036_854_775_808_u64, "flavor": "f"}, "odd"]})
            ),
            json!({"scope": ["a", "7"], "clusterFlavor": "kept", "resources": [{"flavor": "f"}]})
        );
        assert_eq!(
            status(json!({"resources": [], "phase": "Running"})),
            json!({"phase": "Running"})
        );
    }

    #[test]
    fn unknown_fields_are_kept_at_every_level() {
        let odd = json!({"new": {"a": [null, {}, 1.5]}, "resources": [{"flavor": "f", "new": null}], "network": {"new": []}});
        assert_eq!(spec(odd.clone()), odd);
        let odd = json!({"driver": {"npu": {"version": "1", "new": 1}, "fpga": {"x": 1}}});
        assert_eq!(status(odd.clone()), odd);
    }

    #[test]
    fn whole_floats_are_integers() {
        assert_eq!(spec(json!({"controlMode": 8.0})), json!({"controlMode": 8}));
    }
}
