package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ModelArtsPoolSource is a ModelArts project whose resource pools are mirrored, each into a ModelArtsPool in the
// same namespace. The controller only reads from the cloud; deleting a source deletes its mirrors, never a pool.
//
// +kubebuilder:object:root=true
type ModelArtsPoolSource struct {
	metav1.TypeMeta `json:",inline"`
	// Metadata of the source. Its name must have at most 63 characters.
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Which project to mirror, with which credentials, and how often.
	Spec ModelArtsPoolSourceSpec `json:"spec"`
	// How the last passes went.
	Status *ModelArtsPoolSourceStatus `json:"status,omitempty"`
}

// ModelArtsPoolSourceList is a list of sources.
//
// +kubebuilder:object:root=true
type ModelArtsPoolSourceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []ModelArtsPoolSource `json:"items"`
}

// CredentialsType is a kind of credentials.
type CredentialsType string

// Kinds of credentials.
const (
	CredentialsAccessKey   CredentialsType = "AccessKey"
	CredentialsToken       CredentialsType = "Token"
	CredentialsPassword    CredentialsType = "Password"
	CredentialsAgency      CredentialsType = "Agency"
	CredentialsPodIdentity CredentialsType = "PodIdentity"
)

// PoolStatusFilter is a filter of ListPools by state of creation.
type PoolStatusFilter string

// Filters of ListPools.
const (
	PoolsCreated  PoolStatusFilter = "created"
	PoolsCreating PoolStatusFilter = "creating"
	PoolsFailed   PoolStatusFilter = "failed"
)

// PrunePolicy is what happens to the mirror of a pool that is gone.
type PrunePolicy string

// Policies of pruning.
const (
	PruneDelete PrunePolicy = "Delete"
	PruneRetain PrunePolicy = "Retain"
)

// ModelArtsPoolSourceSpec: Which project to mirror, with which credentials, and how often.
type ModelArtsPoolSourceSpec struct {
	// Region of the project, e.g. `cn-north-4`; gives the endpoints of ModelArts and IAM. Required
	// unless endpoint is set.
	Region string `json:"region,omitempty"`
	// Origin of the ModelArts API, `https://host[:port]`; overrides the one of the region. No user
	// info, path, query or fragment. Only hosts that the controller's --allowed-endpoints names are
	// asked.
	Endpoint string `json:"endpoint,omitempty"`
	// Origin of IAM, for credentials of type Password, `https://host[:port]`; by default the one of
	// the region.
	IAMEndpoint string `json:"iamEndpoint,omitempty"`
	// Id of the project, e.g. `0a1b2c3d4e5f60718293a4b5c6d7e8f9`. It can't be changed: another project
	// is another source.
	ProjectID string `json:"projectId"`
	// Ids of the workspaces to list; `"*"` alone: every workspace of the project. 1 to 100, each once.
	WorkspaceIDs []string `json:"workspaceIds,omitempty"`
	// Filter on the pools' labels, handed to ListPools as it is; empty: no filter. At most 1024
	// characters.
	LabelSelector *string `json:"labelSelector,omitempty"`
	// Which pools to list, by state of their creation. All three: the cloud's default filter and the
	// failed ones; any other set: one request for each value.
	Statuses []PoolStatusFilter `json:"statuses,omitempty"`
	// Time from the start of one pass to the start of the next, 5s to 24h, e.g. `30s`, `1h30m`.
	Interval string `json:"interval,omitempty"`
	// True: the cloud is not asked; the mirrors stay as they are.
	Suspend *bool `json:"suspend,omitempty"`
	// What the controller proves its identity to the cloud with.
	Credentials SourceCredentials `json:"credentials"`
	// What happens to mirrors of pools that are gone.
	Prune *Prune `json:"prune,omitempty"`
}

// SourceCredentials: Credentials of a source.
type SourceCredentials struct {
	// Kind of the credentials: `AccessKey` (keys accessKey, secretKey and, where it is temporary,
	// securityToken of the Secret), `Token` (key token), `Password` (keys username, password,
	// domainName), `Agency` (the agency of the controller's node) or `PodIdentity` (the identity of
	// the controller's pod); the last two only where the controller's --ambient-credentials-namespaces
	// names the namespace.
	Type CredentialsType `json:"type"`
	// The Secret that holds them, in the namespace of the source; its type is Opaque or
	// modelarts.huaweicloud.com/credentials.
	SecretRef *SecretReference `json:"secretRef,omitempty"`
}

// SecretReference: A Secret in the namespace of the source.
type SecretReference struct {
	// Name of the Secret.
	Name string `json:"name"`
}

// Prune: What happens to mirrors of pools that are gone.
type Prune struct {
	// `Delete`: the mirror of a pool that is confirmed gone is deleted; `Retain`: it stays, says so,
	// and shows no nodes. The mirror of a pool that the source does not ask for any more is deleted
	// either way.
	Policy PrunePolicy `json:"policy,omitempty"`
	// How long a pool must be missing from complete listings before the cloud is asked whether it is
	// gone, 0s to 168h. A changed spec sets the clock anew.
	GracePeriod string `json:"gracePeriod,omitempty"`
	// Guard against a mass disappearance, in percent of the source's mirrors, 0 to 100: while more
	// than that and more than two are missing, nothing is deleted. 100 switches the guard off.
	MaxPercent *int32 `json:"maxPercent,omitempty"`
}
