//! Performs the writes that the machine says.

use std::sync::Arc;

use kube::Client;
use kube::api::{Patch, PatchParams};
use kube::core::Status;
use serde_json::json;

use super::key::Key;
use super::machine::{Input, WriteOrder, WriteTicket};
use super::watch::sources;
use crate::api::{API_VERSION, CONTROLLER_NAME, ModelArtsPoolSourceStatus, SOURCE_KIND};
use crate::api_server::{WriteError, call};
use crate::mirror::apply::{Write, perform};
use crate::mirror::unfit;
use crate::runtime::metrics::Metrics;

/// Writes a mirror, and says what came of it.
pub(super) async fn write_mirror(
    client: Client,
    metrics: Arc<Metrics>,
    ticket: WriteTicket,
    order: WriteOrder,
) -> Input {
    let WriteOrder {
        desired,
        owner,
        observed,
        conditions,
        counts,
    } = order;
    let write = Write {
        namespace: &ticket.mirror.namespace,
        name: &ticket.mirror.name,
        step: ticket.step,
        desired: desired.as_deref(),
        owner: &owner,
        observed: observed.as_deref(),
        conditions: &conditions,
        counts,
    };
    let result = perform(&client, &write).await;
    if result.is_ok() {
        metrics.mirror_written(ticket.step);
    }
    tracing::debug!(pool = %ticket.mirror, source = %ticket.source, step = ?ticket.step, error = ?result.as_ref().err(), "wrote a mirror");
    Input::Written(ticket, result)
}

/// Writes the status of a source, made from it at this version.
///
/// # Errors
/// Why it was not accepted.
pub(super) async fn write_status(
    client: &Client,
    key: &Key,
    uid: &str,
    resource_version: u64,
    status: &ModelArtsPoolSourceStatus,
) -> Result<(), WriteError> {
    // At the version it was made from: a late write of a former leader is refused.
    let metadata =
        json!({"name": &*key.name, "uid": uid, "resourceVersion": resource_version.to_string()});
    let body = json!({
        "apiVersion": API_VERSION, "kind": SOURCE_KIND, "metadata": metadata, "status": status,
    });
    let api = sources(client, Some(&key.namespace));
    let (params, body) = (
        PatchParams::apply(CONTROLLER_NAME).force(),
        Patch::Apply(body),
    );
    let sent = async {
        let answer = api.patch_status(&key.name, &params, &body).await;
        let empty = async |unfit: Status| {
            if unfit.message.contains(".spec") {
                return Ok(WriteError::Refused(format!(
                    "the spec does not fit the definition of its kind: {}; correct the field that this names",
                    unfit.message
                )));
            }
            unfit::empty_status(&api, &key.name, &metadata).await?;
            Ok(unfit::emptied())
        };
        // The spec is its owner's; where that does not fit, nothing here mends it.
        unfit::healed(answer.map(drop), empty).await
    };
    call(sent).await?
}
