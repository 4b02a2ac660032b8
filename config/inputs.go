package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	conf "github.com/elastic/elastic-agent-libs/config"

	"github.com/sipcmbeat/sipcmbeat/internal/capture"
)

// The types of inputs.
const (
	LiveInput     = "live"
	FileInput     = "file"
	HEPInput      = "hep"
	SiptraceInput = "siptrace"
)

var inputTypes = []string{LiveInput, FileInput, HEPInput, SiptraceInput}

// InputKeys is one item of inputs as the user writes it. What it leaves out is taken
// from the key of the same name beside inputs, so that what all have alike is
// written once.
type InputKeys struct {
	Type    string `config:"type"`
	AnyPort *bool  `config:"any_port"`

	Iface       []string `config:"iface,replace"`
	BPF         string   `config:"bpf"`
	Snaplen     int      `config:"snaplen"`
	Promiscuous bool     `config:"promiscuous"`
	PcapBufKB   int      `config:"pcap_buf_kb"`
	Capture     string   `config:"capture"`
	FanoutGroup int      `config:"fanout_group"`
	Workers     int      `config:"workers"`
	BlockSize   Size     `config:"block_size"`

	Pcap           []string      `config:"pcap,replace"`
	PcapLoop       int           `config:"pcap_loop"`
	Replay         bool          `config:"replay"`
	ReplayScale    float64       `config:"replay_scale"`
	ReplayMinDelay time.Duration `config:"replay_min_delay"`
	ReplayMaxDelay time.Duration `config:"replay_max_delay"`

	Listen         []string      `config:"listen,replace"`
	Cert           string        `config:"cert"`
	CertKey        string        `config:"key"`
	AuthKeys       []string      `config:"auth_keys,replace"` // secret: never in an error or a log
	Allow          []string      `config:"allow,replace"`
	MaxConnections int           `config:"max_connections"`
	IdleTimeout    time.Duration `config:"idle_timeout"`
	BufferKB       int           `config:"buffer_kb"`
}

// Input is one place where frames come from, checked: a live one has one interface.
type Input struct {
	InputKeys
	Key     string              // how the user wrote it: inputs.0, or "" for the short form
	Name    string              // in status lines
	Files   capture.FilesConfig // of a file
	HEP     capture.HEPConfig   // of HEP and siptrace
	AnyPort bool
	Place   int // differs from that of every other input
}

// Live tells whether the input goes on until it is stopped.
func (in *Input) Live() bool { return in.Type != FileInput }

// prefix stands before the name of a key of the input in an error.
func (in *Input) prefix() string {
	if in.Key == "" {
		return Section
	}
	return Section + "." + in.Key
}

// Explain puts the name of the input before an error that begins with a key of it.
func (in *Input) Explain(err error) error { return fmt.Errorf("%s.%w", in.prefix(), err) }

// inherited is an input that says nothing of its own.
func (k *Keys) inherited() InputKeys {
	hep := capture.DefaultHEPConfig()
	return InputKeys{
		AnyPort:     k.AnyPort,
		Iface:       k.Iface,
		BPF:         k.BPF,
		Snaplen:     k.Snaplen,
		Promiscuous: k.Promiscuous,
		PcapBufKB:   k.PcapBufKB,
		Capture:     k.Capture,
		FanoutGroup: k.FanoutGroup,
		Workers:     k.Workers,
		BlockSize:   k.BlockSize,

		Pcap:           k.Pcap,
		PcapLoop:       k.PcapLoop,
		Replay:         k.Replay,
		ReplayScale:    k.ReplayScale,
		ReplayMinDelay: k.ReplayMinDelay,
		ReplayMaxDelay: k.ReplayMaxDelay,

		MaxConnections: hep.MaxConns,
		IdleTimeout:    hep.IdleTimeout,
		BufferKB:       hep.BufferKB,
	}
}

func (k *InputKeys) files() capture.FilesConfig {
	return capture.FilesConfig{
		Paths:    k.Pcap,
		Loop:     k.PcapLoop,
		RealTime: k.Replay,
		Scale:    k.ReplayScale,
		MinDelay: k.ReplayMinDelay,
		MaxDelay: k.ReplayMaxDelay,
	}
}

