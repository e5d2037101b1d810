// Command cluster is kube-apiserver, etcd, kube-controller-manager, kubectl and helm in one
// binary: the component is the base name it is called by, or else its first argument.
//
// One binary, since the components share most of their packages: linking them once makes the cold
// build several times cheaper than five programs.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	helmcmd "helm.sh/helm/v4/pkg/cmd"
	helmkube "helm.sh/helm/v4/pkg/kube"
	"k8s.io/component-base/cli"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	kubectl "k8s.io/kubectl/pkg/cmd"
)

var components = map[string]func(){
	"kube-apiserver":          func() { run(apiserver.NewAPIServerCommand()) },
	"kube-controller-manager": func() { run(controllermanager.NewControllerManagerCommand()) },
	"kubectl":                 func() { run(kubectl.NewDefaultKubectlCommand()) },
	"etcd":                    func() { etcdmain.Main(os.Args) },
	"helm":                    helm,
}

func main() {
	name := filepath.Base(os.Args[0])
	component, known := components[name]
	if !known && len(os.Args) > 1 {
		name = os.Args[1]
		if component, known = components[name]; known {
			os.Args = os.Args[1:]
		}
	}
	if !known {
		fmt.Fprintf(os.Stderr, "%s is none of kube-apiserver, etcd, kube-controller-manager, kubectl, helm\n", name)
		os.Exit(2)
	}
	component()
}

func run(command *cobra.Command) {
	os.Exit(cli.Run(command))
}

func helm() {
	// Helm names its field manager after the program, which here has several names.
	helmkube.ManagedFieldsManager = "helm"
	command, err := helmcmd.NewRootCmd(os.Stdout, os.Args[1:], helmcmd.SetupLogging)
	if err != nil {
		fmt.Fprintln(os.Stderr, "helm:", err)
		os.Exit(1)
	}
	if err := command.Execute(); err != nil {
		var coded helmcmd.CommandError
		if errors.As(err, &coded) {
			os.Exit(coded.ExitCode)
		}
		os.Exit(1)
	}
}
