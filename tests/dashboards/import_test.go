package dashboards

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// kibana records what is imported into it.
type kibana struct {
	*httptest.Server

	mu       sync.Mutex
	imported map[string]map[string]any // by type and id
	asked    []string
}

func newKibana(t *testing.T) *kibana {
	k := &kibana{imported: map[string]map[string]any{}}
	k.Server = httptest.NewServer(http.HandlerFunc(k.serve))
	t.Cleanup(k.Close)
	return k
}

func (k *kibana) serve(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = append(k.asked, r.Method+" "+r.URL.Path)
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.URL.Path == "/api/status":
		fmt.Fprint(w, `{"name":"stub","version":{"number":"8.6.2","build_snapshot":false}}`)
	case r.Method == http.MethodPost && r.URL.Path == "/api/saved_objects/_import":
		if err := k.take(r); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"statusCode":400,"error":"Bad Request","message":%q}`, err)
			return
		}
		fmt.Fprint(w, `{"success":true,"successCount":1,"warnings":[]}`)
	default:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"statusCode":404}`)
	}
}

// take refuses what Kibana's documentation of the interface does: another header, another
// file name, a line that is no object.
func (k *kibana) take(r *http.Request) error {
	if r.Header.Get("kbn-xsrf") == "" {
		return fmt.Errorf("Request must contain a kbn-xsrf header")
	}
	file, header, err := r.FormFile("file")
	if err != nil {
		return err
	}
	defer file.Close()
	if filepath.Ext(header.Filename) != ".ndjson" {
		return fmt.Errorf("Invalid file extension %s", header.Filename)
	}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var o map[string]any
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return err
		}
		k.imported[fmt.Sprintf("%v/%v", o["type"], o["id"])] = o
	}
	return lines.Err()
}

// setup --dashboards loads every object, each before or with what refers to it, as
// Kibana wants them.
func TestSetupLoadsDashboards(t *testing.T) {
	k := newKibana(t)
	home := t.TempDir()
	if err := os.CopyFS(filepath.Join(home, "kibana"), os.DirFS(root+"_meta/kibana")); err != nil {
		t.Fatal(err)
	}
	for name, where := range map[string][]string{
		"where a package has them": {"--path.home", home},
		"from a checkout":          {"-E", "setup.dashboards.directory=" + root + "_meta/kibana"},
	} {
		clear(k.imported)
		out, err := beat(t, t.TempDir(), append([]string{"setup", "--dashboards", "-E", "setup.kibana.host=" + k.URL}, where...)...)
		if err != nil || !strings.Contains(string(out), "Loaded dashboards") {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		want := objects(t)
		for _, s := range want {
			o := k.imported[s.Type+"/"+s.ID]
			if o == nil {
				t.Errorf("%s: %s %s is not loaded", name, s.Type, s.ID)
				continue
			}
			// Kibana keeps these as text.
			attributes := o["attributes"].(map[string]any)
			texts := map[string]any{"searchSourceJSON": attributes["kibanaSavedObjectMeta"].(map[string]any)["searchSourceJSON"]}
			for _, key := range []string{"visState", "uiStateJSON", "panelsJSON", "optionsJSON"} {
				if v, ok := attributes[key]; ok {
					texts[key] = v
				}
			}
			for key, v := range texts {
				text, ok := v.(string)
				if !ok || !json.Valid([]byte(text)) {
					t.Errorf("%s: %s of %s is %T", name, key, s.ID, v)
				}
			}
		}
		view := k.imported["index-pattern/sipcmbeat-*"]
		if view == nil {
			t.Fatalf("%s: no data view sipcmbeat-*", name)
		}
		attributes := view["attributes"].(map[string]any)
		if attributes["title"] != "sipcmbeat-*" || attributes["timeFieldName"] != "@timestamp" {
			t.Errorf("%s: the data view is %v over %v", name, attributes["title"], attributes["timeFieldName"])
		}
		if len(k.imported) != len(want)+1 {
			t.Errorf("%s: %d objects are loaded, want %d and the data view", name, len(k.imported), len(want))
		}
	}
}

// Who has no Kibana is not kept from setting up the index.
func TestSetupWithoutKibana(t *testing.T) {
	nobody := "http://127.0.0.1:9" // discard: nothing listens
	out, _ := beat(t, t.TempDir(), "setup", "-E", "output.elasticsearch.hosts="+nobody)
	if !strings.Contains(string(out), "Leaving out the dashboards: setup.kibana.host is not set") || strings.Contains(string(out), "Loading dashboards") {
		t.Errorf("%s", out)
	}
	for _, args := range [][]string{{"--dashboards"}, {"-E", "setup.kibana.host=" + nobody}, {"--index-management"}} {
		out, err := beat(t, t.TempDir(), append([]string{"setup", "-E", "output.elasticsearch.hosts=" + nobody}, args...)...)
		if err == nil || strings.Contains(string(out), "Leaving out") {
			t.Errorf("%v: %v: %s", args, err, out)
		}
	}
}
