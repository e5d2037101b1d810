// A mirror of ModelArts pools with controller-runtime.
package main

import (
	"fmt"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

func main() {
	ctrl.SetLogger(zap.New())
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "go:", err)
		os.Exit(1)
	}
}

func run() error {
	interval, err := time.ParseDuration(os.Getenv("INTERVAL") + "s")
	if err != nil {
		return fmt.Errorf("INTERVAL: %w", err)
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	// The API server's own priority and fairness is the limit, as for the controller.
	config.QPS = -1
	namespace, name := os.Getenv("NAMESPACE"), os.Getenv("SOURCE")
	kind := &unstructured.Unstructured{}
	kind.SetGroupVersionKind(poolKind)
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Metrics: server.Options{BindAddress: "0"},
		Cache: cache.Options{
			DefaultNamespaces: map[string]cache.Config{namespace: {}},
			ByObject: map[client.Object]cache.ByObject{
				kind: {
					Label:     labels.SelectorFromSet(labels.Set{sourceLabel: name}),
					Transform: cache.TransformStripManagedFields(),
				},
			},
		},
		Client: client.Options{Cache: &client.CacheOptions{Unstructured: true}},
	})
	if err != nil {
		return err
	}
	ctx := ctrl.SetupSignalHandler()
	owner := &unstructured.Unstructured{}
	owner.SetGroupVersionKind(sourceKind)
	key := types.NamespacedName{Namespace: namespace, Name: name}
	// Read once, past the cache: nothing of the source is watched.
	if err := manager.GetAPIReader().Get(ctx, key, owner); err != nil {
		return err
	}
	events := make(chan event.GenericEvent)
	poller := &poller{
		cloud:    newCloud(os.Getenv("ENDPOINT"), os.Getenv("PROJECT_ID"), os.Getenv("TOKEN")),
		client:   manager.GetClient(),
		interval: interval,
		events:   events,
		owner:    ownerOf(owner),
		key:      key,
	}
	if err := manager.Add(poller); err != nil {
		return err
	}
	err = ctrl.NewControllerManagedBy(manager).
		Named("pools").
		For(kind).
		WatchesRawSource(source.Channel(events, &handler.EnqueueRequestForObject{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: 16}).
		Complete(&reconciler{client: manager.GetClient(), poller: poller})
	if err != nil {
		return err
	}
	return manager.Start(ctx)
}
