//! The answers of the simulated API: status, headers, bytes, and how they are delivered.
//!
//! Owns the shapes of errors and what each preset fault makes of an answer. Sends nothing.

use std::{sync::Arc, time::Duration};

use axum::body::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    errors::{documented, is_of_a_gateway},
    fault::{Fault, Preset},
    listing::render,
};

/// An answer that is ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
    pub(super) delivery: Delivery,
    /// To wait before the first byte.
    pub(super) delay: Duration,
}

/// How much of an answer arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// All of it.
    Whole,
    /// The headers and half of the body, then the connection ends.
    Cut,
    /// Nothing, ever.
    Never,
}

impl Answer {
    pub(super) fn ok(body: impl Into<Bytes>) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: body.into(),
            delivery: Delivery::Whole,
            delay: Duration::ZERO,
        }
    }

    /// An answer that is no JSON.
    pub(super) fn text(status: u16, text: &str) -> Self {
        Self {
            status,
            ..Self::ok(text.to_owned())
        }
    }

    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            ..Self::ok(body.to_string())
        }
    }

    /// An error of the service behind the gateway: no request id in the body.
    pub(super) fn service_error(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, &json!({"error_code": code, "error_msg": message}))
    }

    /// An error of the gateway: the request id is in the body too.
    pub(super) fn gateway_error(status: u16, code: &str, message: &str, request_id: &str) -> Self {
        Self::json(
            status,
            &json!({"error_msg": message, "error_code": code, "request_id": request_id}),
        )
    }

    /// What a fault makes of the true answer.
    pub(super) fn spoiled(
        self,
        fault: &Fault,
        items: &[Arc<str>],
        request_id: &str,
        now: Timestamp,
    ) -> Self {
        let delay = Duration::from_millis(fault.slow.unwrap_or(0));
        let mut spoiled = match fault.preset {
            _ if fault.is_only_slow() => self,
            Some(preset) => self.preset(preset, fault, items, request_id),
            None => Self::by_status(fault, request_id),
        };
        if let Some(retry_after) = fault.retry_after(now) {
            spoiled.headers.push(("retry-after", retry_after));
        }
        Self { delay, ..spoiled }
    }

    fn by_status(fault: &Fault, request_id: &str) -> Self {
        let error = documented(fault.status, fault.code.as_deref());
        let otherwise = if fault.body.is_some() {
            200
        } else {
            error.status
        };
        let status = fault.status.unwrap_or(otherwise);
        match &fault.body {
            Some(Value::String(text)) => Self {
                status,
                ..Self::ok(text.clone())
            },
            Some(body) => Self::json(status, body),
            None => {
                let code = fault.code.as_deref().unwrap_or(error.code);
                let message = fault.message.as_deref().unwrap_or(error.message);
                if is_of_a_gateway(code) {
                    Self::gateway_error(status, code, message, request_id)
                } else {
                    Self::service_error(status, code, message)
                }
            }
        }
    }

    fn preset(self, preset: Preset, fault: &Fault, items: &[Arc<str>], request_id: &str) -> Self {
        let list = |kind, metadata: Option<Value>, items: &[Arc<str>]| {
            Self::ok(render(kind, metadata.as_ref(), items))
        };
        match preset {
            Preset::Truncated => Self {
                body: self.body.slice(..self.body.len() / 2),
                ..self
            },
            Preset::EmptyObject => Self::ok("{}"),
            Preset::ItemsNull => Self::ok(r#"{"kind":"PoolList","apiVersion":"v2","items":null}"#),
            Preset::ErrorWith200 => {
                let error = documented(None, fault.code.as_deref());
                let code = fault.code.as_deref().unwrap_or(error.code);
                Self::service_error(200, code, fault.message.as_deref().unwrap_or(error.message))
            }
            Preset::WrongKind => list("NodeList", None, &[]),
            Preset::ItemWithoutId => {
                let nameless =
                    r#"{"kind":"Pool","apiVersion":"v2","metadata":{},"spec":{},"status":{}}"#;
                list("PoolList", None, &[items, &[nameless.into()]].concat())
            }
            Preset::RemainingWithoutContinue => {
                list("PoolList", Some(json!({"remainingItemCount": 5})), items)
            }
            Preset::RepeatedContinue => list(
                "PoolList",
                Some(json!({"continue": "after=the-same", "remainingItemCount": 5})),
                items,
            ),
            Preset::Hang => Self {
                delivery: Delivery::Never,
                ..self
            },
            Preset::Close => Self {
                delivery: Delivery::Cut,
                ..self
            },
            Preset::Redirect => Self {
                status: 302,
                headers: vec![("location", "/v2/elsewhere/pools".to_owned())],
                ..Self::ok("")
            },
            Preset::Throttle => Self::by_status(
                &Fault {
                    status: Some(429),
                    ..fault.clone()
                },
                request_id,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::selection::Operation;

    fn spoiled(fault: &Fault) -> Answer {
        let item: Arc<str> = r#"{"metadata":{"name":"a"}}"#.into();
        let items = [item];
        Answer::ok(render("PoolList", None, &items)).spoiled(
            fault,
            &items,
            "id",
            Timestamp::UNIX_EPOCH,
        )
    }

    fn body(answer: &Answer) -> Value {
        serde_json::from_slice(&answer.body).unwrap()
    }

    #[test]
    fn presets_look_like_the_field_saw_them() {
        let preset = |preset| spoiled(&Fault::preset(Operation::ListPools, preset));
        let truncated = preset(Preset::Truncated);
        assert!(
            truncated.status == 200 && serde_json::from_slice::<Value>(&truncated.body).is_err()
        );
        assert_eq!(body(&preset(Preset::EmptyObject)), json!({}));
        assert_eq!(body(&preset(Preset::ItemsNull))["items"], Value::Null);
        assert_eq!(
            body(&preset(Preset::ErrorWith200))["error_code"],
            "ModelArts.50005000"
        );
        assert_eq!(body(&preset(Preset::WrongKind))["kind"], "NodeList");
        assert_eq!(
            body(&preset(Preset::ItemWithoutId))["items"][1]["metadata"],
            json!({})
        );
        let remaining = body(&preset(Preset::RemainingWithoutContinue));
        assert_eq!(remaining["metadata"], json!({"remainingItemCount": 5}));
        assert_eq!(
            body(&preset(Preset::RepeatedContinue))["metadata"]["continue"],
            "after=the-same"
        );
        assert_eq!(preset(Preset::Hang).delivery, Delivery::Never);
        assert_eq!(preset(Preset::Close).delivery, Delivery::Cut);
        assert_eq!(preset(Preset::Redirect).status, 302);
    }

    #[test]
    fn errors_by_status_and_by_word() {
        let unavailable = spoiled(&Fault::status(Operation::ListPools, 503));
        assert_eq!(
            (unavailable.status, &body(&unavailable)["error_code"]),
            (503, &json!("APIGW.0613"))
        );
        assert_eq!(body(&unavailable)["request_id"], "id");
        let own = spoiled(&Fault {
            body: Some(json!("<html>")),
            status: Some(502),
            ..Fault::default()
        });
        assert_eq!((own.status, &own.body[..]), (502, &b"<html>"[..]));
        let throttle = spoiled(&Fault {
            retry_after: Some("7".into()),
            ..Fault::preset(Operation::ListPools, Preset::Throttle)
        });
        assert_eq!(
            (throttle.status, &throttle.headers[0]),
            (429, &("retry-after", "7".to_owned()))
        );
        let later = spoiled(&Fault {
            retry_at: Some(Duration::from_secs(90)),
            code: Some("ModelArts.4206".into()),
            ..Fault::default()
        });
        assert_eq!(
            (later.status, &later.headers[0].1[..]),
            (429, "Thu, 01 Jan 1970 00:01:30 GMT")
        );
        for (code, has_request_id) in [("APIC.7", true), ("APIG.0301", true), ("X.1", false)] {
            let error = spoiled(&Fault {
                code: Some(code.into()),
                ..Fault::status(Operation::ListPools, 403)
            });
            assert_eq!(body(&error)["error_code"], code);
            assert_eq!(body(&error).get("request_id").is_some(), has_request_id);
        }
        let slow = spoiled(&Fault {
            slow: Some(5),
            ..Fault::default()
        });
        assert_eq!(
            (slow.delay, &body(&slow)["kind"]),
            (Duration::from_millis(5), &json!("PoolList"))
        );
    }
}
