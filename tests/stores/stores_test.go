package stores

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// What a killed server has acknowledged is there when it is started again.
func TestElasticsearch(t *testing.T) {
	for _, o := range []Options{{}, {Security: true, TLS: true}} {
		s := Elasticsearch(t, o)
		s.Do(t, "PUT", "/kept/_doc/1", `{"a":1}`, nil)
		s.Kill(t)
		if _, _, err := s.Try("GET", "/", ""); err == nil {
			t.Error("a killed server answers")
		}
		s.Start(t)
		if all := s.All(t, "kept"); len(all) != 1 || all[0].ID != "1" {
			t.Errorf("found %v", all)
		}
		s.Clear(t, "kep*")
		if all := s.All(t, "kept"); len(all) != 0 {
			t.Errorf("found %v", all)
		}
	}
	s := Elasticsearch(t, Options{Security: true, TLS: true})
	wrong := *s
	wrong.Password += "?"
	if status, _, err := wrong.Try("GET", "/", ""); err != nil || status != 401 {
		t.Errorf("with a wrong password: %d %v", status, err)
	}
}
