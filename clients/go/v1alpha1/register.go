// Package v1alpha1 has the types of the API group modelarts.huaweicloud.com, version v1alpha1: the resource pools of
// Huawei Cloud ModelArts as modelarts-pool-controller mirrors them.
//
// Of a mirror, any field may be absent: a nil pointer or slice is unknown, and never zero. Fields that the cloud has
// and this package does not know are kept in Unknown, so that an object that is read and written loses nothing.
//
// +kubebuilder:object:generate=true
// +groupName=modelarts.huaweicloud.com
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the API group of both kinds.
const GroupName = "modelarts.huaweicloud.com"

var (
	// GroupVersion is the API group and version of both kinds.
	GroupVersion = schema.GroupVersion{Group: GroupName, Version: "v1alpha1"}
	// SchemeBuilder collects what AddToScheme does.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)
	// AddToScheme makes a scheme know both kinds and their lists.
	AddToScheme = SchemeBuilder.AddToScheme
)

// Resource returns the group and resource of a name such as "modelartspools", for errors of the API.
func Resource(resource string) schema.GroupResource {
	return GroupVersion.WithResource(resource).GroupResource()
}

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&ModelArtsPool{}, &ModelArtsPoolList{}, &ModelArtsPoolSource{}, &ModelArtsPoolSourceList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
