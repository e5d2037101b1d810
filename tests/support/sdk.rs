//! The official SDK of ModelArts for Python, in a process of its own.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use modelarts_pool_controller::simulator::{
    DEFAULT_ACCESS_KEY, DEFAULT_PROJECT_ID, DEFAULT_SECRET_KEY,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::cluster::run;
use super::env::merge;

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk");

/// What the SDK says of one call.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The class of the exception that the caller gets.
    pub exception: Option<String>,
    /// Whether the SDK's own types could read the answer.
    pub read: bool,
    #[serde(default)]
    pub status: Option<u16>,
    /// `raw_content` of the response; where its types fail, what its client has received.
    #[serde(default)]
    pub raw: String,
    /// The names that the SDK's own types have found.
    #[serde(default)]
    pub typed: Vec<String>,
    #[serde(default)]
    pub code: String,
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub request_id: Option<String>,
    /// `encoded_authorization_message` of an error.
    #[serde(default)]
    pub authorization: Option<String>,
}

impl Outcome {
    /// The answer as JSON.
    pub fn json(&self) -> Value {
        assert_eq!(
            (&self.exception, self.status),
            (&None, Some(200)),
            "{self:?}"
        );
        serde_json::from_str(&self.raw).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The names in the answer.
    pub fn names(&self) -> Vec<String> {
        let json = self.json();
        let items = json["items"].as_array().expect("items");
        let name = |item: &Value| item["metadata"]["name"].as_str().map(str::to_owned);
        items.iter().filter_map(name).collect()
    }
}

/// A call of the SDK.
pub fn call(operation: &str, request: &Value) -> Value {
    json!({"operation": operation, "request": request})
}

/// What the SDK says of these calls, one after the other, with the simulated cloud's usual key.
pub async fn ask(endpoint: &str, calls: Vec<Value>) -> Vec<Outcome> {
    let count = calls.len();
    let outcomes: Vec<Outcome> = peer(json!({"endpoint": endpoint, "calls": calls})).await;
    assert_eq!(outcomes.len(), count);
    outcomes
}

/// What peer.py answers to an order with the simulated cloud's usual key.
pub async fn peer<T: DeserializeOwned + Send + 'static>(order: Value) -> T {
    let mut whole = json!({
        "projectId": DEFAULT_PROJECT_ID, "accessKey": DEFAULT_ACCESS_KEY, "secretKey": DEFAULT_SECRET_KEY,
    });
    merge(&mut whole, order);
    // The simulated cloud runs on the thread of the test.
    let asked = tokio::task::spawn_blocking(move || answer(&whole)).await;
    let answer = asked.expect("no panic").unwrap_or_else(|e| panic!("{e}"));
    serde_json::from_str(&answer).unwrap_or_else(|e| panic!("{e}: {answer}"))
}

fn answer(order: &Value) -> Result<String, String> {
    let mut command = Command::new(python()?);
    // Isolated: nothing of the caller's Python, and no proxy between the SDK and this machine.
    command.args(["-I", "-X", "utf8"]).env_clear();
    command.arg(Path::new(DIRECTORY).join("peer.py"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let child = command.stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|e| format!("{command:?}: {e}"))?;
    let mut stdin = child.stdin.take().ok_or("no standard input")?;
    // It reads all before it writes. Where it fails before, its own words are worth more.
    let _ = stdin.write_all(order.to_string().as_bytes());
    drop(stdin);
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(format!(
            "peer.py: {}\n{}",
            output.status,
            text(&output.stderr)
        ))
    }
}

/// The Python that has the SDK; made where it is not made yet. The failure is kept too.
fn python() -> Result<PathBuf, String> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let made = PYTHON.get_or_init(|| {
        let script = Path::new(DIRECTORY).join("environment.sh");
        let printed = run(&mut Command::new(script))?;
        Ok(PathBuf::from(printed.trim()))
    });
    made.clone()
}
