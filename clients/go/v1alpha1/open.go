package v1alpha1

import (
	stdjson "encoding/json"
	"reflect"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/util/json"
)

// OpenObject is a JSON object of which no field is known beforehand.
type OpenObject map[string]stdjson.RawMessage

// unmarshalOpen reads data into known, and what known has no field for into unknown.
func unmarshalOpen(data []byte, known any, unknown *map[string]stdjson.RawMessage) error {
	// As the API server reads: TYPE is another field than type.
	if err := json.Unmarshal(data, known); err != nil {
		return err
	}
	rest := map[string]stdjson.RawMessage{}
	if err := stdjson.Unmarshal(data, &rest); err != nil {
		return err
	}
	for _, name := range fieldsOf(reflect.TypeOf(known).Elem()) {
		delete(rest, name)
	}
	*unknown = nil
	if len(rest) > 0 {
		*unknown = rest
	}
	return nil
}

// marshalOpen writes known, and unknown beside it. A field that known has is known's.
func marshalOpen(known any, unknown map[string]stdjson.RawMessage) ([]byte, error) {
	data, err := stdjson.Marshal(known)
	if err != nil || len(unknown) == 0 {
		return data, err
	}
	whole := make(map[string]stdjson.RawMessage, len(unknown))
	for name, value := range unknown {
		whole[name] = value
	}
	for _, name := range fieldsOf(reflect.TypeOf(known)) {
		delete(whole, name)
	}
	// Into a map that has members, the members of data are added.
	if err := stdjson.Unmarshal(data, &whole); err != nil {
		return nil, err
	}
	return stdjson.Marshal(whole)
}

var fields sync.Map

// fieldsOf returns the names in JSON of the fields of a type.
func fieldsOf(t reflect.Type) []string {
	if names, ok := fields.Load(t); ok {
		return names.([]string)
	}
	var names []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name != "-" {
			names = append(names, name)
		}
	}
	fields.Store(t, names)
	return names
}
