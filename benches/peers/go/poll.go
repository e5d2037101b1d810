package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
)

type cloud struct {
	http  http.Client
	pools string
	token string
}

func newCloud(endpoint, project, token string) *cloud {
	return &cloud{
		http:  http.Client{Timeout: time.Minute},
		pools: endpoint + "/v2/" + project + "/pools",
		token: token,
	}
}

type page struct {
	Metadata struct {
		Continue string `json:"continue"`
	} `json:"metadata"`
	Items []map[string]any `json:"items"`
}

// list returns every pool, or an error: half a listing would delete mirrors.
func (c *cloud) list(ctx context.Context) ([]map[string]any, error) {
	query := url.Values{"workspaceId": {"0"}}
	var pools []map[string]any
	for {
		page, err := c.page(ctx, query)
		if err != nil {
			return nil, err
		}
		pools = append(pools, page.Items...)
		if page.Metadata.Continue == "" {
			return pools, nil
		}
		query.Set("continue", page.Metadata.Continue)
	}
}

func (c *cloud) page(ctx context.Context, query url.Values) (*page, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.pools+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("X-Auth-Token", c.token)
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the cloud answers %s", answer.Status)
	}
	var page page
	return &page, json.NewDecoder(answer.Body).Decode(&page)
}

// poller lists the cloud's pools at the interval and has those that differ reconciled.
type poller struct {
	cloud    *cloud
	client   client.Client
	interval time.Duration
	events   chan<- event.GenericEvent
	owner    map[string]any
	key      types.NamespacedName
	// What each pool's mirror should be, by name; nil until the first listing.
	desired atomic.Pointer[map[string]*desired]
}

// Start implements manager.Runnable.
func (p *poller) Start(ctx context.Context) error {
	ticker := time.NewTicker(p.interval)
	defer ticker.Stop()
	for {
		if err := p.pass(ctx); err != nil && ctx.Err() == nil {
			ctrl.Log.Error(err, "the pass has failed")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (p *poller) pass(ctx context.Context) error {
	pools, err := p.cloud.list(ctx)
	if err != nil {
		return err
	}
	next := make(map[string]*desired, len(pools))
	for _, pool := range pools {
		d := desiredOf(pool, p.key, p.owner)
		next[d.object.GetName()] = d
	}
	p.desired.Store(&next)
	for name := range next {
		p.enqueue(ctx, name)
	}
	var mirrors unstructured.UnstructuredList
	mirrors.SetGroupVersionKind(poolKind)
	// Those of this source alone: the cache selects them. They are read, never changed.
	if err := p.client.List(ctx, &mirrors, client.InNamespace(p.key.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return err
	}
	for i := range mirrors.Items {
		if name := mirrors.Items[i].GetName(); next[name] == nil {
			p.enqueue(ctx, name)
		}
	}
	return nil
}

func (p *poller) enqueue(ctx context.Context, name string) {
	object := &unstructured.Unstructured{}
	object.SetNamespace(p.key.Namespace)
	object.SetName(name)
	select {
	case p.events <- event.GenericEvent{Object: object}:
	case <-ctx.Done():
	}
}