// onlyWord takes the word none, for an empty list, out of section, and refuses every
// other word in place of the list.
func onlyWord(section *conf.C) error {
	word, err := section.String("inputs", -1)
	if err != nil {
		return nil // a list, or nothing
	}
	if word != none && word != "" {
		return refuse("inputs", quote(word), "a list such as [{type: live, iface: eth0}], or none")
	}
	_, err = section.Remove("inputs", -1)
	return err
}

// readInputs reads the list, each item over what it inherits.
func (c *Config) readInputs(section *conf.C) error {
	c.Keys.Inputs = nil
	if !section.HasField("inputs") {
		return nil
	}
	n, err := section.CountField("inputs")
	if err != nil {
		return fmt.Errorf("%s.inputs: %w", Section, err)
	}
	for i := range n {
		key := "inputs." + strconv.Itoa(i)
		item, err := section.Child("inputs", i)
		if err != nil {
			return refuse(key, "a value alone", "keys and values, such as {type: live, iface: eth0}")
		}
		in := c.Keys.inherited()
		if err := item.Unpack(&in); err != nil {
			return explain(section, err)
		}
		if !slices.Contains(inputTypes, in.Type) {
			return refuse(key+".type", quote(in.Type), strings.Join(inputTypes, ", "))
		}
		for _, name := range item.FlattenedKeys() {
			name = strings.TrimPrefix(name, Section+"."+key+".")
			row, ok := find("inputs." + withoutIndex(name))
			if ok && row.Of != "" && !slices.Contains(strings.Fields(row.Of), in.Type) {
				return fmt.Errorf("%s.%s.%s is not for an input of type %s; it is for: %s", Section, key, withoutIndex(name), in.Type, row.Of)
			}
		}
		c.Keys.Inputs = append(c.Keys.Inputs, in)
	}
	return nil
}

// composeInputs makes the inputs of the list, or of the short form.
func (c *Config) composeInputs() error {
	k := &c.Keys
	c.Inputs = nil
	if len(k.Inputs) == 0 {
		in := k.inherited()
		if in.Type = LiveInput; len(k.Pcap) > 0 {
			in.Type = FileInput
		}
		return c.addInput("", in)
	}
	for _, short := range []struct {
		key string
		set bool
	}{{"iface", !anyIface(k.Iface)}, {"pcap", len(k.Pcap) > 0}} {
		if short.set {
			return fmt.Errorf("%[1]s.inputs and %[1]s.%[2]s are both set; take one: %[2]s is the short form of a list of one", Section, short.key)
		}
	}
	for i, in := range k.Inputs {
		if err := c.addInput("inputs."+strconv.Itoa(i), in); err != nil {
			return err
		}
	}
	return nil
}

// addInput checks one item and adds it, or one input for each of its interfaces.
func (c *Config) addInput(key string, keys InputKeys) (err error) {
	in := Input{InputKeys: keys, Key: key, Name: keys.Type}
	in.AnyPort = keys.Type != LiveInput
	if keys.AnyPort != nil {
		in.AnyPort = *keys.AnyPort
	}
	add := func() {
		in.Place = len(c.Inputs)
		c.Inputs = append(c.Inputs, in)
	}
	path := func(name string) string { return strings.TrimPrefix(key+"."+name, ".") }
	switch in.Type {
	case FileInput:
		if key != "" { // the short form's may be words here
			if in.Pcap, err = list(path("pcap"), in.Pcap, false); err != nil {
				return err
			}
		}
		in.Files = in.files()
		in.Name = strings.Join(in.Pcap, ", ")
		add()
	case LiveInput:
		ifaces, err := interfaces(path("iface"), in.Iface)
		if err != nil {
			return err
		}
		for _, name := range ifaces {
			in.Iface, in.Name = []string{name}, name
			add()
		}
	default:
		if err := in.composeHEP(path); err != nil {
			return err
		}
		add()
	}
	return nil
}

// interfaces takes a list, and names with commas between them.
func interfaces(key string, items []string) ([]string, error) {
	var all []string
	for _, item := range items {
		for name := range strings.SplitSeq(item, ",") {
			if name = strings.TrimSpace(name); name != "" && name != none {
				all = append(all, name)
			}
		}
	}
	if len(all) == 0 {
		return []string{AnyIface}, nil // as older configurations wrote it
	}
	for i, name := range all {
		if slices.Contains(all[:i], name) || name == AnyIface && len(all) > 1 {
			return nil, refuse(key, strings.Join(all, ", "), "each interface once, and any alone")
		}
	}
	return all, nil
}

