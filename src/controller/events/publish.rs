//! Publishes events.

use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event as KubeEvent;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::Client;
use kube::api::{Api, PostParams};

use super::{Event, News};
use crate::api::conditions::truncated;
use crate::api::{API_VERSION, CONTROLLER_NAME};
use crate::api_server::{WriteError, call};

/// Whether it was said that this process has no right to publish.
static FORBIDDEN: AtomicBool = AtomicBool::new(false);

/// Longest name of an object.
const MAX_NAME: usize = 253;
/// Longest `reportingInstance`.
const MAX_INSTANCE: usize = 128;

/// Publishes `event`, which `instance` (the pod) saw, at `now`.
///
/// Each is an object of its own. kube's recorder would count repetitions of a reason into the first
/// event and keep its text for minutes, though each has another one. How many there are is bounded
/// before.
pub(in crate::controller) async fn publish(
    client: Client,
    event: Event,
    instance: &str,
    now: Timestamp,
) {
    let api: Api<KubeEvent> = Api::namespaced(client, &event.object.namespace);
    let object = object(&event, instance, now);
    // Events are hints; conditions hold what counts.
    if let Err(error) = call(api.create(&PostParams::default(), &object)).await {
        if matches!(error, WriteError::Forbidden(_)) && !FORBIDDEN.swap(true, Ordering::Relaxed) {
            tracing::warn!(object = %event.object, %error, "events can't be published; this is said once");
        }
        tracing::debug!(object = %event.object, reason = event.news.reason, %error, "failed to publish an event");
    }
}

fn object(event: &Event, instance: &str, now: Timestamp) -> KubeEvent {
    let Event {
        kind,
        object,
        uid,
        at,
        news: News {
            warning,
            reason,
            note,
        },
    } = event;
    // As client-go names them, by the time of publishing: several may have happened at one instant.
    let suffix = format!(".{:x}", now.as_nanosecond());
    let name = truncated(&object.name, MAX_NAME - suffix.len());
    KubeEvent {
        metadata: ObjectMeta {
            namespace: Some(object.namespace.to_string()),
            name: Some(format!("{}{suffix}", name.trim_end_matches(['.', '-']))),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(*at)),
        type_: Some(if *warning { "Warning" } else { "Normal" }.to_owned()),
        reason: Some((*reason).to_owned()),
        action: Some("Mirror".to_owned()),
        note: Some(note.clone()),
        regarding: Some(ObjectReference {
            api_version: Some(API_VERSION.to_owned()),
            kind: Some((*kind).to_owned()),
            namespace: Some(object.namespace.to_string()),
            name: Some(object.name.to_string()),
            uid: Some(uid.to_string()),
            ..ObjectReference::default()
        }),
        reporting_controller: Some(CONTROLLER_NAME.to_owned()),
        reporting_instance: Some(truncated(instance, MAX_INSTANCE).to_owned()),
        ..KubeEvent::default()
    }
}
