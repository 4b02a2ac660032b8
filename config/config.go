// Package config is everything under sipcmbeat: in the configuration. It reads
// what the user wrote, says in one line what is wrong with it, and composes the
// packages' own Configs.
//
// It knows keys and machines, not libbeat: the outputs, the queue and the log are
// configured beside it. It opens nothing and starts nothing.
package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	conf "github.com/elastic/elastic-agent-libs/config"

	"github.com/sipcmbeat/sipcmbeat/internal/api"
	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/dump"
	"github.com/sipcmbeat/sipcmbeat/internal/engine"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/kpi"
	"github.com/sipcmbeat/sipcmbeat/internal/limit"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/privacy"
	"github.com/sipcmbeat/sipcmbeat/internal/relay"
	"github.com/sipcmbeat/sipcmbeat/internal/stream"
	"github.com/sipcmbeat/sipcmbeat/internal/track"
)

// Section is the name under which all keys stand.
const Section = "sipcmbeat"

// Keys is the section as the user writes it. Table describes each key; a test
// holds the two equal. A list has the tag replace, or a shorter one would keep the
// tail of the default.
type Keys struct {
	Inputs []InputKeys `config:"inputs,replace"`

	Iface       []string `config:"iface,replace"`
	BPF         string   `config:"bpf"`
	Snaplen     int      `config:"snaplen"`
	Promiscuous bool     `config:"promiscuous"`
	PcapBufKB   int      `config:"pcap_buf_kb"`
	Capture     string   `config:"capture"`
	FanoutGroup int      `config:"fanout_group"`
	Workers     int      `config:"workers"`
	BlockSize   Size     `config:"block_size"`

	Ports   []string `config:"ports,replace"`
	AnyPort *bool    `config:"any_port"`

	Pcap           []string      `config:"pcap,replace"`
	PcapLoop       int           `config:"pcap_loop"`
	Replay         bool          `config:"replay"`
	ReplayScale    float64       `config:"replay_scale"`
	ReplayMinDelay time.Duration `config:"replay_min_delay"`
	ReplayMaxDelay time.Duration `config:"replay_max_delay"`
	ReplayFlush    string        `config:"replay_flush"`
	RunForever     bool          `config:"run_forever"`

	WebSocketPorts []string `config:"websocket_ports,replace"`
	VXLANPorts     []string `config:"vxlan_ports,replace"`
	GenevePorts    []string `config:"geneve_ports,replace"`
	GTPPorts       []string `config:"gtp_ports,replace"`
	TZSPPorts      []string `config:"tzsp_ports,replace"`
	L2TPPorts      []string `config:"l2tp_ports,replace"`
	ESPPorts       []string `config:"esp_ports,replace"`

	HEPPorts      []string `config:"hep_ports,replace"`
	SiptracePorts []string `config:"siptrace_ports,replace"`

	DedupWindow time.Duration `config:"dedup_window"`
	Fragments   Fragments     `config:"fragments"`
	TCP         TCP           `config:"tcp"`

	CallsTimeouts   CallsTimeouts `config:"calls_timeouts"`
	CallsMaxEntries int           `config:"calls_max_entries"`
	CallsMaxMem     Size          `config:"calls_max_mem"`
	RegsMaxEntries  int           `config:"regs_max_entries"`
	RegsMaxMem      Size          `config:"regs_max_mem"`

	RegExpDelta       time.Duration `config:"reg_exp_delta"`
	RegDelDelay       time.Duration `config:"reg_del_delay"`
	ContactIgnorePort bool          `config:"contact_ignore_port"`

	AuthFailedCodes []string `config:"auth_failed_codes,replace"`
	KeepaliveProbes bool     `config:"keepalive_probes"`

	Messages Messages `config:"messages"`
	Schema   string   `config:"schema"`

	CallAliveInterval  time.Duration `config:"call_alive_interval"`
	CorrelationHeaders []string      `config:"correlation_headers,replace"`
	Headers            []string      `config:"headers,replace"`

	Numbers Numbers `config:"numbers"`

	Privacy   Privacy   `config:"privacy"`
	HEPOutput HEPOutput `config:"hep_output"`
	PcapDump  PcapDump  `config:"pcap_dump"`

	State State `config:"state"`

	HTTPAddr string `config:"http_addr"`
	HTTPPort int    `config:"http_port"`
	HTTP     HTTP   `config:"http"`

	InternalNetworks []string `config:"internal_networks,replace"`

	StatsInterval time.Duration `config:"stats_interval"`
	StatsGroups   []string      `config:"stats_groups,replace"`

	EvrLimits          []string      `config:"evr_limits,replace"`
	EvrIntervals       []string      `config:"evr_intervals,replace"`
	EvrMaxEntries      int           `config:"evr_max_entries"`
	EvrConseqReportMin int           `config:"evr_conseq_report_min"`
	EvrConseqReportMax int           `config:"evr_conseq_report_max"`
	EvrAllow           []string      `config:"evr_allow,replace"`
	EvrOffenderExpiry  time.Duration `config:"evr_offender_expiry"`
	KPI                KPI           `config:"kpi"`
	Trunks             []string      `config:"trunks,replace"`

	RetentionDays   int           `config:"retention_days"`
	EventTypesBlst  []string      `config:"event_types_blst,replace"`
	EventBufferSize int           `config:"event_buffer_size"`
	ShutdownTimeout time.Duration `config:"shutdown_timeout"`
}

