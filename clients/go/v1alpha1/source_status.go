package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ModelArtsPoolSourceStatus: How the last passes of a source went.
type ModelArtsPoolSourceStatus struct {
	// The generation of the source's spec that the last pass used.
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`
	// `Ready` (the last pass succeeded; the reason says why not); only while true: `PruneHalted` (no
	// missing mirror is removed), `PoolsSkipped`, `Stalled` (only a person can mend it), `Reconciling`
	// (until the first success).
	Conditions []metav1.Condition `json:"conditions,omitzero"`
	// When the first request of the last successful pass left: the mirrors are as old as this. RFC
	// 3339 in UTC.
	LastSyncTime *metav1.Time `json:"lastSyncTime,omitempty"`
	// When the last pass began, whatever came of it. RFC 3339 in UTC.
	LastAttemptTime *metav1.Time `json:"lastAttemptTime,omitempty"`
	// Until when the cloud asked not to be asked again; gone with the next pass for which it did not.
	// RFC 3339 in UTC.
	NotBefore *metav1.Time `json:"notBefore,omitempty"`
	// When the cloud last rejected the credentials, until a pass succeeds: another process does not
	// try them again at once. RFC 3339 in UTC.
	CredentialsRejectedTime *metav1.Time `json:"credentialsRejectedTime,omitempty"`
	// Until when the mirrors may be called fresh; moved by a success alone, so that it tells the truth
	// even when the controller is dead. RFC 3339 in UTC.
	FreshUntil *metav1.Time `json:"freshUntil,omitempty"`
	// Pools that are mirrored: those of the last complete listing without the skipped ones.
	Pools *int64 `json:"pools,omitempty"`
	// Nodes of all Dedicate pools, by state; Logical pools are carved out of them and would count
	// twice.
	Counts *PoolCounts `json:"counts,omitempty"`
	// Pools of the last complete listing that could not be mirrored.
	Skipped *SkippedPools `json:"skipped,omitempty"`
	// Value of the annotation modelarts.huaweicloud.com/refresh-requested-at that the last pass begun
	// after it has answered.
	LastHandledRefresh *string `json:"lastHandledRefresh,omitempty"`
}

// SkippedPools: Pools that could not be mirrored.
type SkippedPools struct {
	// How many there are.
	Count int64 `json:"count"`
	// The first ten of them, by id.
	Pools []SkippedPool `json:"pools,omitempty"`
}

// SkippedPool: A pool that could not be mirrored.
type SkippedPool struct {
	// The pool's id; where it is longer than 253 bytes, its beginning, `~` and a hash of the whole.
	ID string `json:"id"`
	// `InvalidName`, `TooLarge`, `NameConflict` or `Refused`.
	Reason string `json:"reason"`
	// What is wrong and what to do, for people.
	Message string `json:"message"`
}
