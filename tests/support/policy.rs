//! Admission policies, in force in the namespace of one test.

use std::fmt::Debug;

use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use kube::Resource;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::env::Env;

/// Name of the mirror that no policy of a test lets an administrator create.
pub const REFUSED: &str = "refused";

/// A policy for the mirrors of one namespace.
pub struct Policy(String);

impl Policy {
    /// Applies a policy with this spec to the namespace of the test, and returns when it is in force:
    /// when it refuses to create a mirror named [`REFUSED`].
    pub async fn apply(env: &Env, spec: Value) -> Self {
        let name = format!("rules-of-{}", env.namespace);
        let policy = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": name}, "spec": spec,
        });
        let binding = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": {
                "policyName": name, "validationActions": ["Deny"],
                "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": env.namespace}}},
            },
        });
        apply::<ValidatingAdmissionPolicy>(env, &name, policy).await;
        apply::<ValidatingAdmissionPolicyBinding>(env, &name, binding).await;
        let probe = json!({
            "apiVersion": "modelarts.huaweicloud.com/v1alpha1", "kind": "ModelArtsPool",
            "metadata": {"name": REFUSED}, "spec": {},
        });
        let probe = serde_json::from_value(probe).expect("an object");
        let params = PostParams {
            dry_run: true,
            ..Default::default()
        };
        // Each try is a request to the API server, which reads its policies every few moments.
        while env.pools().create(&params, &probe).await.is_ok() {}
        Self(name)
    }

    /// Deletes it. It may be in force a little longer.
    pub async fn delete(self, env: &Env) {
        let api: Api<ValidatingAdmissionPolicyBinding> = Api::all(env.client.clone());
        let params = DeleteParams::default();
        api.delete(&self.0, &params).await.expect("a deletion");
    }
}

async fn apply<K>(env: &Env, name: &str, object: Value)
where
    K: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned,
{
    let api: Api<K> = Api::all(env.client.clone());
    let params = PatchParams::apply("tests");
    let applied = api.patch(name, &params, &Patch::Apply(object)).await;
    applied.expect("an accepted policy");
}
