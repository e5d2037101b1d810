// Package health asks those who judge the health of objects about ours: kstatus, which Helm and Flux wait with, and
// the scripts that Argo CD runs. The objects are in the folders of the scripts, as the controller writes them.
package health

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/yaml"
)

const (
	root           = "../../.."
	customizations = root + "/examples/argocd/resource_customizations/modelarts.huaweicloud.com"
)

var kinds = []string{"ModelArtsPool", "ModelArtsPoolSource"}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func object(t *testing.T, file string) *unstructured.Unstructured {
	t.Helper()
	json, err := yaml.YAMLToJSON(read(t, file))
	if err != nil {
		t.Fatal(err)
	}
	var u unstructured.Unstructured
	if err := u.UnmarshalJSON(json); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return &u
}

// files returns the objects of a kind.
func files(t *testing.T, kind string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(customizations, kind, "testdata", "*.yaml"))
	if err != nil || len(found) < 10 {
		t.Fatal(kind, found, err)
	}
	return found
}

// table returns what docs/health.md says of each object of a kind: kstatus and Argo CD, by the name of its file.
func table(t *testing.T, kind string) map[string][2]string {
	t.Helper()
	rows := map[string][2]string{}
	_, section, _ := strings.Cut(string(read(t, root+"/docs/health.md")), "## "+kind+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 4 || !strings.Contains(cells[1], "`") {
			continue
		}
		rows[strings.Trim(cells[1], " `")] = [2]string{strings.TrimSpace(cells[2]), strings.TrimSpace(cells[3])}
	}
	return rows
}

func TestTheTableIsTrue(t *testing.T) {
	for _, kind := range kinds {
		script := string(read(t, filepath.Join(customizations, kind, "health.lua")))
		rows := table(t, kind)
		objects := files(t, kind)
		if len(rows) != len(objects) {
			t.Errorf("%s: %d rows for %d objects", kind, len(rows), len(objects))
		}
		for _, file := range objects {
			name := strings.TrimSuffix(filepath.Base(file), ".yaml")
			o := object(t, file)
			if o.GetKind() != kind || o.GetGeneration() == 0 {
				t.Errorf("%s: %v", file, o)
			}
			computed, err := status.Compute(o)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			got := [2]string{string(computed.Status), run(t, script, o.Object).Status}
			if got != rows[name] {
				t.Errorf("%s/%s is %v, and docs/health.md says %v (%s)", kind, name, got, rows[name], computed.Message)
			}
		}
	}
}
