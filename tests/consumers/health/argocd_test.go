package health

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"
	"sigs.k8s.io/yaml"
)

// The form of Argo CD's own tests of its scripts.
type healthTests struct {
	Tests []struct {
		HealthStatus health `json:"healthStatus"`
		InputPath    string `json:"inputPath"`
	} `json:"tests"`
}

type health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func TestArgoCD(t *testing.T) {
	for _, kind := range kinds {
		folder := filepath.Join(customizations, kind)
		var tests healthTests
		if err := yaml.UnmarshalStrict(read(t, filepath.Join(folder, "health_test.yaml")), &tests); err != nil {
			t.Fatal(err)
		}
		script := string(read(t, filepath.Join(folder, "health.lua")))
		tested := map[string]bool{}
		for _, test := range tests.Tests {
			tested[filepath.Base(test.InputPath)] = true
			t.Run(kind+"/"+test.InputPath, func(t *testing.T) {
				got := run(t, script, object(t, filepath.Join(folder, test.InputPath)).Object)
				if got != test.HealthStatus {
					t.Errorf("%+v, expected %+v", got, test.HealthStatus)
				}
			})
		}
		for _, file := range files(t, kind) {
			if !tested[filepath.Base(file)] {
				t.Errorf("%s: health_test.yaml lacks it", file)
			}
		}
	}
}

// run runs a script as Argo CD does: without any library but the base and tables, for a second at most.
func run(t *testing.T, script string, object map[string]any) health {
	t.Helper()
	l := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer l.Close()
	for name, open := range map[string]lua.LGFunction{lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable} {
		l.Push(l.NewFunction(open))
		l.Push(lua.LString(name))
		l.Call(1, 0)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	l.SetContext(ctx)
	l.SetGlobal("obj", value(l, object))
	if err := l.DoString(script); err != nil {
		t.Fatal(err)
	}
	table, ok := l.Get(-1).(*lua.LTable)
	if !ok {
		t.Fatalf("the script returns %v", l.Get(-1))
	}
	got := health{lua.LVAsString(table.RawGetString("status")), lua.LVAsString(table.RawGetString("message"))}
	switch got.Status {
	case "Healthy", "Degraded", "Progressing", "Suspended", "Unknown", "Missing":
	default:
		t.Errorf("Argo CD knows no %q", got.Status)
	}
	return got
}

func value(l *lua.LState, v any) lua.LValue {
	switch v := v.(type) {
	case map[string]any:
		table := l.NewTable()
		for key, member := range v {
			table.RawSetString(key, value(l, member))
		}
		return table
	case []any:
		table := l.NewTable()
		for _, item := range v {
			table.Append(value(l, item))
		}
		return table
	case string:
		return lua.LString(v)
	case bool:
		return lua.LBool(v)
	case int64:
		return lua.LNumber(v)
	case float64:
		return lua.LNumber(v)
	}
	return lua.LNil
}

// The snippet of the documentation is these scripts, indented.
func TestTheConfigMapHasTheScripts(t *testing.T) {
	var config struct {
		Data map[string]string `json:"data"`
	}
	text := read(t, filepath.Join(root, "examples/argocd/argocd-cm.yaml"))
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	for _, kind := range kinds {
		script := string(read(t, filepath.Join(customizations, kind, "health.lua")))
		if config.Data["resource.customizations.health.modelarts.huaweicloud.com_"+kind] != script {
			t.Errorf("%s: the script differs from health.lua", kind)
		}
	}
	if len(config.Data) != len(kinds) {
		t.Errorf("%d entries", len(config.Data))
	}
}
