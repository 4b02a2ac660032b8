package cmd

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/idxmgmt"
	"github.com/elastic/beats/v7/libbeat/idxmgmt/lifecycle"
	"github.com/elastic/beats/v7/libbeat/mapping"
	"github.com/elastic/beats/v7/libbeat/template"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/logp"
	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/sipcmbeat/sipcmbeat/config"
	"github.com/sipcmbeat/sipcmbeat/include"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
)

// indexes is libbeat's index management, with two things of our own: how long records
// are kept, and servers that have less than the full Elasticsearch. libbeat loads a
// policy where the version says that there is one, and asks for data streams by an
// interface that may be missing; here the server's answer counts.
type indexes struct {
	ilm lifecycle.SupportFactory // of an export; nil is libbeat's choice
	say func(line string)        // tells the user of setup

	unread bool // for the keystore: the configuration may name what is to be put into it
}

// support implements idxmgmt.SupportFactory.
func (x *indexes) support(log *logp.Logger, info beat.Info, root *conf.C) (idxmgmt.Supporter, error) {
	if x.unread {
		return idxmgmt.MakeDefaultSupport(x.ilm, log)(log, info, root)
	}
	c, err := section(root)
	if err != nil {
		return nil, err
	}
	days := c.RetentionDays
	// libbeat has no other way in: it makes its policies of these unless the user names
	// a file.
	lifecycle.DefaultILMPolicy, lifecycle.DefaultDSLPolicy = policyILM(days), policyDSL(days)
	s, err := idxmgmt.MakeDefaultSupport(x.ilm, log)(log, info, root)
	if err != nil {
		return nil, err
	}
	if c.Legacy() && sharesIndex(root) {
		log.Warn(mixedNames)
		x.say(mixedNames)
	}
	return &indexSupport{Supporter: s, log: log.Named("index-management"), say: x.say, names: c}, nil
}

// mixedNames is what the user is told then. It is no error: a server that has never
// seen other records takes these.
const mixedNames = "sipcmbeat.schema is legacy and output.elasticsearch.index is not set: an index that has records with " +
	"the other names refuses these; docs/upgrade.md says how to give them one of their own"

// sharesIndex tells whether records go where those with other names go.
func sharesIndex(root *conf.C) bool {
	const es = "output.elasticsearch"
	if !has(root, es) || has(root, es+".index") || has(root, es+".indices") {
		return false
	}
	on, err := root.Bool(es+".enabled", -1)
	return err != nil || on // without the key it is on
}

// section is ours of a whole configuration.
func section(root *conf.C) (*config.Config, error) {
	var section *conf.C
	if root != nil && root.HasField(config.Section) {
		var err error
		if section, err = root.Child(config.Section, -1); err != nil {
			return nil, err
		}
	}
	return config.New(section)
}

// policyILM deletes an index when it has been closed for so many days, so that every
// record lives for at least that. An index is closed after a tenth of the time, or it
// would outlive its oldest records by a month.
func policyILM(days int) mapstr.M {
	rollover := mapstr.M{"max_primary_shard_size": "50gb", "max_age": inDays(30)}
	phases := mapstr.M{"hot": mapstr.M{"actions": mapstr.M{"rollover": rollover}}}
	if days > 0 {
		rollover["max_age"] = inDays(min(max(days/10, 1), 30))
		phases["delete"] = mapstr.M{"min_age": inDays(days), "actions": mapstr.M{"delete": mapstr.M{}}}
	}
	return mapstr.M{"policy": mapstr.M{"phases": phases}}
}

// policyDSL is the same for Elasticsearch's serverless projects.
func policyDSL(days int) mapstr.M {
	if days == 0 {
		return mapstr.M{"enabled": true}
	}
	return mapstr.M{"data_retention": inDays(days)}
}

// exports prepares libbeat's commands that export. Without index management of our
// own they would set this themselves: a template has no policy with --noilm, and a
// policy is exported also where the configuration uses none.
func (x *indexes) exports(c *cobra.Command) {
	before := c.PreRunE
	c.PreRunE = func(c *cobra.Command, args []string) error {
		if c.Name() == "ilm-policy" {
			x.ilm = lifecycle.StdSupport
		}
		if f := c.Flags().Lookup("noilm"); f != nil && f.Value.String() == "true" {
			x.ilm = lifecycle.NoopSupport
		}
		return before(c, args)
	}
}

type indexSupport struct {
	idxmgmt.Supporter
	log   *logp.Logger
	say   func(line string)
	names *config.Config // under which names records leave
}

func (s *indexSupport) Manager(h idxmgmt.ClientHandler, assets idxmgmt.Asseter) idxmgmt.Manager {
	return s.Supporter.Manager(&server{ClientHandler: h, indexSupport: s}, assets)
}

// server is Elasticsearch, or the file of an export.
type server struct {
	idxmgmt.ClientHandler
	*indexSupport
}

// noLifecycle is what the user is told then.
const noLifecycle = "this Elasticsearch has no ILM: records stay until they are deleted; docs/elasticsearch.md says how"

// CheckEnabled asks for the policy: its interface may be missing.
func (s *server) CheckEnabled() (bool, error) {
	on, err := s.ClientHandler.CheckEnabled()
	if err != nil || !on || !s.IsElasticsearch() || s.Mode() != lifecycle.ILM || !s.CheckExists() {
		return on, err
	}
	if _, err := s.HasPolicy(); err == nil || !isMissing(err) {
		return true, nil // what else is wrong is said by who needs the policy
	}
	s.log.Warn(noLifecycle)
	s.say(noLifecycle)
	return false, nil
}

// Load loads the template. Where data streams can not be asked for, the first record
// makes ours.
func (s *server) Load(cfg template.TemplateConfig, info beat.Info, fields []byte, migration bool) error {
	if s.names.Legacy() {
		fields = []byte(include.LegacyFields)
	}
	cfg.AppendFields = append(headerFields(s.names.Headers), cfg.AppendFields...)
	err := s.ClientHandler.Load(cfg, info, fields, migration)
	if err != nil && strings.Contains(err.Error(), askedStream) && isMissing(err) {
		s.log.Info("The data stream is made by the first record: this Elasticsearch cannot be asked for one.")
		return nil
	}
	return err
}

// headerFields are the mappings of the headers that the configuration names. What else
// might stand below sip.header makes none: nothing below sip is dynamic.
func headerFields(names []string) (fields mapping.Fields) {
	for _, name := range names {
		fields = append(fields, mapping.Field{Name: event.HeaderField(name).Key, Type: "keyword", IgnoreAbove: event.MaxText})
	}
	return fields
}

// askedStream is what libbeat says when the template is loaded and the data stream is
// next. It gives neither a status nor an error of a kind; a test holds its words.
const askedStream = "failed to check data stream"

// isMissing tells whether an error of libbeat's is a server's answer that it has no
// such interface: 400 where the path is unknown, 405 where it is taken for another.
func isMissing(err error) bool {
	text := err.Error()
	return strings.Contains(text, "400 Bad Request") && strings.Contains(text, "no handler found") ||
		strings.Contains(text, "405 Method Not Allowed")
}

func inDays(n int) string { return strconv.Itoa(n) + "d" }
