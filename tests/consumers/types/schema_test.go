// Package types compares the Go types with the definitions of the kinds.
package types

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/modelarts-pool-controller/modelarts-pool-controller/clients/go/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

const root = "../../.."

// A part of openAPIV3Schema.
type schema struct {
	Type        string            `json:"type"`
	Format      string            `json:"format"`
	Description string            `json:"description"`
	Properties  map[string]schema `json:"properties"`
	Items       *schema           `json:"items"`
	Values      *schema           `json:"additionalProperties"`
	Required    []string          `json:"required"`
	Enum        []string          `json:"enum"`
	Open        bool              `json:"x-kubernetes-preserve-unknown-fields"`
}

func definition(t *testing.T, plural string) schema {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "crds", "modelarts.huaweicloud.com_"+plural+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var crd struct {
		Spec struct {
			Versions []struct {
				Schema struct{ OpenAPIV3Schema schema }
			}
		}
	}
	if err := yaml.Unmarshal(text, &crd); err != nil {
		t.Fatal(err)
	}
	return crd.Spec.Versions[0].Schema.OpenAPIV3Schema
}

var enums = map[reflect.Type][]string{
	reflect.TypeFor[v1alpha1.CredentialsType](): of(v1alpha1.CredentialsAccessKey, v1alpha1.CredentialsToken,
		v1alpha1.CredentialsPassword, v1alpha1.CredentialsAgency, v1alpha1.CredentialsPodIdentity),
	reflect.TypeFor[v1alpha1.PoolStatusFilter](): of(v1alpha1.PoolsCreated, v1alpha1.PoolsCreating, v1alpha1.PoolsFailed),
	reflect.TypeFor[v1alpha1.PrunePolicy]():      of(v1alpha1.PruneDelete, v1alpha1.PruneRetain),
}

func of[T ~string](values ...T) (texts []string) {
	for _, value := range values {
		texts = append(texts, string(value))
	}
	return texts
}

func TestTypesAreTheDefinitions(t *testing.T) {
	c := comparison{comments: comments(t)}
	kinds := map[string][2]reflect.Type{
		"modelartspools":       {reflect.TypeFor[v1alpha1.ModelArtsPoolSpec](), reflect.TypeFor[v1alpha1.ModelArtsPoolStatus]()},
		"modelartspoolsources": {reflect.TypeFor[v1alpha1.ModelArtsPoolSourceSpec](), reflect.TypeFor[v1alpha1.ModelArtsPoolSourceStatus]()},
	}
	for plural, types := range kinds {
		whole := definition(t, plural)
		c.object(plural+".spec", whole.Properties["spec"], types[0])
		c.object(plural+".status", whole.Properties["status"], types[1])
	}
	for _, wrong := range c.wrong {
		t.Error(wrong)
	}
	if c.fields < 150 {
		t.Errorf("only %d fields were looked at", c.fields)
	}
}

type comparison struct {
	comments map[string]string
	wrong    []string
	fields   int
}

func (c *comparison) fail(place, format string, arguments ...any) {
	c.wrong = append(c.wrong, place+": "+fmt.Sprintf(format, arguments...))
}

func (c *comparison) object(place string, s schema, t reflect.Type) {
	found := map[string]bool{}
	open := false
	for i := range t.NumField() {
		field := t.Field(i)
		name, option, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "-" {
			open = field.Name == "Unknown"
			continue
		}
		found[name] = true
		c.fields++
		here := place + "." + name
		property, ok := s.Properties[name]
		if !ok {
			c.fail(here, "%s has it, the definition has not", t)
			continue
		}
		required := false
		for _, r := range s.Required {
			required = required || r == name
		}
		if required == (option != "") && t != reflect.TypeFor[metav1.Condition]() {
			c.fail(here, "required: %v, option of the tag: %q", required, option)
		}
		if comment, ours := c.comments[t.Name()+"."+field.Name]; ours && comment != words(property.Description) {
			c.fail(here, "the comment is\n\t%s\nand the description\n\t%s", comment, words(property.Description))
		}
		c.value(here, property, field.Type, option)
	}
	for name := range s.Properties {
		if !found[name] {
			c.fail(place, "%s lacks the field %s", t, name)
		}
	}
	if open != s.Open {
		c.fail(place, "keeps unknown fields: %v; %s has a field Unknown: %v", s.Open, t, open)
	}
}

func (c *comparison) value(place string, s schema, t reflect.Type, option string) {
	if enum := enums[t]; len(s.Enum) > 0 && !reflect.DeepEqual(enum, s.Enum) {
		c.fail(place, "the values are %v, and %v in Go", s.Enum, enum)
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	} else if option == ",omitempty" && s.Type == "integer" {
		c.fail(place, "absent and 0 are the same in Go")
	}
	kind := s.Type + s.Format
	switch {
	case t == reflect.TypeFor[v1alpha1.OpenObject]() && kind == "object" && s.Open && len(s.Properties) == 0:
	case t == reflect.TypeFor[metav1.Time]() && kind == "stringdate-time":
	case t.Kind() == reflect.String && kind == "string":
	case t.Kind() == reflect.Bool && kind == "boolean":
	case t.Kind() == reflect.Int64 && kind == "integerint64":
	case t.Kind() == reflect.Int32 && kind == "integerint32":
	case t.Kind() == reflect.Slice && kind == "array":
		c.value(place+"[]", *s.Items, t.Elem(), "")
	case t.Kind() == reflect.Map && kind == "object" && s.Values != nil:
		c.value(place+"{}", *s.Values, t.Elem(), "")
	case t.Kind() == reflect.Struct && kind == "object":
		c.object(place, s, t)
	default:
		c.fail(place, "%s is %s in Go", kind, t)
	}
}

// comments returns what stands above each field, by type and field.
func comments(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "clients/go/v1alpha1/*.go"))
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	found := map[string]string{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			spec, ok := node.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if fields, ok := spec.Type.(*ast.StructType); ok {
				for _, field := range fields.Fields.List {
					for _, name := range field.Names {
						found[spec.Name.Name+"."+name.Name] = words(field.Doc.Text())
					}
				}
			}
			return true
		})
	}
	return found
}

func words(text string) string {
	return strings.Join(strings.Fields(text), " ")
}
