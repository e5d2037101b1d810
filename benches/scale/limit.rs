//! What nobody can do without: the writes that make the mirrors, and the listing that says what they are.

use std::time::{Duration, Instant};

use futures::stream::{StreamExt as _, TryStreamExt as _, iter};
use jiff::Timestamp;
use kube::Client;
use kube::api::{DynamicObject, ListParams};
use kube::client::Body;
use modelarts_pool_controller::simulator::DEFAULT_PROJECT_ID;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use super::Failure;
use super::requests::AGENT;
use super::world::{NAMESPACE, TOKEN, World};

/// The bodies of the two writes that make a mirror, without its owner: a source of another control plane.
#[derive(Clone)]
pub struct Bodies {
    pub name: String,
    object: Vec<u8>,
    status: Vec<u8>,
}

impl Bodies {
    /// Of a mirror that is there.
    pub fn of(mirror: &DynamicObject) -> Self {
        let name = mirror.metadata.name.clone().unwrap_or_default();
        let base = json!({"apiVersion": "modelarts.huaweicloud.com/v1alpha1", "kind": "ModelArtsPool", "metadata": {"name": name}});
        let (mut object, mut status) = (base.clone(), base);
        object["metadata"]["labels"] = json!(mirror.metadata.labels);
        object["metadata"]["annotations"] = json!(mirror.metadata.annotations);
        object["spec"] = mirror.data["spec"].clone();
        status["status"] = mirror.data["status"].clone();
        Self {
            name,
            object: object.to_string().into_bytes(),
            status: status.to_string().into_bytes(),
        }
    }
}

/// Applies `body` to a mirror, or to its status, and reads the answer's bytes without a look.
async fn apply(client: &Client, name: &str, subresource: &str, body: &[u8]) -> Result<(), Failure> {
    let uri = format!(
        "/apis/modelarts.huaweicloud.com/v1alpha1/namespaces/{NAMESPACE}/modelartspools/{name}{subresource}?fieldManager=limit&force=true"
    );
    let request = axum::http::Request::patch(uri)
        .header("content-type", "application/apply-patch+yaml")
        .body(Body::from(body.to_vec()))?;
    let answer = client.send(request).await?;
    let status = answer.status();
    let said = answer.into_body().collect_bytes().await?;
    if status.is_success() {
        return Ok(());
    }
    Err(format!("{name}: {status}: {}", String::from_utf8_lossy(&said)).into())
}

/// Makes all mirrors by nothing but their writes, so many at once; the seconds that took.
pub async fn write(world: &World, bodies: &[Bodies], concurrency: usize) -> Result<f64, Failure> {
    // Whoever mirrors has looked for mirrors before: the API server knows the kind then.
    world
        .mirrors()
        .list(&ListParams::default().limit(1))
        .await?;
    let begun = Instant::now();
    iter(bodies)
        .map(|mirror| async {
            apply(&world.client, &mirror.name, "", &mirror.object).await?;
            apply(&world.client, &mirror.name, "/status", &mirror.status).await
        })
        .buffer_unordered(concurrency)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(begun.elapsed().as_secs_f64())
}

/// Milliseconds from request to answer of one apply to this mirror that changes a label, so many times.
pub async fn round_trips(world: &World, name: &str, times: usize) -> Result<Vec<f64>, Failure> {
    let mut all = Vec::new();
    for i in 0..times {
        let label = json!({
            "apiVersion": "modelarts.huaweicloud.com/v1alpha1", "kind": "ModelArtsPool",
            "metadata": {"name": name, "labels": {"bench/label": format!("{AGENT}-{i}-{}", Timestamp::now().as_nanosecond())}},
        });
        let begun = Instant::now();
        apply(&world.client, name, "", label.to_string().as_bytes()).await?;
        all.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(all)
}

/// CPU time and bytes of one listing that is downloaded whole and parsed into JSON values.
pub struct Reading {
    pub cpu: Duration,
    pub bytes: usize,
}

/// Downloads and parses the listing so many times, on a thread that does nothing else.
pub async fn read(world: &World, times: usize) -> Result<Vec<Reading>, Failure> {
    let url = format!(
        "{}/v2/{DEFAULT_PROJECT_ID}/pools?workspaceId=0",
        world.endpoint()
    );
    let readings = tokio::task::spawn_blocking(move || -> Result<Vec<Reading>, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let client = reqwest::Client::builder().no_proxy().build()?;
        (0..times)
            .map(|_| runtime.block_on(read_once(&client, &url)))
            .collect()
    });
    readings.await?
}

async fn read_once(client: &reqwest::Client, url: &str) -> Result<Reading, Failure> {
    let before = thread_cpu();
    let answer = client.get(url).header("X-Auth-Token", TOKEN).send().await?;
    let body = answer.error_for_status()?.bytes().await?;
    let listing: Value = serde_json::from_slice(&body)?;
    if listing["items"].as_array().is_none_or(Vec::is_empty) {
        return Err("the listing has no pools".into());
    }
    drop(listing);
    Ok(Reading {
        cpu: thread_cpu().saturating_sub(before),
        bytes: body.len(),
    })
}

fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
