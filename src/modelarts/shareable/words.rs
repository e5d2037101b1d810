//! The words of the cloud's documentation, which say nothing of whoever uses them.

/// Whether `word` is one of the documentation's. It is kept wherever it stands alone.
pub(super) fn is_public_word(word: &str) -> bool {
    FIELDS.binary_search(&word).is_ok() || VALUES.binary_search(&word).is_ok()
}

/// Names of documented fields, beside those of the documentation's lists of words. Sorted.
const FIELDS: [&str; 100] = [
    "XParameterPlaneSubnet",
    "abnormal",
    "annotations",
    "apiVersion",
    "autoMatch",
    "available",
    "az",
    "azs",
    "cidr",
    "cloud",
    "clusterFlavor",
    "clusters",
    "conditions",
    "containerNetwork",
    "containernetwork",
    "controlMode",
    "count",
    "counts",
    "creating",
    "creatingStep",
    "creationFailed",
    "creationTimestamp",
    "dataVolumes",
    "deleting",
    "desired",
    "dockerBaseSize",
    "dockerThinPool",
    "driver",
    "effect",
    "extendParams",
    "flavor",
    "flavors",
    "gpu",
    "gpuVersion",
    "iamgeType",
    "imageId",
    "imageType",
    "ipv6enable",
    "items",
    "jobFlavors",
    "key",
    "keyPairName",
    "kind",
    "kubernetesSvcIpRange",
    "labelPolicyOnExistingNodes",
    "labels",
    "lastTransitionTime",
    "lvType",
    "lvmConfig",
    "masters",
    "maxCount",
    "message",
    "metadata",
    "mode",
    "name",
    "network",
    "network_access",
    "nodePool",
    "nodePoolName",
    "npu",
    "npuVersion",
    "observedGeneration",
    "os",
    "otherMetadata",
    "parent",
    "path",
    "phase",
    "plugins",
    "providerId",
    "reason",
    "resources",
    "root",
    "rootVolume",
    "runtime",
    "scope",
    "scopeType",
    "securityGroups",
    "size",
    "spec",
    "state",
    "status",
    "step",
    "subnet",
    "subnetId",
    "tagPolicyOnExistingNodes",
    "tags",
    "taintPolicyOnExistingNodes",
    "taints",
    "type",
    "types",
    "updateStrategy",
    "userLogin",
    "value",
    "values",
    "version",
    "volumeGroup",
    "volumeGroupConfigs",
    "volumeType",
    "vpc",
    "vpcId",
];

/// Values that the documentation lists, and the two words that make a label the cloud's. Sorted.
const VALUES: [&str; 73] = [
    "Abnormal",
    "Available",
    "Checking",
    "Creating",
    "CreationFailed",
    "Dedicate",
    "Deleting",
    "Disabled",
    "Disabling",
    "EnableFailed",
    "Enabled",
    "Enabling",
    "Error",
    "False",
    "GPSSD",
    "Infer",
    "Logical",
    "NoExecute",
    "NoSchedule",
    "Notebook",
    "Pending",
    "Pool",
    "PoolList",
    "PreferNoSchedule",
    "Running",
    "SAS",
    "SSD",
    "ScalingFailed",
    "SeclingFailed",
    "Train",
    "True",
    "Unknown",
    "Updating",
    "Upgrading",
    "Waiting",
    "X-Infer",
    "admin-console",
    "console",
    "containerd",
    "created",
    "default",
    "docker",
    "elb",
    "eni",
    "failed",
    "false",
    "force",
    "hyperinstance",
    "idle",
    "ignore",
    "linear",
    "local",
    "modelarts",
    "no",
    "normal",
    "off",
    "on",
    "overlay_l2",
    "private",
    "public",
    "rack",
    "refresh",
    "shared",
    "soldout",
    "striped",
    "true",
    "unshared",
    "vg-everest-localvolume-ephemeral",
    "vg-everest-localvolume-persistent",
    "vgpaas",
    "volume",
    "vpc-router",
    "yes",
];

#[cfg(test)]
mod tests {
    use kube::CustomResourceExt as _;
    use serde_json::Value;

    use super::*;
    use crate::api::ModelArtsPool;

    #[test]
    fn lists_are_sorted_and_have_all_fields_that_are_mirrored() {
        assert!(FIELDS.is_sorted() && VALUES.is_sorted());
        let crd = serde_json::to_value(ModelArtsPool::crd()).expect("JSON");
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
        let mut fields = Vec::new();
        for part in ["spec", "status"] {
            fields_of(&schema[part], &mut fields);
        }
        assert!(fields.len() > 50, "{fields:?}");
        for field in fields {
            assert!(is_public_word(&field), "{field} would be replaced");
        }
    }

    fn fields_of(schema: &Value, found: &mut Vec<String>) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            found.push(name.clone());
            fields_of(field, found);
            fields_of(&field["items"], found);
        }
    }
}