// Fragments bounds what waits for the rest of an IP datagram.
type Fragments struct {
	Max   int           `config:"max"`
	Bytes Size          `config:"bytes"`
	Age   time.Duration `config:"age"`
}

// TCP bounds what is put together from TCP segments.
type TCP struct {
	IdleTimeout    time.Duration `config:"idle_timeout"`
	HoleTimeout    time.Duration `config:"hole_timeout"`
	MaxMessage     Size          `config:"max_message"`
	MaxStreams     int           `config:"max_streams"`
	MaxBytes       Size          `config:"max_bytes"`
	MaxStreamBytes Size          `config:"max_stream_bytes"`
}

// CallsTimeouts are the timers of the tracker, in packet time.
type CallsTimeouts struct {
	Invite      time.Duration `config:"invite"`
	Proceeding  time.Duration `config:"proceeding"`
	Request     time.Duration `config:"request"`
	Bye         time.Duration `config:"bye"`
	Established time.Duration `config:"established"`
	AuthLinger  time.Duration `config:"auth_linger"`
	RetryLinger time.Duration `config:"retry_linger"`
	Early       time.Duration `config:"early"`
	Completed   time.Duration `config:"completed"`
	Warmup      time.Duration `config:"warmup"`
}

// State is the file that outlives a run.
type State struct {
	Enabled  *bool         `config:"enabled"`
	Path     string        `config:"path"`
	Interval time.Duration `config:"interval"`
}

// Messages are records of single messages, besides the events.
type Messages struct {
	Enabled bool `config:"enabled"`
}

// Numbers are telephone numbers with a meaning of their own.
type Numbers struct {
	Emergency []string `config:"emergency,replace"`
	Country   string   `config:"country"`
}

// HEPOutput is where the messages that are followed go besides.
type HEPOutput struct {
	Targets   []string `config:"targets,replace"`
	Transport string   `config:"transport"`
	Version   int      `config:"version"`
	AuthKey   string   `config:"auth_key"`
	CaptureID int      `config:"capture_id"`
	Node      string   `config:"node"`
	Methods   []string `config:"methods,replace"`
	Sources   []string `config:"sources,replace"`
	Relay     bool     `config:"relay"`
	Buffer    Size     `config:"buffer"`
	TLS       HEPTLS   `config:"tls"`
	Clear     *bool    `config:"clear"`
}

// HEPTLS is for transport tls.
type HEPTLS struct {
	CA          string `config:"ca"`
	Certificate string `config:"certificate"`
	Key         string `config:"key"`
	Verify      string `config:"verify"`
}

