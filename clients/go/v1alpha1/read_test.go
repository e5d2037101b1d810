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
	if !source.IsFresh(until) || source.IsFresh(until.Add(time.Second)) {
		t.Error(source.Status.FreshUntil)
	}
}

func TestKnownAvailableNodes(t *testing.T) {
	until := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	source := &ModelArtsPoolSource{Status: &ModelArtsPoolSourceStatus{FreshUntil: &metav1.Time{Time: until}}}
	conditions := func(synced, listed string) string {
		status := func(reason, good string) string {
			if reason == good {
				return "True"
			}
			return "False"
		}
		return fmt.Sprintf(`"conditions":[{"type":"Synced","status":%q,"reason":%q},{"type":"Listed","status":%q,"reason":%q}]`,
			status(synced, "Synced"), synced, status(listed, "Listed"), listed)
	}
	two := `"counts":{"available":2},"resources":{"available":[{"flavor":"a","count":1},{"flavor":"b","count":1}]},`
	for _, c := range []struct {
		status   string
		source   *ModelArtsPoolSource
		now      time.Time
		all, one string
	}{
		{two + conditions("Synced", "Listed"), source, until, "2", "1"},
		{two + conditions("Synced", "Listed"), source, until.Add(time.Second), "unknown", "unknown"},
		{two + conditions("Synced", "Listed"), nil, until, "unknown", "unknown"},
		{two + conditions("Synced", "Listed"), &ModelArtsPoolSource{}, until, "unknown", "unknown"},
		{two + conditions("ListFailed", "Listed"), source, until, "unknown", "unknown"},
		{two + conditions("Synced", "Missing"), source, until, "unknown", "unknown"},
		{`"counts":{"available":0},` + conditions("Synced", "Gone"), source, until, "0", "0"},
		{`"resources":{"available":[{"flavor":"a"}]},` + conditions("Synced", "Listed"), source, until, "unknown", "unknown"},
		{`"resources":{"available":[{"flavor":"a","count":1},{"count":1}]},` + conditions("Synced", "Listed"), source, until, "unknown", "unknown"},
		{`"resources":{"available":[]},"counts":{"available":0},` + conditions("Synced", "Listed"), source, until, "0", "0"},
		{`"phase":"Running"`, source, until, "unknown", "unknown"},
	} {
		p := pool(t, "{"+c.status+"}")
		for flavor, expected := range map[string]string{"": c.all, "a": c.one} {
			got := "unknown"
			nodes, err := p.KnownAvailableNodes(flavor, c.source, c.now)
			if err == nil {
				got = fmt.Sprint(nodes)
			} else if err.Error() == "" {
				t.Errorf("%s: no reason", c.status)
			}
			if got != expected {
				t.Errorf("%s of %q: %s, expected %s", c.status, flavor, got, expected)
			}
		}
	}
}
