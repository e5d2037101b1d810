package v1alpha1

import (
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ModelArtsPoolStatus: What the cloud says the pool is, and what the controller adds: `counts`,
// `flavors`, `creationTimestamp`, `otherMetadata`, `observedGeneration` and `conditions`.
type ModelArtsPoolStatus struct {
	// The pool's phase: `Creating`, `Running`, `Abnormal`, `Deleting`, `Error`, `CreationFailed`,
	// `ScalingFailed`, `Waiting`; other values are kept. Source: ListPools `status.phase`.
	Phase *string `json:"phase,omitempty"`
	// The cloud's text on the phase, for people. Source: ListPools `status.message`.
	Message *string `json:"message,omitempty"`
	// The nodes by state; absent where the cloud does not say, e.g. for a Logical pool. Source:
	// ListPools `status.resources`.
	Resources *PoolStatusResources `json:"resources,omitempty"`
	// State of each kind of job on the pool. Source: ListPools `status.scope[]`.
	Scope []PoolScopeStatus `json:"scope,omitzero"`
	// State of the drivers. Source: ListPools `status.driver`.
	Driver *PoolDriverStatus `json:"driver,omitempty"`
	// Id of the pool that this one is carved out of; empty for a physical pool. Source: ListPools
	// `status.parent`.
	Parent *string `json:"parent,omitempty"`
	// Id of the physical pool at the root; a physical pool's own id. Source: ListPools `status.root`.
	Root *string `json:"root,omitempty"`
	// The CCE clusters of a privileged pool. Source: ListPools `status.clusters` (an array or one
	// object, by version of the API).
	Clusters []PoolClusterStatus `json:"clusters,omitzero"`
	// Nodes in all, by state, as integers to sum and compare; a number that is not known is absent,
	// never 0. Added by the controller.
	Counts *PoolCounts `json:"counts,omitempty"`
	// Flavors of the pool's nodes, joined by commas, for people. Added by the controller from
	// `spec.resources[].flavor`.
	Flavors *string `json:"flavors,omitempty"`
	// When the pool was created, RFC 3339 in UTC; another time under the same name is another pool.
	// Source: ListPools `metadata.creationTimestamp`.
	CreationTimestamp *metav1.Time `json:"creationTimestamp,omitempty"`
	// Labels and annotations of the pool that can't be, or must not be, labels and annotations of the
	// mirror, e.g. those not of `os.modelarts`: keys are `labels/KEY` and `annotations/KEY`. Source:
	// ListPools `metadata.labels` and `metadata.annotations`.
	OtherMetadata map[string]string `json:"otherMetadata,omitzero"`
	// Fields of the cloud's status whose names the controller uses for its own. Source: ListPools
	// `status`.
	Cloud OpenObject `json:"cloud,omitzero"`
	// The generation of the mirror's spec that this status belongs to. Added by the controller.
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`
	// `Ready` (the pool works), `Synced` (the data is fresh), `Listed` (the pool is in the cloud's
	// list). Added by the controller.
	Conditions []metav1.Condition `json:"conditions,omitzero"`

	// Unknown holds the fields of the cloud that are not described here, as JSON.
	Unknown map[string]json.RawMessage `json:"-"`
}

// PoolStatusResources: Nodes by state. Source: ListPools `status.resources`; a state that the cloud
// leaves out has no nodes.
type PoolStatusResources struct {
	// Nodes being created. Source: ListPools `status.resources.creating`.
	Creating []PoolResourceCount `json:"creating,omitzero"`
	// Nodes that work. Source: ListPools `status.resources.available`.
	Available []PoolResourceCount `json:"available,omitzero"`
	// Nodes that are ill. Source: ListPools `status.resources.abnormal`.
	Abnormal []PoolResourceCount `json:"abnormal,omitzero"`
	// Nodes being deleted. Source: ListPools `status.resources.deleting`.
	Deleting []PoolResourceCount `json:"deleting,omitzero"`
	// Nodes that could not be created. Source: ListPools `status.resources.creationFailed`
	// (undocumented).
	CreationFailed []PoolResourceCount `json:"creationFailed,omitzero"`

	// Unknown holds the fields of the cloud that are not described here, as JSON.
	Unknown map[string]json.RawMessage `json:"-"`
}

// PoolResourceCount: Nodes of one flavor in one state. Source: ListPools `status.resources.*[]`.
type PoolResourceCount struct {
	// Flavor of the nodes. Source: `flavor`.
	Flavor *string `json:"flavor,omitempty"`
	// Nodes in this state. Source: `count`.
	Count *int64 `json:"count,omitempty"`
	// Nodes at most, of an elastic pool. Source: `maxCount`.
	MaxCount *int64 `json:"maxCount,omitempty"`
	// Nodes by availability zone. Source: `azs[]`.
	AZs []PoolAZCount `json:"azs,omitzero"`
	// Id of the node pool. Source: `nodePool`.
	NodePool *string `json:"nodePool,omitempty"`
	// How many nodes are created together. Source: `creatingStep`.
	CreatingStep *CreatingStep `json:"creatingStep,omitempty"`

	// Unknown holds the fields of the cloud that are not described here, as JSON.
	Unknown map[string]json.RawMessage `json:"-"`
}

// PoolScopeStatus: State of one kind of job on the pool. Source: ListPools `status.scope[]`.
type PoolScopeStatus struct {
	// `Train`, `Infer` or `Notebook`; other values are kept. Source: `scope[].scopeType`.
	ScopeType *string `json:"scopeType,omitempty"`
	// `Enabling`, `Enabled`, `EnableFailed`, `Disabling` or `Disabled`; other values are kept. Source:
	// `scope[].state`.
	State *string `json:"state,omitempty"`
	// Plugins of this kind of job. Source: `scope[].plugins[]`.
	Plugins []PoolPlugin `json:"plugins,omitzero"`
	// The cloud's text on the state. Source: `scope[].message`.
	Message *string `json:"message,omitempty"`

	// Unknown holds the fields of the cloud that are not described here, as JSON.
	Unknown map[string]json.RawMessage `json:"-"`
}

// PoolPlugin: A plugin on a pool. Source: ListPools `plugins[]`.
type PoolPlugin struct {
	// Name of the plugin. Source: `plugins[].name`.
	Name *string `json:"name,omitempty"`
	// `Pending`, `Running`, `Updating`, `Abnormal` or `Deleting`; other values are kept. Source:
	// `plugins[].phase`.
	Phase *string `json:"phase,omitempty"`

	// Unknown holds the fields of the cloud that are not described here, as JSON.
	Unknown map[string]json.RawMessage `json:"-"`
}

// PoolDriverStatus: State of the drivers of a pool. Source: ListPools `status.driver`.
type PoolDriverStatus struct {
	// The GPU driver. Source: `driver.gpu`.
	GPU *DriverState `json:"gpu,omitempty"`
	// The NPU driver. Source: `driver.npu`.
	NPU *DriverState `json:"npu,omitempty"`

	// Unknown holds the fields of the cloud that are not described here, as JSON.
	Unknown map[string]json.RawMessage `json:"-"`
}

// DriverState: State of one driver. Source: ListPools `status.driver.gpu` and `.npu`.
type DriverState struct {
	// Version that runs. Source: `version`.
	Version *string `json:"version,omitempty"`
	// `Creating`, `Upgrading`, `Running` or `Abnormal`; other values are kept. Source: `state`.
	State *string `json:"state,omitempty"`

	// Unknown holds the fields of the cloud that are not described here, as JSON.
	Unknown map[string]json.RawMessage `json:"-"`
}

// PoolClusterStatus: A CCE cluster of a privileged pool. Source: ListPools `status.clusters`.
type PoolClusterStatus struct {
	// Name of the cluster. Source: `clusters.name`.
	Name *string `json:"name,omitempty"`
	// Id of the CCE cluster. Source: `clusters.providerId`.
	ProviderID *string `json:"providerId,omitempty"`
	// Size class of the cluster. Source: `clusters.clusterFlavor`.
	ClusterFlavor *string `json:"clusterFlavor,omitempty"`
	// Type of the cluster. Source: `clusters.type`.
	Type *string `json:"type,omitempty"`
	// Kubernetes version of the cluster. Source: `clusters.version`.
	Version *string `json:"version,omitempty"`
	// Plugins of the cluster. Source: `clusters.plugins` (an array or one object).
	Plugins []PoolPlugin `json:"plugins,omitzero"`

	// Unknown holds the fields of the cloud that are not described here, as JSON.
	Unknown map[string]json.RawMessage `json:"-"`
}

// PoolCounts: Nodes in all, by state. A number that is not known is absent: unknown is never 0.
type PoolCounts struct {
	// Nodes asked for: the sum of ListPools `spec.resources[].count`.
	Desired *int64 `json:"desired,omitempty"`
	// Nodes that work: the sum of ListPools `status.resources.available[].count`.
	Available *int64 `json:"available,omitempty"`
	// Nodes being created: the sum of ListPools `status.resources.creating[].count`.
	Creating *int64 `json:"creating,omitempty"`
	// Nodes that are ill: the sum of ListPools `status.resources.abnormal[].count`.
	Abnormal *int64 `json:"abnormal,omitempty"`
	// Nodes being deleted: the sum of ListPools `status.resources.deleting[].count`.
	Deleting *int64 `json:"deleting,omitempty"`
	// Nodes that could not be created: the sum of ListPools `status.resources.creationFailed[].count`.
	CreationFailed *int64 `json:"creationFailed,omitempty"`
}
