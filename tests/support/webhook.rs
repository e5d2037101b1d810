//! A validating webhook of one namespace that never answers.

use std::net::TcpListener;

use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::json;

use super::env::Env;

/// The webhook. It is deleted with the test's last word on it, and never answers as long as it lives.
pub struct HangingWebhook {
    name: String,
    /// The system takes its connections in; nobody reads from them.
    _listener: TcpListener,
}

impl HangingWebhook {
    /// Asks it about every write to `resources` in the namespace of the test, and returns when it is in force.
    /// It is waited for `seconds` where the request has no shorter time of its own.
    pub async fn apply(env: &Env, resources: &[&str], seconds: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let name = format!("hangs-in-{}", env.namespace);
        let configuration = json!({
            "metadata": {"name": name},
            "webhooks": [{
                "name": "hangs.example.com",
                "clientConfig": {"url": format!("https://127.0.0.1:{port}/")},
                "rules": [{
                    "apiGroups": ["modelarts.huaweicloud.com"], "apiVersions": ["*"],
                    "operations": ["CREATE", "UPDATE", "DELETE"], "resources": resources,
                }],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": env.namespace}},
                "failurePolicy": "Fail", "timeoutSeconds": seconds,
                "sideEffects": "None", "admissionReviewVersions": ["v1"],
            }],
        });
        let configuration = serde_json::from_value(configuration).expect("an object");
        let api: Api<ValidatingWebhookConfiguration> = Api::all(env.client.clone());
        let created = api.create(&PostParams::default(), &configuration).await;
        created.expect("an accepted webhook");
        let probe = json!({
            "apiVersion": "modelarts.huaweicloud.com/v1alpha1", "kind": "ModelArtsPool",
            "metadata": {"name": "probe"}, "spec": {},
        });
        let probe = serde_json::from_value(probe).expect("an object");
        let params = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        // Each try is a request to the API server, which reads its webhooks every few moments.
        while env.pools().create(&params, &probe).await.is_ok() {}
        Self {
            name,
            _listener: listener,
        }
    }

    /// Deletes it. It may be in force a little longer.
    pub async fn delete(self, env: &Env) {
        let api: Api<ValidatingWebhookConfiguration> = Api::all(env.client.clone());
        let params = DeleteParams::default();
        api.delete(&self.name, &params).await.expect("a deletion");
    }
}
