package v1alpha1

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func pool(t *testing.T, status string) *ModelArtsPool {
	t.Helper()
	return read(t, `{"kind":"ModelArtsPool","apiVersion":"modelarts.huaweicloud.com/v1alpha1",`+
		`"metadata":{"name":"p","generation":2},"spec":{},"status":`+status+`}`)
}

func TestUnknownIsNotZero(t *testing.T) {
	for status, expected := range map[string]string{
		`null`: "0 false map[] false",
		`{}`:   "0 false map[] false",
		`{"counts":{"desired":2},"resources":{"available":[{"flavor":"a","count":2}]}}`: "0 false map[] false",
		`{"counts":{"available":0},"resources":{"available":[]}}`:                       "0 true map[] true",
		// A pool that is gone: what was listed last is still shown.
		`{"counts":{"available":0},"resources":{"available":[{"flavor":"a","count":2}]}}`: "0 true map[] true",
		`{"counts":{"available":2}}`: "2 true map[] false",
		`{"counts":{"available":4},"resources":{"available":[{"flavor":"a","count":2},{"count":1},{"flavor":"a","count":1}]}}`: "4 true map[:1 a:3] true",
		`{"counts":{"available":2},"resources":{"available":[{"flavor":"a","count":2},{"flavor":"b"}]}}`:                       "2 true map[] false",
	} {
		p := pool(t, status)
		nodes, known := p.AvailableNodes()
		flavors, all := p.AvailableByFlavor()
		if got := fmt.Sprint(nodes, known, flavors, all); got != expected {
			t.Errorf("%s: %s, expected %s", status, got, expected)
		}
	}
}

func TestConditions(t *testing.T) {
	for status, expected := range map[string]metav1.ConditionStatus{
		`null`: metav1.ConditionUnknown,
		`{"conditions":[{"type":"Synced","status":"True"}]}`:                          metav1.ConditionUnknown,
		`{"conditions":[{"type":"Ready","status":"True"}]}`:                           metav1.ConditionTrue,
		`{"conditions":[{"type":"Ready","status":"True","observedGeneration":2}]}`:    metav1.ConditionTrue,
		`{"conditions":[{"type":"Ready","status":"True","observedGeneration":1}]}`:    metav1.ConditionUnknown,
		`{"conditions":[{"type":"Ready","status":"False","observedGeneration":2}]}`:   metav1.ConditionFalse,
		`{"conditions":[{"type":"Ready","status":"Unknown","observedGeneration":2}]}`: metav1.ConditionUnknown,
	} {
		if ready := pool(t, status).Ready(); ready != expected {
			t.Errorf("%s: %s, expected %s", status, ready, expected)
		}
	}
}

func TestFreshness(t *testing.T) {
	until := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	source := ModelArtsPoolSource{}
	if source.IsFresh(until) || source.Ready() != metav1.ConditionUnknown {
		t.Error("nothing is known")
	}
	source.Status = &ModelArtsPoolSourceStatus{FreshUntil: &metav1.Time{Time: until}}
	if !source.IsFresh(until.Add(-time.Second)) || source.IsFresh(until) {
		t.Error(source.Status.FreshUntil)
	}
}
