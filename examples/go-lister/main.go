// Command go-lister prints how many nodes of each flavor the mirrored pools have, once or as they change.
//
// It shows what a scheduler or a quota controller must not get wrong: unknown is not zero, and old is not now.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/modelarts-pool-controller/modelarts-pool-controller/clients/go/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
)

func main() {
	log.SetFlags(0)
	namespace := flag.String("namespace", "", "namespace to list; empty: all")
	watch := flag.Bool("watch", false, "go on, a line for each change")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *namespace, *watch); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, namespace string, watch bool) error {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return err
	}
	// The kubeconfig, or the service account of the pod.
	restConfig, err := config.GetConfig()
	if err != nil {
		return err
	}
	c, err := client.NewWithWatch(restConfig, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	var sources v1alpha1.ModelArtsPoolSourceList
	if err := c.List(ctx, &sources, client.InNamespace(namespace)); err != nil {
		return err
	}
	var pools v1alpha1.ModelArtsPoolList
	if err := c.List(ctx, &pools, client.InNamespace(namespace)); err != nil {
		return err
	}
	bySource := map[client.ObjectKey]*v1alpha1.ModelArtsPoolSource{}
	for i := range sources.Items {
		source := &sources.Items[i]
		bySource[client.ObjectKeyFromObject(source)] = source
	}
	for i := range pools.Items {
		pool := &pools.Items[i]
		source := bySource[client.ObjectKey{Namespace: pool.Namespace, Name: pool.SourceName()}]
		fmt.Println(line(pool, source, time.Now()))
	}
	if !watch {
		return nil
	}
	return follow(ctx, c, namespace, pools.ResourceVersion)
}

// line says what one pool offers at this time. source is nil where it is gone.
func line(pool *v1alpha1.ModelArtsPool, source *v1alpha1.ModelArtsPoolSource, now time.Time) string {
	capacity := "unknown"
	if flavors, known := pool.AvailableByFlavor(); known {
		// A Logical pool is carved out of a Dedicate one: do not add the two.
		parts := []string{}
		for _, flavor := range slices.Sorted(maps.Keys(flavors)) {
			parts = append(parts, fmt.Sprintf("%s=%d", flavor, flavors[flavor]))
		}
		capacity = strings.Join(parts, " ")
		if len(parts) == 0 {
			capacity = "none"
		}
	}
	return fmt.Sprintf("%s/%s\tReady=%s\t%s\t%s", pool.Namespace, pool.Name, pool.Ready(), age(pool, source, now), capacity)
}

// age says whether what a pool shows is what the cloud said lately.
func age(pool *v1alpha1.ModelArtsPool, source *v1alpha1.ModelArtsPoolSource, now time.Time) string {
	synced, listed := pool.FindCondition(v1alpha1.ConditionSynced), pool.FindCondition(v1alpha1.ConditionListed)
	switch {
	case source == nil || !source.IsFresh(now) || synced == nil || synced.Status != metav1.ConditionTrue:
		return "stale"
	case listed != nil && listed.Status != metav1.ConditionTrue:
		// Missing or Gone.
		return strings.ToLower(listed.Reason)
	}
	return "fresh"
}

// follow prints a line for each change after a version. A program that runs for long uses a manager's cache instead,
// which comes back after the watch has ended.
func follow(ctx context.Context, c client.WithWatch, namespace, version string) error {
	options := &client.ListOptions{Namespace: namespace, Raw: &metav1.ListOptions{ResourceVersion: version}}
	changes, err := c.Watch(ctx, &v1alpha1.ModelArtsPoolList{}, options)
	if err != nil {
		return err
	}
	defer changes.Stop()
	for change := range changes.ResultChan() {
		pool, ok := change.Object.(*v1alpha1.ModelArtsPool)
		if !ok {
			return fmt.Errorf("the watch ended: %v", change.Object)
		}
		var source v1alpha1.ModelArtsPoolSource
		key := client.ObjectKey{Namespace: pool.Namespace, Name: pool.SourceName()}
		known := &source
		if err := c.Get(ctx, key, known); err != nil {
			known = nil
		}
		fmt.Println(change.Type, line(pool, known, time.Now()))
	}
	return nil
}
