package main

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

const (
	group       = "modelarts.huaweicloud.com"
	sourceLabel = group + "/source"
)

var (
	poolKind   = schema.GroupVersionKind{Group: group, Version: "v1alpha1", Kind: "ModelArtsPool"}
	sourceKind = schema.GroupVersionKind{Group: group, Version: "v1alpha1", Kind: "ModelArtsPoolSource"}
	nodeStates = []string{"creating", "available", "abnormal", "deleting", "creationFailed"}
)

type desired struct {
	// What is applied; it has no status.
	object *unstructured.Unstructured
	// Without conditions and observedGeneration.
	status map[string]any
	// Status, reason and message of each condition.
	conditions [3]condition
}

type condition struct{ kind, status, reason, message string }

func ownerOf(source *unstructured.Unstructured) map[string]any {
	return map[string]any{
		"apiVersion": source.GetAPIVersion(), "kind": source.GetKind(),
		"name": source.GetName(), "uid": string(source.GetUID()), "controller": true,
	}
}

func desiredOf(pool map[string]any, source types.NamespacedName, owner map[string]any) *desired {
	pool = integers(pool).(map[string]any)
	metadata, _ := pool["metadata"].(map[string]any)
	spec, _ := pool["spec"].(map[string]any)
	status, _ := pool["status"].(map[string]any)
	if status == nil {
		status = map[string]any{}
	}
	labels := cloudKeys(metadata["labels"])
	labels["os.modelarts/workspace.id"] = "0"
	labels[sourceLabel] = source.Name
	labels["app.kubernetes.io/managed-by"] = "modelarts-pool-controller"
	annotations := cloudKeys(metadata["annotations"])
	annotations[group+"/cloud-api-version"] = pool["apiVersion"]

	nodes, _ := status["resources"].(map[string]any)
	if nodes == nil {
		nodes = map[string]any{}
	}
	counts := map[string]any{}
	if sum, ok := sum(spec["resources"]); ok {
		counts["desired"] = sum
	}
	for _, state := range nodeStates {
		if nodes[state] == nil {
			nodes[state] = []any{}
		}
		if sum, ok := sum(nodes[state]); ok {
			counts[state] = sum
		}
	}
	status["resources"] = nodes
	status["counts"] = counts
	if flavors := flavors(spec["resources"]); flavors != "" {
		status["flavors"] = flavors
	}
	if created, ok := metadata["creationTimestamp"]; ok {
		status["creationTimestamp"] = created
	}
	phase, _ := status["phase"].(string)
	message, _ := status["message"].(string)
	ready := condition{"Ready", "False", phase, message}
	switch phase {
	case "":
		ready.status, ready.reason = "Unknown", "NoPhase"
	case "Running":
		ready.status = "True"
	}
	object := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{
			"name": metadata["name"], "namespace": source.Namespace,
			"labels": labels, "annotations": annotations,
			"ownerReferences": []any{owner},
		},
		"spec": spec,
	}}
	object.SetGroupVersionKind(poolKind)
	return &desired{object, status, [3]condition{
		ready, {"Synced", "True", "Synced", ""}, {"Listed", "True", "Listed", ""},
	}}
}

func cloudKeys(of any) map[string]any {
	result := map[string]any{}
	all, _ := of.(map[string]any)
	for key, value := range all {
		prefix, _, _ := strings.Cut(key, "/")
		if _, isText := value.(string); isText && (prefix == "os.modelarts" || strings.HasPrefix(prefix, "os.modelarts.")) {
			result[key] = value
		}
	}
	return result
}

func sum(entries any) (sum int64, known bool) {
	list, known := entries.([]any)
	for _, entry := range list {
		count, ok := entry.(map[string]any)["count"].(int64)
		sum, known = sum+count, known && ok
	}
	return sum, known
}

func flavors(entries any) string {
	list, _ := entries.([]any)
	var names []string
	for _, entry := range list {
		if flavor, ok := entry.(map[string]any)["flavor"].(string); ok {
			names = append(names, flavor)
		}
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ",")
}

// integers makes whole numbers int64, as unstructured objects hold them.
func integers(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key := range v {
			v[key] = integers(v[key])
		}
	case []any:
		for i := range v {
			v[i] = integers(v[i])
		}
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	}
	return value
}