// KPI is what package kpi computes.
type KPI struct {
	Records    bool          `config:"records"`
	Window     time.Duration `config:"window"`
	MinSamples int           `config:"min_samples"`
	NERCodes   []string      `config:"ner_codes,replace"`
	SERExclude []string      `config:"ser_exclude,replace"`
	Peers      int           `config:"peers"`
}

// PcapDump is what package dump writes.
type PcapDump struct {
	Dir       string        `config:"dir"`
	When      []string      `config:"when,replace"`
	List      []string      `config:"list,replace"`
	MaxFile   Size          `config:"max_file"`
	MaxFiles  int           `config:"max_files"`
	MaxTotal  Size          `config:"max_total"`
	MaxAge    time.Duration `config:"max_age"`
	RingSize  Size          `config:"ring_size"`
	RingAge   time.Duration `config:"ring_age"`
	Linger    time.Duration `config:"linger"`
	QueueSize Size          `config:"queue_size"`
	Clear     *bool         `config:"clear"`
}

// Config is the section, checked and composed.
type Config struct {
	Keys

	Inputs []Input             // at least one
	Files  capture.FilesConfig // of the short form
	Filter capture.FilterConfig
	Engine engine.Config
	Relay  relay.Config // without targets: no HEP output
	Dump   dump.Config  // an empty Dir: off
	HTTP   api.Config   // a zero Port: off
	Saving bool         // the state is read at the start and written
	Stats  Stats
	Count  kpi.Config

	Privacy privacy.Config // its key is missing where it is made of a passphrase; see Sealer

	flushSet bool              // the user chose replay_flush
	statsSet bool              // and stats_interval
	portSet  bool              // the user chose http_port
	taken    map[string]string // keys whose values came from ${NAME}, and how they are written
	older    olderPrivacy

	Names    *event.Schema // under which records leave
	Limit    limit.Config  // which of them do
	HeldSet  bool          // whether the user chose the types that are held back
	RatesSet bool          // whether the user chose limits of rates
	Warnings []string      // for the log: what was ignored, and what to write instead
}

// Live tells whether an input goes on until it is stopped: not all are files.
func (c *Config) Live() bool {
	return slices.ContainsFunc(c.Inputs, func(in Input) bool { return in.Live() })
}

// New reads section, which may be nil or empty. The error is one line that names
// the key, what was given and what is allowed.
func New(section *conf.C) (*Config, error) {
	c := &Config{Keys: DefaultKeys()}
	var known map[string]bool // that are set
	var err error
	if section != nil {
		if known, err = c.judge(section); err != nil {
			return nil, err
		}
		if err := onlyWord(section); err != nil {
			return nil, err
		}
		if err := section.Unpack(&c.Keys); err != nil {
			return nil, explain(section, err)
		}
		if err := c.takeOlderPrivacy(known); err != nil {
			return nil, err
		}
		if err := c.readInputs(section); err != nil {
			return nil, err
		}
		c.HeldSet, c.flushSet, c.portSet = known["event_types_blst"], known["replay_flush"], known["http_port"]
		c.statsSet = known["stats_interval"]
		c.RatesSet = known["evr_limits"] || known["evr_intervals"]
	}
	if c.Keys.Pcap, err = list("pcap", c.Keys.Pcap, true); err != nil {
		return nil, err
	}
	if err := c.compose(); err != nil {
		return nil, err
	}
	c.warnOff(known)
	if len(c.PcapDump.List) > 0 && c.Dump.When&dump.List == 0 {
		c.Warnings = append(c.Warnings, Section+".pcap_dump.list is not looked at, because list is not in "+Section+".pcap_dump.when")
	}
	return c, c.Validate()
}

