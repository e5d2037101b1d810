package main

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const manager = client.FieldOwner("peer-go")

type reconciler struct {
	client client.Client
	poller *poller
}

// Reconcile writes what differs between a pool and its mirror, and nothing else.
func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	all := r.poller.desired.Load()
	if all == nil {
		return ctrl.Result{}, nil
	}
	wanted := (*all)[request.Name]
	present := &unstructured.Unstructured{}
	present.SetGroupVersionKind(poolKind)
	// It is read, never changed: the cache's own object will do.
	err := r.client.Get(ctx, request.NamespacedName, present, client.UnsafeDisableDeepCopy)
	if client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, err
	}
	exists := err == nil
	if wanted == nil {
		if exists {
			err = r.client.Delete(ctx, present)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !exists || differs(wanted.object, present) {
		// The answer is written into what is sent.
		applied := wanted.object.DeepCopy()
		err := r.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(applied), manager, client.ForceOwnership)
		if err != nil {
			return ctrl.Result{}, err
		}
		present = applied
	}
	status := statusOf(wanted, present)
	if equality.Semantic.DeepEqual(status, present.Object["status"]) {
		return ctrl.Result{}, nil
	}
	object := &unstructured.Unstructured{Object: map[string]any{"status": status}}
	object.SetGroupVersionKind(poolKind)
	object.SetNamespace(request.Namespace)
	object.SetName(request.Name)
	err = r.client.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(object), manager, client.ForceOwnership)
	return ctrl.Result{}, err
}

// differs: what others add to the metadata is theirs.
func differs(wanted, present *unstructured.Unstructured) bool {
	return !contains(present.GetLabels(), wanted.GetLabels()) ||
		!contains(present.GetAnnotations(), wanted.GetAnnotations()) ||
		!equality.Semantic.DeepEqual(wanted.GetOwnerReferences(), present.GetOwnerReferences()) ||
		!equality.Semantic.DeepEqual(wanted.Object["spec"], present.Object["spec"])
}

func contains(present, wanted map[string]string) bool {
	for key, value := range wanted {
		if has, ok := present[key]; !ok || has != value {
			return false
		}
	}
	return true
}

// statusOf is the whole status; a time moves only with its condition's status.
func statusOf(wanted *desired, present *unstructured.Unstructured) map[string]any {
	status := make(map[string]any, len(wanted.status)+2)
	for key, value := range wanted.status {
		status[key] = value
	}
	before, _, _ := unstructured.NestedSlice(present.Object, "status", "conditions")
	generation := present.GetGeneration()
	conditions := make([]any, 0, len(wanted.conditions))
	for _, c := range wanted.conditions {
		since := any(time.Now().UTC().Format(time.RFC3339))
		for _, b := range before {
			if b, ok := b.(map[string]any); ok && b["type"] == c.kind && b["status"] == c.status {
				since = b["lastTransitionTime"]
			}
		}
		conditions = append(conditions, map[string]any{
			"type": c.kind, "status": c.status, "reason": c.reason, "message": c.message,
			"observedGeneration": generation, "lastTransitionTime": since,
		})
	}
	status["observedGeneration"] = generation
	status["conditions"] = conditions
	return status
}
