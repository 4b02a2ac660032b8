package cmd

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/idxmgmt"
	"github.com/elastic/beats/v7/libbeat/idxmgmt/lifecycle"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/logp"
	"github.com/elastic/elastic-agent-libs/paths"
	"github.com/elastic/elastic-agent-libs/version"
)

// part is an Elasticsearch that lacks some of its interfaces.
type part struct {
	lacks      map[string]string // by the beginning of the path: what is said then
	serverless bool
	asked      []string
	bodies     map[string]string // of what was put
}

func (p *part) GetVersion() version.V { return *version.MustNew("8.6.2") }
func (p *part) IsServerless() bool    { return p.serverless }

// Request answers as eslegclient does.
func (p *part) Request(method, path, _ string, _ map[string]string, body any) (int, []byte, error) {
	p.asked = append(p.asked, method+" "+path)
	for begin, said := range p.lacks {
		if strings.HasPrefix(path, begin) {
			var status int
			fmt.Sscan(said, &status)
			return status, nil, fmt.Errorf("%s", said)
		}
	}
	if method != http.MethodPut {
		return http.StatusNotFound, nil, fmt.Errorf("404 Not Found: {}")
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	if p.bodies == nil {
		p.bodies = map[string]string{}
	}
	p.bodies[path] = string(text)
	return http.StatusOK, nil, nil
}

// What servers say of interfaces that they do not have.
const (
	noHandler = `400 Bad Request: {"error":"no handler found for uri [/_ilm/policy/sipcmbeat] and method [GET]"}`
	noMethod  = `405 Method Not Allowed: {"error":"Incorrect HTTP method for uri [/_data_stream/x] and method [GET], allowed: [POST]","status":405}`
	forbidden = `403 Forbidden: {"error":{"type":"security_exception"}}`
	broken    = `400 Bad Request: {"error":{"type":"mapper_parsing_exception"}}`
)

// load sets up the index as `setup` does. It gives what the user is told.
func load(t *testing.T, p *part, configuration string) (said []string, err error) {
	t.Helper()
	root := conf.MustNewConfigFrom(configuration)
	info := beat.Info{Beat: "sipcmbeat", IndexPrefix: "sipcmbeat", Version: Version, Logger: logp.NewNopLogger()}
	x := indexes{say: func(line string) { said = append(said, line) }}
	s, err := x.support(info.Logger, info, root)
	if err != nil {
		return nil, err
	}
	var raw lifecycle.RawConfig
	if err := root.Unpack(&raw); err != nil {
		t.Fatal(err)
	}
	h, err := idxmgmt.NewESClientHandler(p, info, paths.New(), raw)
	if err != nil {
		t.Fatal(err)
	}
	return said, s.Manager(h, fields{}).Setup(idxmgmt.LoadModeOverwrite, idxmgmt.LoadModeEnabled)
}

type fields struct{}

func (fields) Fields(string) []byte {
	return []byte("[{key: x, fields: [{name: sip.code, type: long}]}]")
}

const (
	theTemplate = "/_index_template/sipcmbeat-" + Version
	theStream   = "/_data_stream/sipcmbeat-" + Version
	thePolicy   = "/_ilm/policy/sipcmbeat"
)

// Records with the older names, sent to the index of the others, would all be refused.
func TestOlderNamesInTheSameIndex(t *testing.T) {
	for configuration, want := range map[string]bool{
		"{sipcmbeat.schema: legacy, output.elasticsearch.hosts: [x]}":                                                        true,
		"{sipcmbeat.schema: legacy, output.elasticsearch: {enabled: true, hosts: [x]}}":                                      true,
		"{sipcmbeat.schema: legacy, output.elasticsearch: {enabled: false, hosts: [x]}}":                                     false,
		"{sipcmbeat.schema: legacy, output.file.path: x}":                                                                    false,
		"{output.elasticsearch.hosts: [x]}":                                                                                  false,
		"{sipcmbeat.schema: legacy, output.elasticsearch.index: x, setup.template: {name: x, pattern: x}}":                   false,
		"{sipcmbeat.schema: legacy, output.elasticsearch.indices: [{index: x}], setup.template: {name: x, pattern: \"x*\"}}": false,
	} {
		var said []string
		x := indexes{say: func(line string) { said = append(said, line) }}
		info := beat.Info{Beat: "sipcmbeat", IndexPrefix: "sipcmbeat", Version: Version, Logger: logp.NewNopLogger()}
		if _, err := x.support(info.Logger, info, conf.MustNewConfigFrom(configuration)); err != nil {
			t.Errorf("%s: %v", configuration, err)
		}
		if got := slices.Equal(said, []string{mixedNames}); got != want {
			t.Errorf("%s: said %q", configuration, said)
		}
	}
}

func TestWholeServer(t *testing.T) {
	var p part
	if said, err := load(t, &p, ""); err != nil || said != nil {
		t.Fatal(said, err)
	}
	for _, put := range []string{theTemplate, theStream, thePolicy} {
		if p.bodies[put] == "" {
			t.Errorf("%s was not put: %q", put, p.asked)
		}
	}
	if got := p.bodies[theTemplate]; !strings.Contains(got, `"lifecycle":{"name":"sipcmbeat"}`) {
		t.Error(got)
	}
}

// The server decides what is loaded, without a key.
func TestPartOfAServer(t *testing.T) {
	p := part{lacks: map[string]string{"/_ilm/": noHandler, "/_data_stream/": noMethod}}
	said, err := load(t, &p, "")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(said, []string{noLifecycle}) {
		t.Errorf("said %q", said)
	}
	if got := p.bodies[theTemplate]; !strings.Contains(got, `"data_stream":{}`) || strings.Contains(got, "lifecycle") {
		t.Error(got)
	}
}

func TestServerlessNeedsNoPolicy(t *testing.T) {
	p := part{serverless: true, lacks: map[string]string{"/_ilm/": noHandler}}
	if said, err := load(t, &p, "sipcmbeat.retention_days: 7"); err != nil || said != nil {
		t.Fatal(said, err)
	}
	if got := p.bodies[theTemplate]; !strings.Contains(got, `"lifecycle":{"data_retention":"7d"}`) {
		t.Error(got)
	}
}

// An answer that says anything else than that there is no such thing is an error.
func TestServerRefuses(t *testing.T) {
	for path, said := range map[string]string{
		"/_ilm/":            forbidden,
		"/_ilm/p":           broken,
		"/_data_stream/":    forbidden,
		"/_index_template/": noMethod,
	} {
		p := part{lacks: map[string]string{path: said}}
		if _, err := load(t, &p, ""); err == nil || !strings.Contains(err.Error(), said[:20]) {
			t.Errorf("%s %s: %v", path, said, err)
		}
	}
}

func TestRetention(t *testing.T) {
	for days, want := range map[string]string{
		"1":     `{"hot":{"max_age":"1d"},"delete":"1d"}`,
		"90":    `{"hot":{"max_age":"9d"},"delete":"90d"}`,
		"36500": `{"hot":{"max_age":"30d"},"delete":"36500d"}`,
		"0":     `{"hot":{"max_age":"30d"},"delete":""}`,
	} {
		var p part
		if _, err := load(t, &p, "sipcmbeat.retention_days: "+days); err != nil {
			t.Fatal(err)
		}
		var body struct {
			Policy struct {
				Phases struct {
					Hot struct {
						Actions struct {
							Rollover struct {
								Age string `json:"max_age"`
							}
						}
					}
					Delete struct {
						MinAge string `json:"min_age"`
					}
				}
			}
		}
		if err := json.Unmarshal([]byte(p.bodies[thePolicy]), &body); err != nil {
			t.Fatal(err)
		}
		ph := body.Policy.Phases
		if got := fmt.Sprintf(`{"hot":{"max_age":%q},"delete":%q}`, ph.Hot.Actions.Rollover.Age, ph.Delete.MinAge); got != want {
			t.Errorf("%s days: %s, want %s", days, got, want)
		}
	}
}

func TestRetentionIsRefused(t *testing.T) {
	if _, err := load(t, &part{}, "sipcmbeat.retention_days: x"); err == nil || !strings.Contains(err.Error(), "retention_days") {
		t.Error(err)
	}
}

// What the user sets stands above our policy.
func TestLifecycleOfTheUser(t *testing.T) {
	var p part
	if said, err := load(t, &p, "setup.ilm.enabled: false"); err != nil || said != nil {
		t.Fatal(said, err)
	}
	if p.bodies[thePolicy] != "" || strings.Contains(p.bodies[theTemplate], "lifecycle") {
		t.Errorf("%v", p.bodies)
	}
}
