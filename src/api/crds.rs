//! The CRDs, generated from the types of this module.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

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
            ModelArtsPoolSource::crd(),
        ),
    ]
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