// warnOff tells of what is set up and not switched on.
func (c *Config) warnOff(known map[string]bool) {
	def := Config{Keys: DefaultKeys()}
	asked := func(key string) bool {
		now := c.text(key)
		return known[key] && now != def.text(key) && now != none
	}
	for _, group := range []struct{ name, key string }{{"hep_output", "targets"}, {"pcap_dump", "dir"}} {
		on := group.name + "." + group.key
		for _, row := range Table {
			if strings.HasPrefix(row.Name, group.name+".") && asked(row.Name) && !known[on] {
				c.Warnings = append(c.Warnings, fmt.Sprintf("%[1]s.%[2]s does nothing, because %[1]s.%[3]s is not set", Section, row.Name, on))
				break
			}
		}
	}
}

// ReadFiles makes it a run over these files, whatever it was. They may have any
// name, also one that is a word in a list.
func (c *Config) ReadFiles(paths []string) error {
	c.Keys.Pcap, c.Keys.Iface, c.Keys.Inputs = paths, []string{AnyIface}, nil
	if err := c.compose(); err != nil {
		return err
	}
	return c.Validate()
}

// compose fills the packages' own Configs.
func (c *Config) compose() error {
	k := &c.Keys
	var err error
	if k.Iface, err = interfaces("iface", k.Iface); err != nil {
		return err
	}
	if k.Ports, err = list("ports", k.Ports, false); err != nil {
		return err
	}
	if c.Filter.Ports, err = ports("ports", k.Ports); err != nil {
		return err
	}
	if err := c.composeInputs(); err != nil {
		return err
	}
	short := k.inherited()
	c.Files = short.files()
	if err := c.composeLimit(); err != nil {
		return err
	}
	if err := c.composeRelay(); err != nil {
		return err
	}
	if err := c.composeDump(); err != nil {
		return err
	}
	if err := c.composeStats(); err != nil {
		return err
	}
	if err := c.composeHTTP(); err != nil {
		return err
	}
	if err := c.composeKPI(); err != nil {
		return err
	}
	if err := c.composePrivacy(); err != nil {
		return err
	}
	return c.composeEngine()
}

func (c *Config) composeDump() error {
	k := &c.Keys.PcapDump
	var err error
	if k.When, err = list("pcap_dump.when", k.When, true); err != nil {
		return err
	}
	if k.List, err = list("pcap_dump.list", k.List, true); err != nil {
		return err
	}
	c.Dump = dump.Config{
		Dir:      k.Dir,
		List:     k.List,
		MaxFile:  int64(k.MaxFile),
		MaxFiles: k.MaxFiles,
		MaxTotal: int64(k.MaxTotal),
		MaxAge:   k.MaxAge,
		RingSize: int(k.RingSize),
		RingAge:  k.RingAge,
		Linger:   k.Linger,
		Queue:    int(k.QueueSize),
		Wait:     !c.Live(), // as with events: a file run loses none
	}
	if c.Dump.When, err = when(k.When); c.Dump.When == 0 {
		c.Dump.Dir = ""
	}
	return err
}

func (c *Config) composeEngine() error {
	k := &c.Keys
	e := engine.DefaultConfig()
	e.Ports = c.Filter.Ports
	if err := readPorts("websocket_ports", &k.WebSocketPorts, &e.WebSocketPorts); err != nil {
		return err
	}
	c.Filter.TCPPorts = e.WebSocketPorts
	e.AnyPort = false // each input says it
	e.DedupWindow = k.DedupWindow
	e.KeepaliveProbes = k.KeepaliveProbes
	var err error
	if k.InternalNetworks, err = list("internal_networks", k.InternalNetworks, true); err != nil {
		return err
	}
	if e.Internal, err = internalNetworks(k.InternalNetworks); err != nil {
		return err
	}
	e.Messages = k.Messages.Enabled

	e.Packet.FragmentMax = k.Fragments.Max
	e.Packet.FragmentBytes = int(k.Fragments.Bytes)
	e.Packet.FragmentAge = k.Fragments.Age
	if err := c.composeTunnels(&e.Packet); err != nil {
		return err
	}

	e.Stream = stream.Config{
		IdleTimeout:    k.TCP.IdleTimeout,
		HoleTimeout:    k.TCP.HoleTimeout,
		MaxMessage:     int(k.TCP.MaxMessage),
		MaxStreams:     k.TCP.MaxStreams,
		MaxBytes:       int(k.TCP.MaxBytes),
		MaxStreamBytes: int(k.TCP.MaxStreamBytes),
	}

	if err := c.composeTrack(&e.Track); err != nil {
		return err
	}
	if e.Flush, err = flush(k.ReplayFlush); err != nil {
		return err
	}
	c.Engine = e
	c.composeState()
	return c.composeNames()
}

