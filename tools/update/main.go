// Command update writes every file that is made of another one: fields.yml,
// include/fields.go, sipcmbeat.yml, sipcmbeat.reference.yml, the tables in docs/, the
// description of the HTTP interface and
// the dashboards in _meta/kibana and deploy/grafana.
// Its sources are _meta/, internal/event, internal/engine, internal/kpi and config. Run it in the project's root.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
)

func main() {
	root := flag.String("root", ".", "the project's root")
	flag.Parse()
	if err := update(*root); err != nil {
		fmt.Fprintln(os.Stderr, "update:", err)
		os.Exit(1)
	}
}

func update(root string) error {
	made, err := generate(root)
	if err != nil {
		return err
	}
	for path, text := range made {
		path = filepath.Join(root, path)
		if old, err := os.ReadFile(path); err == nil && string(old) == text {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
		fmt.Println("wrote", path)
	}
	gone, err := old(root, made)
	if err != nil {
		return err
	}
	for _, path := range gone {
		if err := os.Remove(path); err != nil {
			return err
		}
		fmt.Println("removed", path)
	}
	return nil
}

// generate gives the text of each file by its path below root.
func generate(root string) (map[string]string, error) {
	meta, err := withIndicators(root)
	if err != nil {
		return nil, err
	}
	groups, err := parseFields(meta)
	if err != nil {
		return nil, err
	}
	made := map[string]string{
		metaFile:         meta,
		"fields.yml":     fieldsYAML(groups),
		"docs/fields.md": fieldsDoc(groups),
		"docs/events.md": eventsDoc(),
		"docs/config.md": configDoc(),
	}
	older := legacyFields(groups)
	made["fields.legacy.yml"] = fieldsYAML(older)
	if made["include/legacy.go"], err = legacyGo(made["fields.legacy.yml"]); err != nil {
		return nil, err
	}
	if made["include/fields.go"], err = fieldsGo(made["fields.yml"]); err != nil {
		return nil, err
	}
	for _, name := range []string{"sipcmbeat.yml", "sipcmbeat.reference.yml"} {
		if made[name], err = configFile(filepath.Join(root, "_meta/config", name+".tmpl")); err != nil {
			return nil, err
		}
	}
	if made["docs/upgrade.md"], err = fill(filepath.Join(root, "docs/upgrade.md"), "older keys", olderKeys()); err != nil {
		return nil, err
	}
	if made["docs/upgrade.md"], err = fillText(made["docs/upgrade.md"], "docs/upgrade.md", "older names", olderNames()); err != nil {
		return nil, err
	}
	if made["docs/kpi.md"], err = fill(filepath.Join(root, "docs/kpi.md"), "indicators", indicatorDoc()); err != nil {
		return nil, err
	}
	if made["docs/messages.md"], err = fill(filepath.Join(root, "docs/messages.md"), "fields", messageFields(groups)); err != nil {
		return nil, err
	}
	metrics := "docs/metrics.md"
	if made[metrics], err = fill(filepath.Join(root, metrics), "names", metricNames()); err != nil {
		return nil, err
	}
	if made[metrics], err = fillText(made[metrics], metrics, "sums", metricSums()); err != nil {
		return nil, err
	}
	if made["internal/api/openapi.json"], err = openAPI(root); err != nil {
		return nil, err
	}
	if made["docs/http.md"], err = fill(filepath.Join(root, "docs/http.md"), "routes", routesDoc()); err != nil {
		return nil, err
	}
	boards, err := readBoards(filepath.Join(root, "_meta/dashboards.yml"))
	if err != nil {
		return nil, err
	}
	if made[grafanaFile], err = grafana(boards); err != nil {
		return nil, err
	}
	objects, err := kibana(boards)
	maps.Copy(made, objects)
	return made, err
}

// old are the files below Kibana's folder that are not made any more: setup would go
// on loading them.
func old(root string, made map[string]string) (paths []string, err error) {
	err = filepath.WalkDir(filepath.Join(root, kibanaFolder), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if _, ok := made[filepath.ToSlash(name)]; !ok {
			paths = append(paths, path)
		}
		return err
	})
	return paths, err
}
