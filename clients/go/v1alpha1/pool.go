package v1alpha1

import (
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ModelArtsPool is a read-only mirror of one ModelArts resource pool. It is written by
// modelarts-pool-controller from what the cloud's ListPools answers; edits are undone, and deleting it never
// touches the pool. Its name is the pool's id.
//
// +kubebuilder:object:root=true
type ModelArtsPool struct {
	metav1.TypeMeta `json:",inline"`
	// Metadata of the mirror. The pool's display name is the label os.modelarts/name.
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// What the cloud says the pool should be.
	Spec ModelArtsPoolSpec `json:"spec"`
	// What the cloud says the pool is, and what the controller adds. Absent for the moment between the
	// creation of the mirror and the next write.
	Status *ModelArtsPoolStatus `json:"status,omitempty"`
}

// ModelArtsPoolList is a list of mirrors.
//
// +kubebuilder:object:root=true
type ModelArtsPoolList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []ModelArtsPool `json:"items"`
}

// ModelArtsPoolSpec: What the cloud says the pool should be. Source: ListPools `items[].spec`;
// fields that are not described here are kept as they are sent.
type ModelArtsPoolSpec struct {
	// Type of the pool: `Dedicate` (physical, with a network of its own) or `Logical` (carved out of a
	// physical pool); other values are kept. Source: ListPools `spec.type`.
	Type *string `json:"type,omitempty"`
	// Kinds of job that the pool takes: `Train`, `Infer`, `Notebook`; other values are kept, the order
	// means nothing. Source: ListPools `spec.scope[]`.
	Scope []string `json:"scope,omitzero"`
	// The nodes asked for, one entry for each flavor and node pool (a flavor may stand in several).
	// Source: ListPools `spec.resources[]`.
	Resources []PoolResource `json:"resources,omitzero"`
	// The pool's network. Source: ListPools `spec.network`.
	Network *PoolNetwork `json:"network,omitempty"`
	// The container network of a privileged pool. Source: ListPools `spec.containerNetwork`.
	ContainerNetwork *ContainerNetwork `json:"containerNetwork,omitempty"`
	// The same as containerNetwork, in the spelling that other versions of the cloud's API use.
	// Source: ListPools `spec.containernetwork`.
	ContainerNetworkLowerCase *ContainerNetwork `json:"containernetwork,omitempty"`
	// Names of the job flavors that the pool takes. Source: ListPools `spec.jobFlavors[]`.
	JobFlavors []string `json:"jobFlavors,omitzero"`
	// Default driver versions of the pool. Source: ListPools `spec.driver`.
	Driver *PoolDriver `json:"driver,omitempty"`
	// What is restricted on the pool, a sum of bits: 1 change to prepaid, 2 change of specification, 4
	// service, 8 frozen, 16 frozen by public security. Source: ListPools `spec.controlMode`.
	ControlMode *int64 `json:"controlMode,omitempty"`
	// The CCE clusters of a privileged pool. Source: ListPools `spec.clusters[]`.
	Clusters []PoolCluster `json:"clusters,omitzero"`
	// How people log in to the nodes of a privileged pool; the password is never mirrored. Source:
	// ListPools `spec.userLogin`.
	UserLogin *UserLogin `json:"userLogin,omitempty"`
	// CIDR of the Services of a privileged pool's cluster. Source: ListPools
	// `spec.kubernetesSvcIpRange`.
	KubernetesSvcIPRange *string `json:"kubernetesSvcIpRange,omitempty"`
	// Availability zones of the control plane of a privileged pool's cluster. Source: ListPools
	// `spec.masters[]`.
	Masters []PoolAZ `json:"masters,omitzero"`
	// Size class of a privileged pool's cluster. Source: ListPools `spec.clusterFlavor`.
	ClusterFlavor *string `json:"clusterFlavor,omitempty"`
	// Whether IPv6 is on. Source: ListPools `spec.ipv6enable`.
	IPv6Enable *bool `json:"ipv6enable,omitempty"`

	// Unknown holds the fields of the cloud that are not described here, as JSON.
	Unknown map[string]json.RawMessage `json:"-"`
}