// The values of schema.
const (
	native = "native"
	legacy = "legacy"
)

// Legacy tells whether records have the older program's names.
func (c *Config) Legacy() bool { return c.Schema == legacy }

// composeNames chooses the names under which records leave.
func (c *Config) composeNames() error {
	fields := event.Fields
	switch c.Schema {
	case native:
	case legacy:
		if c.Messages.Enabled {
			return fmt.Errorf("%[1]s.messages.enabled: true is not allowed with %[1]s.schema: legacy, whose names for From, To and Contact are others; allowed: false", Section)
		}
		fields = event.OlderFields()
	default:
		return refuse("schema", quote(c.Schema), "native, legacy")
	}
	c.Names = event.NewSchema(fields, c.Headers)
	return nil
}

// StateFile is the name of the saved state.
func (c *Config) StateFile() string {
	if c.State.Path == "" {
		return stateFile
	}
	return c.State.Path
}

// stateFile is where the state is kept within path.data.
const stateFile = Section + ".state"

// RefuseState says of which key an error of the saved state is.
func (c *Config) RefuseState(err error) error {
	return fmt.Errorf("%s.state.path: %w; allowed: a file that can be written, or %s.state.enabled: false", Section, err, Section)
}

// composeState decides whether there is a saved state. With one, what the end of a file
// cuts off goes on in the next run; so it decides nothing unless the user says that it
// does.
func (c *Config) composeState() {
	c.Saving = c.Live()
	if c.State.Enabled != nil {
		c.Saving = *c.State.Enabled
	}
	c.Engine.Keep = c.Saving
	if c.Saving && !c.flushSet {
		c.Engine.Flush = track.FlushNone
	}
}

// composeTunnels says where tunnels are found, to the decoder and to the filter of a
// live capture.
func (c *Config) composeTunnels(p *packet.Config) error {
	k := &c.Keys
	for _, list := range []struct {
		key   string
		items *[]string
		to    *[]uint16
	}{
		{"vxlan_ports", &k.VXLANPorts, &p.VXLANPorts},
		{"geneve_ports", &k.GenevePorts, &p.GenevePorts},
		{"gtp_ports", &k.GTPPorts, &p.GTPPorts},
		{"tzsp_ports", &k.TZSPPorts, &p.TZSPPorts},
		{"l2tp_ports", &k.L2TPPorts, &p.L2TPPorts},
		{"esp_ports", &k.ESPPorts, &p.ESPPorts},
		{"hep_ports", &k.HEPPorts, &p.HEPPorts},
		{"siptrace_ports", &k.SiptracePorts, &p.SiptracePorts},
	} {
		if err := readPorts(list.key, list.items, list.to); err != nil {
			return err
		}
	}
	c.Filter.EtherTypes, c.Filter.Protocols, c.Filter.TunnelPorts = p.Tunnels()
	c.Filter.Ports = append(slices.Clone(c.Filter.Ports), p.HEPPorts...) // by TCP too
	return nil
}

// readPorts reads a list of ports that may be empty.
func readPorts(key string, items *[]string, to *[]uint16) (err error) {
	if *items, err = list(key, *items, true); err != nil {
		return err
	}
	*to, err = ports(key, *items)
	return err
}

// orDefault is v, or the default for 0, which older configurations wrote for
// "unlimited".
func orDefault[T int | int64](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}
