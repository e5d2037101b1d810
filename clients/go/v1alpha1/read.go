package v1alpha1

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Labels and annotations of mirrors and sources.
const (
	// SourceLabel on a mirror: the name of the source it is written for.
	SourceLabel = "modelarts.huaweicloud.com/source"
	// PoolNameLabel on a mirror: the pool's display name.
	PoolNameLabel = "os.modelarts/name"
	// WorkspaceLabel on a mirror: the workspace that the pool was listed in.
	WorkspaceLabel = "os.modelarts/workspace.id"
	// CloudAPIVersionAnnotation on a mirror: apiVersion of the pool in the cloud's answer.
	CloudAPIVersionAnnotation = "modelarts.huaweicloud.com/cloud-api-version"
	// RefreshAnnotation on a source: any new value asks for a pass now.
	RefreshAnnotation = "modelarts.huaweicloud.com/refresh-requested-at"
)

// Types of conditions.
const (
	// ConditionReady of a mirror: the pool works. Of a source: the last pass succeeded.
	ConditionReady = "Ready"
	// ConditionSynced of a mirror: the data is fresh, as far as the controller has said.
	ConditionSynced = "Synced"
	// ConditionListed of a mirror: the pool is in the cloud's list.
	ConditionListed = "Listed"
	// ConditionPoolsSkipped of a source, only while true: some pools could not be mirrored.
	ConditionPoolsSkipped = "PoolsSkipped"
	// ConditionPruneHalted of a source, only while true: mirrors of missing pools are not removed.
	ConditionPruneHalted = "PruneHalted"
	// ConditionStalled of a source, only while true: only a person can mend it.
	ConditionStalled = "Stalled"
	// ConditionReconciling of a source, only while true: no pass has succeeded yet.
	ConditionReconciling = "Reconciling"
)

// FindCondition returns the condition of this type, or nil.
func (in *ModelArtsPool) FindCondition(conditionType string) *metav1.Condition {
	if in.Status == nil {
		return nil
	}
	return find(in.Status.Conditions, conditionType)
}

// Ready tells whether the pool works: Unknown where nobody can say, such as while the data is old.
func (in *ModelArtsPool) Ready() metav1.ConditionStatus {
	return statusOf(in.FindCondition(ConditionReady), in.Generation)
}

// Phase returns the pool's phase as the cloud says it; empty where it says none.
func (in *ModelArtsPool) Phase() string {
	if in.Status == nil || in.Status.Phase == nil {
		return ""
	}
	return *in.Status.Phase
}

// SourceName returns the name of the source, in the same namespace, that the mirror is written for.
func (in *ModelArtsPool) SourceName() string {
	return in.Labels[SourceLabel]
}

// AvailableNodes returns how many nodes work, and whether that is known. Whether it is still so is for the
// source to say: see [ModelArtsPoolSource.IsFresh].
func (in *ModelArtsPool) AvailableNodes() (nodes int64, known bool) {
	if in.Status == nil || in.Status.Counts == nil || in.Status.Counts.Available == nil {
		return 0, false
	}
	return *in.Status.Counts.Available, true
}

// AvailableByFlavor returns how many nodes of each flavor work, and whether that is known: one entry without a
// number makes all of it unknown. Nodes of no named flavor are under "".
func (in *ModelArtsPool) AvailableByFlavor() (nodes map[string]int64, known bool) {
	sum, known := in.AvailableNodes()
	if !known {
		return nil, false
	}
	nodes = map[string]int64{}
	// The mirror of a pool that is gone has no nodes, and still shows what was listed last.
	if sum == 0 {
		return nodes, true
	}
	if in.Status.Resources == nil {
		return nil, false
	}
	for _, entry := range in.Status.Resources.Available {
		if entry.Count == nil {
			return nil, false
		}
		flavor := ""
		if entry.Flavor != nil {
			flavor = *entry.Flavor
		}
		nodes[flavor] += *entry.Count
	}
	return nodes, true
}

// UnknownError says why the nodes of a pool are not known. Unknown is never 0: keep what was known last.
//
// +kubebuilder:object:generate=false
type UnknownError struct {
	// Why, for people.
	Why string
}

func (e *UnknownError) Error() string {
	return e.Why
}

// KnownAvailableNodes returns how many nodes of the pool work, of one flavor or, with "", of all, as far as they can
// be counted on now; else an [UnknownError]. The source is the one that [ModelArtsPool.SourceName] names, or nil where
// that is not there. A pool that is confirmed gone has 0.
func (in *ModelArtsPool) KnownAvailableNodes(flavor string, source *ModelArtsPoolSource, now time.Time) (int64, error) {
	synced := in.FindCondition(ConditionSynced)
	switch {
	case synced == nil:
		return 0, &UnknownError{"it has no status yet"}
	case synced.Status != metav1.ConditionTrue:
		return 0, &UnknownError{"it is not synced: " + synced.Reason}
	case source == nil:
		return 0, &UnknownError{"its source is not there"}
	// The condition alone does not tell: where no replica runs, nobody is left to set it to False.
	case !source.IsFresh(now):
		return 0, &UnknownError{fmt.Sprintf("source %s is not fresh", source.Name)}
	}
	if listed := in.FindCondition(ConditionListed); listed != nil && listed.Status != metav1.ConditionTrue {
		if listed.Reason == "Gone" {
			return 0, nil
		}
		return 0, &UnknownError{"the cloud's list does not hold it"}
	}
	nodes, known := in.AvailableNodes()
	if flavor != "" {
		nodes, known = in.availableOf(flavor)
	}
	if !known {
		return 0, &UnknownError{"the cloud does not say"}
	}
	return nodes, nil
}

func (in *ModelArtsPool) availableOf(flavor string) (nodes int64, known bool) {
	resources := in.Status.Resources
	if resources == nil || resources.Available == nil {
		return 0, false
	}
	for _, entry := range resources.Available {
		// One without a flavor may be of this one.
		if entry.Flavor == nil {
			return 0, false
		}
		if *entry.Flavor != flavor {
			continue
		}
		if entry.Count == nil {
			return 0, false
		}
		nodes += *entry.Count
	}
	return nodes, true
}

// FindCondition returns the condition of this type, or nil.
func (in *ModelArtsPoolSource) FindCondition(conditionType string) *metav1.Condition {
	if in.Status == nil {
		return nil
	}
	return find(in.Status.Conditions, conditionType)
}

// Ready tells whether the last pass succeeded: Unknown before the first, and after a change of the spec until a
// pass has used it.
func (in *ModelArtsPoolSource) Ready() metav1.ConditionStatus {
	return statusOf(in.FindCondition(ConditionReady), in.Generation)
}

// IsFresh tells whether the mirrors of the source may be called fresh at this time. It is right also where the
// controller is dead, which the condition Synced of a mirror can't be.
func (in *ModelArtsPoolSource) IsFresh(now time.Time) bool {
	return in.Status != nil && in.Status.FreshUntil != nil && !now.After(in.Status.FreshUntil.Time)
}

func find(conditions []metav1.Condition, conditionType string) *metav1.Condition {
	for i := range conditions {
		if conditions[i].Type == conditionType {
			return &conditions[i]
		}
	}
	return nil
}

// What a condition said of an older spec, it does not say of this one.
func statusOf(condition *metav1.Condition, generation int64) metav1.ConditionStatus {
	if condition == nil || (condition.ObservedGeneration != 0 && condition.ObservedGeneration < generation) {
		return metav1.ConditionUnknown
	}
	return condition.Status
}
