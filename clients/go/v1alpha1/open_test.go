package v1alpha1

import (
	"encoding/json"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
)

const mirror = `{"kind":"ModelArtsPool","apiVersion":"modelarts.huaweicloud.com/v1alpha1",` +
	`"metadata":{"name":"p","namespace":"n","unknown-of-metadata":null},` +
	`"spec":{"TYPE":"x","containernetwork":{"mode":"eni","new":[null,1.50,12345678901234567890]},` +
	`"controlMode":0,"new":{"deep":{"x":null}},` +
	`"resources":[{"count":0,"extendParams":{},"flavor":"","new":1e300}],"scope":[],"type":"NewInTheCloud"},` +
	`"status":{"cloud":{"conditions":null},"counts":{"available":0},"message":"","new":-0.0,"parent":"",` +
	`"resources":{"available":[]}}}`

func read(t *testing.T, text string) *ModelArtsPool {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	object, _, err := serializer.NewCodecFactory(scheme).UniversalDeserializer().Decode([]byte(text), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return object.(*ModelArtsPool)
}

func TestNothingIsLost(t *testing.T) {
	pool := read(t, mirror)
	if *pool.Spec.Type != "NewInTheCloud" || string(pool.Spec.Unknown["TYPE"]) != `"x"` {
		t.Errorf("%v %s", *pool.Spec.Type, pool.Spec.Unknown["TYPE"])
	}
	// A copy says the same, and holds nothing of the original.
	copied := pool.DeepCopy()
	*pool.Spec.Type = "changed"
	pool.Spec.Unknown["new"][0] = 'x'
	pool.Status.Cloud["conditions"][0] = 'x'
	pool.Spec.Resources[0].Unknown["new"] = nil
	written, err := json.Marshal(copied)
	if err != nil {
		t.Fatal(err)
	}
	var was, is struct {
		Spec, Status json.RawMessage
	}
	for text, part := range map[string]any{mirror: &was, string(written): &is} {
		if err := json.Unmarshal([]byte(text), part); err != nil {
			t.Fatal(err)
		}
	}
	if sorted(t, was.Spec) != sorted(t, is.Spec) || sorted(t, was.Status) != sorted(t, is.Status) {
		t.Errorf("\n%s\n%s", mirror, written)
	}
}

// sorted returns the same JSON with keys in order; numbers as they are written.
func sorted(t *testing.T, text json.RawMessage) string {
	t.Helper()
	var object map[string]json.RawMessage
	if json.Unmarshal(text, &object) == nil {
		for key, value := range object {
			object[key] = json.RawMessage(sorted(t, value))
		}
		return marshal(t, object)
	}
	var list []json.RawMessage
	if json.Unmarshal(text, &list) == nil {
		for i, value := range list {
			list[i] = json.RawMessage(sorted(t, value))
		}
		return marshal(t, list)
	}
	return string(text)
}

func marshal(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAFieldThatIsKnownIsNotWrittenTwice(t *testing.T) {
	value := "mine"
	tag := PoolTag{Key: &value, Unknown: map[string]json.RawMessage{"key": json.RawMessage(`"other"`), "new": json.RawMessage(`1`)}}
	written := marshal(t, tag)
	if written != `{"key":"mine","new":1}` {
		t.Error(written)
	}
	if err := json.Unmarshal([]byte(`{"value":"v"}`), &tag); err != nil || tag.Unknown != nil {
		t.Error(err, tag)
	}
}
