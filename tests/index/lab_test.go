package index

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sipcmbeat/sipcmbeat/internal/siptest"
	"github.com/sipcmbeat/sipcmbeat/tests/stores"
)

// Each capture of the laboratory goes into a data stream of its own: the server takes
// every record, and has as many of each type as really happened.
func TestLab(t *testing.T) {
	lab := siptest.Shared(t, "lab")
	truths, err := filepath.Glob(lab + "/*/truth.json")
	if err != nil || len(truths) == 0 {
		t.Fatal("no truth", err)
	}
	s := stores.Elasticsearch(t, stores.Options{})
	number := 0
	for _, file := range truths {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var truth struct {
			Name     string
			Expected map[string]int
		}
		if err := json.Unmarshal(text, &truth); err != nil {
			t.Fatal(err)
		}
		captures, err := filepath.Glob(filepath.Dir(file) + "/*.pcap*")
		if err != nil {
			t.Fatal(err)
		}
		for _, capture := range captures {
			number++
			stream := fmt.Sprintf("lab-%d", number)
			name := truth.Name + "/" + filepath.Base(capture)
			said, err := try(t, nil, append(reading(capture), to(s, stream)...)...)
			if err != nil && !strings.Contains(said, "truncated") {
				t.Errorf("%s: %v: %s", name, err, said)
				continue
			}
			have := counts(t, s, stream)
			for action, n := range truth.Expected {
				if have[action] != n {
					t.Errorf("%s: the server has %d %s, not %d", name, have[action], action, n)
				}
			}
		}
	}
	all := mappings(t, s, "lab-*")
	if len(all) < number {
		t.Errorf("%d indices of %d captures", len(all), number)
	}
	for index, types := range all {
		asDeclared(t, index, types)
	}
	t.Logf("%d captures are in Elasticsearch as they happened", number)
}