// anyIface tells whether no interface is named.
func anyIface(names []string) bool { return len(names) == 1 && names[0] == AnyIface }

// captures are the values of capture.
var captures = []string{"auto", "af_packet", "pcap"}

// validateInputs names the first key that is out of range, and combinations that
// cannot be.
func (c *Config) validateInputs() error {
	if c.Keys.Inputs == nil && len(c.Keys.Pcap) > 0 && !anyIface(c.Keys.Iface) {
		return fmt.Errorf("%[1]s.pcap (%[2]s) and %[1]s.iface (%[3]s) are both set; take one: "+
			"to read the file all the same, set iface to any (-E %[1]s.iface=any), to capture, set pcap to none, for both at once see %[1]s.inputs",
			Section, strings.Join(c.Files.Paths, ", "), strings.Join(c.Keys.Iface, ", "))
	}
	places, listens := map[string]string{}, map[string]string{}
	for i := range c.Inputs {
		in := &c.Inputs[i]
		if in.Type == FileInput {
			if err := in.Files.Validate(); err != nil {
				return in.Explain(err)
			}
			if len(c.Inputs) > 1 && in.PcapLoop != 0 && in.PcapLoop != 1 {
				return fmt.Errorf("%s.pcap_loop: %d is not allowed; allowed: 1, where there are several inputs", in.prefix(), in.PcapLoop)
			}
			continue
		}
		if in.Type != LiveInput {
			if err := c.validateListen(in, listens); err != nil {
				return err
			}
			continue
		}
		if other, ok := places[in.Name]; ok {
			return fmt.Errorf("%s.iface: %s is not allowed; allowed: each interface once, and %s has it", in.prefix(), in.Name, other)
		}
		places[in.Name] = in.prefix()
		if err := in.validateCapture(); err != nil {
			return in.Explain(err)
		}
	}
	if _, ok := places[AnyIface]; ok && len(places) > 1 {
		return fmt.Errorf("%s.inputs: any and a named interface are not allowed together; each packet would come twice", Section)
	}
	return nil
}

// validateListen checks an input that listens. places are those of the inputs before
// it.
func (c *Config) validateListen(in *Input, places map[string]string) error {
	if err := in.HEP.Validate(); err != nil {
		return in.Explain(err)
	}
	for _, place := range in.Listen {
		if other, ok := places[place]; ok && !strings.HasSuffix(place, ":0") {
			return fmt.Errorf("%s.listen: %s is not allowed; allowed: each place once, and %s has it", in.prefix(), place, other)
		}
		places[place] = in.prefix()
	}
	if in.Type != HEPInput {
		return nil
	}
	if err := c.Relay.Loops(in.Listen); err != nil {
		return fmt.Errorf("%s.hep_output.%w", Section, err)
	}
	return nil
}

// validateCapture checks what the capture itself does not.
func (in *Input) validateCapture() error {
	switch {
	case !slices.Contains(captures, in.Capture):
		return fmt.Errorf("capture: %q is not allowed; allowed: %s", in.Capture, strings.Join(captures, ", "))
	case in.Workers < 1 || in.Workers > maxWorkers:
		return fmt.Errorf("workers: %d is not allowed; allowed: 1 to %d", in.Workers, maxWorkers)
	case in.Workers > 1 && in.Capture == "pcap":
		return fmt.Errorf("workers: %d is not allowed with capture: pcap; allowed: 1, or capture: af_packet", in.Workers)
	case in.FanoutGroup < 0 || in.FanoutGroup > 65535:
		return fmt.Errorf("fanout_group: %d is not allowed; allowed: 1 to 65535, or 0 for one of our own", in.FanoutGroup)
	case in.BlockSize < 64<<10 || in.BlockSize > 64<<20 || in.BlockSize&(in.BlockSize-1) != 0:
		return fmt.Errorf("block_size: %v is not allowed; allowed: a power of two, 64KiB to 64MiB", in.BlockSize)
	}
	return nil
}

// maxWorkers bounds the workers of one interface.
const maxWorkers = 64
