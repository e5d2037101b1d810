// Command roundtrip reads all mirrors and sources of a namespace through the Go types, as client-go does, and writes
// them again: first as JSON, then to the API server, without effect. It fails where anything is lost or added.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"os"
	"reflect"
	"slices"

	"github.com/modelarts-pool-controller/modelarts-pool-controller/clients/go/v1alpha1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
)

type api struct {
	client        http.Client
	server, token string
	namespace     string
	codecs        serializer.CodecFactory
}

func main() {
	log.SetFlags(0)
	server := flag.String("server", "", "origin of the API server")
	token := flag.String("token", "", "token of a user who may read and update both kinds")
	authority := flag.String("certificate-authority", "", "file with the certificate of the API server")
	namespace := flag.String("namespace", "", "namespace to look at")
	flag.Parse()
	certificate, err := os.ReadFile(*authority)
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certificate)
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		log.Fatal(err)
	}
	a := api{
		client:    http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: 8}},
		server:    *server,
		token:     *token,
		namespace: *namespace,
		codecs:    serializer.NewCodecFactory(scheme),
	}
	a.all("modelartspools")
	a.all("modelartspoolsources")
}

// all takes each object of a resource through the Go types.
func (a *api) all(resource string) {
	path := "/apis/" + v1alpha1.GroupVersion.String() + "/namespaces/" + a.namespace + "/" + resource
	text := a.ask(http.MethodGet, path, nil)
	// The list as a whole, too: that is how an informer reads.
	if _, _, err := a.codecs.UniversalDeserializer().Decode(text, nil, nil); err != nil {
		log.Fatalf("%s: %v", resource, err)
	}
	var list struct{ Items []json.RawMessage }
	if err := json.Unmarshal(text, &list); err != nil {
		log.Fatal(err)
	}
	results := make(chan []string)
	slots := make(chan struct{}, 8)
	for _, item := range list.Items {
		go func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			results <- a.one(path, item)
		}()
	}
	var wrong []string
	for range list.Items {
		wrong = append(wrong, <-results...)
	}
	slices.Sort(wrong)
	for _, w := range wrong {
		log.Print(w)
	}
	if len(wrong) > 0 {
		os.Exit(1)
	}
	fmt.Printf("%d %s lose nothing\n", len(list.Items), resource)
}

// one takes an object through the Go types and says what differs.
func (a *api) one(path string, item json.RawMessage) []string {
	var named struct{ Metadata struct{ Name string } }
	if err := json.Unmarshal(item, &named); err != nil {
		return []string{err.Error()}
	}
	name := named.Metadata.Name
	object, _, err := a.codecs.UniversalDeserializer().Decode(item, nil, nil)
	if err != nil {
		return []string{name + ": " + err.Error()}
	}
	written, err := json.Marshal(object.DeepCopyObject())
	if err != nil {
		return []string{name + ": " + err.Error()}
	}
	wrong := differences(name, parsed(item), parsed(written))
	if len(wrong) > 0 {
		return wrong
	}
	answer := a.ask(http.MethodPut, path+"/"+name+"?dryRun=All&fieldValidation=Strict", written)
	return differences(name+" updated", parsed(item), parsed(answer))
}

func (a *api) ask(method, path string, body []byte) []byte {
	request, err := http.NewRequest(method, a.server+path, bytes.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+a.token)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "modelarts-go-types")
	response, err := a.client.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		log.Fatalf("%s %s: %s %v %.1000s", method, path, response.Status, err, text)
	}
	return text
}

// parsed returns the JSON with numbers as they are written.
func parsed(text []byte) any {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		log.Fatal(err)
	}
	return value
}

func differences(place string, was, is any) []string {
	before, ok := was.(map[string]any)
	after, also := is.(map[string]any)
	if !ok || !also {
		if reflect.DeepEqual(was, is) {
			return nil
		}
		return []string{fmt.Sprintf("%s: was %.200v, is %.200v", place, was, is)}
	}
	names := maps.Clone(before)
	maps.Copy(names, after)
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		value, had := before[name]
		now, has := after[name]
		switch {
		case !has:
			wrong = append(wrong, fmt.Sprintf("%s.%s: lost %.200v", place, name, value))
		case !had:
			wrong = append(wrong, fmt.Sprintf("%s.%s: added %.200v", place, name, now))
		default:
			wrong = append(wrong, differences(place+"."+name, value, now)...)
		}
	}
	return wrong
}
