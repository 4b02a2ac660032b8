package config

import (
	"strconv"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/api"
	"github.com/sipcmbeat/sipcmbeat/internal/capture"
	"github.com/sipcmbeat/sipcmbeat/internal/dump"
	"github.com/sipcmbeat/sipcmbeat/internal/engine"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/kpi"
	"github.com/sipcmbeat/sipcmbeat/internal/limit"
	"github.com/sipcmbeat/sipcmbeat/internal/packet"
	"github.com/sipcmbeat/sipcmbeat/internal/recent"
	"github.com/sipcmbeat/sipcmbeat/internal/relay"
	"github.com/sipcmbeat/sipcmbeat/internal/stream"
	"github.com/sipcmbeat/sipcmbeat/internal/track"
)

// DefaultKeys is the section when nothing is written. What a package has a default
// for comes from there.
func DefaultKeys() Keys {
	files, p, t := capture.DefaultFilesConfig(), packet.DefaultConfig(), track.DefaultConfig()
	tcp, out, d, http := stream.DefaultConfig(), relay.DefaultConfig(), dump.DefaultConfig(), api.DefaultConfig()
	l, count := limit.DefaultConfig(), kpi.DefaultConfig()
	return Keys{
		Iface:       []string{AnyIface},
		Snaplen:     262144,
		Promiscuous: true,
		PcapBufKB:   32768,
		Capture:     "auto",
		Workers:     1,
		BlockSize:   128 << 10,

		Ports: []string{"5060", "5080"},

		WebSocketPorts: portTexts(engine.DefaultConfig().WebSocketPorts),
		VXLANPorts:     portTexts(p.VXLANPorts),
		GenevePorts:    portTexts(p.GenevePorts),
		GTPPorts:       portTexts(p.GTPPorts),
		TZSPPorts:      portTexts(p.TZSPPorts),
		L2TPPorts:      portTexts(p.L2TPPorts),
		ESPPorts:       portTexts(p.ESPPorts),

		HEPPorts:      portTexts(p.HEPPorts),
		SiptracePorts: portTexts(p.SiptracePorts),

		PcapLoop:    files.Loop,
		ReplayScale: files.Scale,
		ReplayFlush: "pending",

		DedupWindow: 100 * time.Millisecond,
		Fragments:   Fragments{Max: p.FragmentMax, Bytes: Size(p.FragmentBytes), Age: p.FragmentAge},
		TCP: TCP{
			IdleTimeout:    tcp.IdleTimeout,
			HoleTimeout:    tcp.HoleTimeout,
			MaxMessage:     Size(tcp.MaxMessage),
			MaxStreams:     tcp.MaxStreams,
			MaxBytes:       Size(tcp.MaxBytes),
			MaxStreamBytes: Size(tcp.MaxStreamBytes),
		},

		CallsTimeouts: CallsTimeouts{
			Invite:      t.Invite,
			Proceeding:  t.Proceeding,
			Request:     t.Request,
			Bye:         t.Bye,
			Established: t.Established,
			AuthLinger:  t.AuthLinger,
			RetryLinger: t.RetryLinger,
			Early:       t.Early,
			Completed:   t.Completed,
			Warmup:      t.Warmup,
		},
		CallsMaxEntries: t.MaxCalls,
		RegsMaxEntries:  t.MaxRegs,

		RegExpDelta: t.RegExpDelta,
		RegDelDelay: t.RegDelDelay,

		Schema:             native,
		CorrelationHeaders: t.CorrelationHeaders,
		Numbers:            Numbers{Emergency: t.Emergency},

		State: State{Interval: 30 * time.Second},

		HTTPAddr: http.Addr,
		HTTPPort: http.Port,
		HTTP:     HTTP{MaxConnections: http.MaxConnections, MaxEvents: http.MaxEvents, ReadySilence: 5 * time.Minute, ReadyStall: time.Minute, MessagesMem: recent.DefaultSize},

		Privacy: Privacy{
			Addresses: inClear, URIs: inClear, Numbers: inClear, CallIDs: inClear, UserAgents: inClear, Geo: inClear, Errors: inClear, Tags: inClear,
			SaltFile: saltFile,
		},

		HEPOutput: HEPOutput{Transport: out.Transport, Version: out.Version, Relay: out.Received, Buffer: Size(out.Buffer), TLS: HEPTLS{Verify: "full"}},
		PcapDump: PcapDump{
			When:      []string{"failed"},
			MaxFile:   Size(d.MaxFile),
			MaxFiles:  d.MaxFiles,
			MaxTotal:  Size(d.MaxTotal),
			MaxAge:    d.MaxAge,
			RingSize:  Size(d.RingSize),
			RingAge:   d.RingAge,
			Linger:    d.Linger,
			QueueSize: Size(d.Queue),
		},

		KPI: KPI{
			Window:     count.Window,
			MinSamples: count.MinSamples,
			NERCodes:   count.NERCodes,
			SERExclude: count.SERExclude,
			Peers:      count.Peers,
		},

		EventTypesBlst: []string{
			event.MsgProbe.String(), event.ParseError.String(),
			event.OtherOK.String(), event.OtherFailed.String(), event.OtherTimeout.String(),
		},
		StatsInterval:      5 * time.Minute,
		StatsGroups:        []string{allGroups},
		EvrLimits:          numberTexts(l.Rates.Limits),
		EvrIntervals:       durationTexts(l.Rates.Intervals),
		EvrMaxEntries:      l.MaxEntries,
		EvrConseqReportMin: int(l.Rates.ReportMin),
		EvrConseqReportMax: int(l.Rates.ReportMax),
		EvrOffenderExpiry:  l.OffenderLife,

		RetentionDays:   0,
		EventBufferSize: 65536,
		ShutdownTimeout: 8 * time.Second,
	}
}

func portTexts(ports []uint16) (texts []string) {
	for _, p := range ports {
		texts = append(texts, strconv.Itoa(int(p)))
	}
	return texts
}

func numberTexts(numbers []float64) (texts []string) {
	for _, n := range numbers {
		texts = append(texts, strconv.FormatFloat(n, 'g', -1, 64))
	}
	return texts
}

func durationTexts(all []time.Duration) (texts []string) {
	for _, d := range all {
		texts = append(texts, limit.DurationText(d))
	}
	return texts
}

// AnyIface stands for all interfaces.
const AnyIface = "any"
