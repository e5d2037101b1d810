//! The CRDs, generated from the types of this module.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSON;
use kube::CustomResourceExt;
use serde_json::json;

use super::{ModelArtsPool, ModelArtsPoolSource};

/// Both CRDs, each with the name of its file in `crds/`.
#[must_use]
pub fn all() -> [(&'static str, CustomResourceDefinition); 2] {
    [
        (
            "modelarts.huaweicloud.com_modelartspools.yaml",
            ModelArtsPool::crd(),
        ),
        (
            "modelarts.huaweicloud.com_modelartspoolsources.yaml",
            with_unobserved_status(ModelArtsPoolSource::crd()),
        ),
    ]
}

/// The same, with a status from the beginning that belongs to no generation: an object without any passes for one
/// that is as it should be, to all that read kstatus, before the controller has seen it.
fn with_unobserved_status(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let schema = version.schema.as_mut();
        let schema = schema.and_then(|s| s.open_api_v3_schema.as_mut());
        let properties = schema.and_then(|s| s.properties.as_mut());
        if let Some(status) = properties.and_then(|p| p.get_mut("status")) {
            status.default = Some(JSON(json!({"observedGeneration": -1})));
        }
    }
    crd
}

/// Both CRDs as one YAML stream.
///
/// # Errors
/// Where a CRD can't be written as YAML; a test shows that these can.
#[cfg(feature = "controller")]
pub fn yaml() -> Result<String, serde_saphyr::ser::Error> {
    let documents = all()
        .iter()
        .map(|(_, crd)| to_yaml(crd))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(documents.join("---\n"))
}

/// One CRD as a YAML document.
///
/// # Errors
/// As for [`yaml`].
#[cfg(feature = "controller")]
pub fn to_yaml(crd: &CustomResourceDefinition) -> Result<String, serde_saphyr::ser::Error> {
    serde_saphyr::to_string(crd)
}
