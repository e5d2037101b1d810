//! Reads what a plan starts from out of the cluster.

use kube::Client;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::TypeMeta;

use crate::api::{API_VERSION, POOL_KIND, SOURCE_KIND};
use crate::api_server::{WriteError, call};
use crate::controller::watch::sources;
use crate::mirror::apply::mirrors;

/// Objects of one page: few enough that each page arrives in time.
const PAGE_SIZE: u32 = 500;

/// The sources and the mirrors of a namespace.
///
/// # Errors
/// Which can't be listed, why, and what to do.
pub async fn objects(client: &Client, namespace: &str) -> Result<Vec<DynamicObject>, String> {
    let mut objects = list(sources(client, Some(namespace)), SOURCE_KIND, namespace).await?;
    objects.extend(list(mirrors(client, Some(namespace)), POOL_KIND, namespace).await?);
    Ok(objects)
}

async fn list(
    api: Api<DynamicObject>,
    kind: &str,
    namespace: &str,
) -> Result<Vec<DynamicObject>, String> {
    let mut objects = Vec::new();
    let mut params = ListParams::default().limit(PAGE_SIZE);
    loop {
        let page = call(api.list(&params)).await.map_err(|error| match error {
            WriteError::NotFound(_) => {
                format!("the cluster knows no {kind}; apply its definition with: modelarts-pool-controller crds --apply")
            }
            WriteError::Forbidden(message) => {
                format!("your user of the cluster may not list the objects of kind {kind} in {namespace}: {message}; get that right, or give files instead (-f, --mirrors-file)")
            }
            error => format!("failed to list the objects of kind {kind} in {namespace}: {error}"),
        })?;
        objects.extend(page.items);
        params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
        if params.continue_token.is_none() {
            break;
        }
    }
    // The items of a list do not say what they are.
    for object in &mut objects {
        object.types = Some(TypeMeta {
            api_version: API_VERSION.to_owned(),
            kind: kind.to_owned(),
        });
    }
    Ok(objects)
}
