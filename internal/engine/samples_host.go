package engine

import (
	"github.com/sipcmbeat/sipcmbeat/internal/dump"
	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/metric"
	"github.com/sipcmbeat/sipcmbeat/internal/relay"
)

// Host is the counters of what surrounds an engine: the queue behind it, the output, the
// files, HEP receivers and the saved state. Whoever runs the engine fills it; the tables
// stand here, so that documents can be made of them without libbeat.
type Host struct {
	// Of the queue that the engine puts events into.
	Accepted uint64
	Dropped  [event.NumTypes]uint64
	Waiting  int
	Room     int

	// Of the output. Sent is Accepted and Records.
	Records                                      uint64 // of statistics and indicators
	Sent, Acknowledged, Pending, Failed, Removed uint64
	Stored, Duplicates, DeadLetter, Retried      uint64

	LossRatio float64
	Windows   uint64 // of indicators that found no room

	Dump  dump.Stats
	Relay relay.Stats
	State KeeperStats
}

// Samples hands every counter on.
func (h *Host) Samples(add metric.Adder) { HostMetrics.Samples(h, add) }

type hostRow = metric.Row[Host]

func hostCounter(group, name, help string, n func(h *Host) uint64) hostRow {
	return hostRow{Desc: metric.Desc{Group: group, Name: name, Help: help}, N: n}
}

func hostGauge[T int | int64 | uint64](group, name, help string, n func(h *Host) T) hostRow {
	return hostRow{Desc: metric.Desc{Group: group, Name: name, Kind: metric.Gauge, Help: help},
		N: func(h *Host) uint64 { return uint64(n(h)) }}
}

func hostByType(group, name, help string, of func(h *Host) *[event.NumTypes]uint64) hostRow {
	return hostRow{Desc: metric.Desc{Group: group, Name: name, Label: "type", Help: help},
		Each: func(h *Host, at func(string, uint64)) {
			for i, n := range of(h) {
				if t := event.Type(i); t != event.None {
					at(t.String(), n)
				}
			}
		}}
}

// ofTargets is a counter over all receivers.
func ofTargets(n func(t *relay.TargetStats) uint64) func(h *Host) uint64 {
	return func(h *Host) (sum uint64) {
		for i := range h.Relay.Targets {
			sum += n(&h.Relay.Targets[i])
		}
		return sum
	}
}

// HostMetrics is every counter of Host.
var HostMetrics = metric.Table[Host]{
	{Desc: metric.Desc{Group: "track", Name: "capture_loss_ratio", Kind: metric.Gauge,
		Help: "Estimate of the share of packets that were not captured, though nothing reported their loss, over the last minute with enough of them."},
		F: func(h *Host) float64 { return h.LossRatio }},

	hostCounter("queue", "queue_accepted", "Events that the queue took.", func(h *Host) uint64 { return h.Accepted }),
	hostByType("queue", "queue_dropped", "Events that were lost because it was full, by type; of files never one.", func(h *Host) *[event.NumTypes]uint64 { return &h.Dropped }),
	hostGauge("queue", "queue_waiting", "Events that wait in it.", func(h *Host) int { return h.Waiting }),
	hostGauge("queue", "queue_room", "Events that may wait in it.", func(h *Host) int { return h.Room }),

	hostCounter("kpi", "kpi_windows_lost", "Windows of indicators of which there is no record, because there was no room for it.", func(h *Host) uint64 { return h.Windows }),

	hostCounter("output", "metric_records", "Records of statistics and of indicators.", func(h *Host) uint64 { return h.Records }),
	hostCounter("output", "output_sent", "Events that the queue took, and those records.", func(h *Host) uint64 { return h.Sent }),
	hostCounter("output", "output_acknowledged", "Those of them that the output has; with queue.disk, that are on disk.", func(h *Host) uint64 { return h.Acknowledged }),
	hostGauge("output", "output_pending", "Those that are under way.", func(h *Host) uint64 { return h.Pending }),
	hostCounter("output", "output_failed", "Those that are lost: refused by the output for good, or by libbeat's queue, which was closing.", func(h *Host) uint64 { return h.Failed }),
	hostCounter("output", "output_filtered", "Those that a processor of the configuration took out.", func(h *Host) uint64 { return h.Removed }),
	hostCounter("output", "output_stored", "Events that the output itself counts as acknowledged.", func(h *Host) uint64 { return h.Stored }),
	hostCounter("output", "output_duplicates", "Events that the index had already.", func(h *Host) uint64 { return h.Duplicates }),
	hostCounter("output", "output_dead_letter", "Events that the index refused and the dead letter index took.", func(h *Host) uint64 { return h.DeadLetter }),
	hostCounter("output", "output_retried", "Times that an event was sent again.", func(h *Host) uint64 { return h.Retried }),

	hostCounter("dump", "dump_messages", "Messages that the queue to the disk took.", func(h *Host) uint64 { return h.Dump.Messages }),
	hostCounter("dump", "dump_dropped", "Messages lost because it was full (pcap_dump.queue_size).", func(h *Host) uint64 { return h.Dump.Dropped }),
	hostCounter("dump", "dump_refused", "Files not begun because it was full.", func(h *Host) uint64 { return h.Dump.Refused }),
	hostCounter("dump", "dump_wanted", "Messages for a file; the sum of the next five.", func(h *Host) uint64 { return h.Dump.Wanted }),
	hostCounter("dump", "dump_written", "Messages that were written.", func(h *Host) uint64 { return h.Dump.Written }),
	hostCounter("dump", "dump_full", "Messages not written: the file had reached pcap_dump.max_file.", func(h *Host) uint64 { return h.Dump.Full }),
	hostCounter("dump", "dump_unwritten", "Messages that the disk did not take.", func(h *Host) uint64 { return h.Dump.Unwritten }),
	hostCounter("dump", "dump_existing", "Messages not written: a file of that name was there.", func(h *Host) uint64 { return h.Dump.Existing }),
	hostCounter("dump", "dump_deleted", "Messages not written: the file had been deleted.", func(h *Host) uint64 { return h.Dump.Deleted }),
	hostCounter("dump", "dump_files", "Files written.", func(h *Host) uint64 { return h.Dump.Files }),
	hostCounter("dump", "dump_files_empty", "Files named in an event for which never a message came.", func(h *Host) uint64 { return h.Dump.Empty }),
	hostCounter("dump", "dump_files_removed", "Files deleted by the limits.", func(h *Host) uint64 { return h.Dump.Removed }),
	hostGauge("dump", "dump_files_held", "Files in the directory.", func(h *Host) int { return h.Dump.Held }),
	hostGauge("dump", "dump_bytes", "Bytes of them.", func(h *Host) int64 { return h.Dump.Bytes }),

	hostCounter("hep_output", "hep_output_seen", "Messages that were followed while the output ran.", func(h *Host) uint64 { return h.Relay.Seen }),
	hostCounter("hep_output", "hep_output_unwanted", "Messages left out by method, source, or because they came by HEP.", func(h *Host) uint64 { return h.Relay.Filtered }),
	hostCounter("hep_output", "hep_output_returned", "Messages that this program had sent itself.", func(h *Host) uint64 { return h.Relay.Returned }),
	hostCounter("hep_output", "hep_output_taken", "Packets for targets, each target with its own; the sum of the next five.", ofTargets(func(t *relay.TargetStats) uint64 { return t.Taken })),
	hostCounter("hep_output", "hep_output_sent", "Packets handed to the system.", ofTargets(func(t *relay.TargetStats) uint64 { return t.Sent })),
	hostCounter("hep_output", "hep_output_full", "Packets lost because the buffer was full (hep_output.buffer).", ofTargets(func(t *relay.TargetStats) uint64 { return t.Full })),
	hostCounter("hep_output", "hep_output_too_long", "Packets too long for HEP or UDP.", ofTargets(func(t *relay.TargetStats) uint64 { return t.TooLong })),
	hostCounter("hep_output", "hep_output_failed", "Packets that the system refused.", ofTargets(func(t *relay.TargetStats) uint64 { return t.Failed })),
	hostGauge("hep_output", "hep_output_waiting", "Packets in the buffers.", ofTargets(func(t *relay.TargetStats) uint64 { return t.Waiting })),
	hostCounter("hep_output", "hep_output_bytes", "Bytes sent.", ofTargets(func(t *relay.TargetStats) uint64 { return t.Bytes })),
	hostCounter("hep_output", "hep_output_retried", "Packets written again after a connection broke.", ofTargets(func(t *relay.TargetStats) uint64 { return t.Retried })),
	hostCounter("hep_output", "hep_output_connections", "Connections opened.", ofTargets(func(t *relay.TargetStats) uint64 { return t.Opened })),

	hostCounter("state", "state_writes", "States that were written.", func(h *Host) uint64 { return h.State.Written }),
	hostCounter("state", "state_failures", "States that could not be written (state.path).", func(h *Host) uint64 { return h.State.Failed }),
	hostGauge("state", "state_entries", "Entries in the last one.", func(h *Host) int { return h.State.Entries }),
	hostGauge("state", "state_bytes", "Its size.", func(h *Host) int64 { return h.State.Bytes }),
	{Desc: metric.Desc{Group: "state", Name: "state_write_seconds", Kind: metric.Gauge, Help: "How long its writing took."},
		F: func(h *Host) float64 { return h.State.Took.Seconds() }},
}

// OutputSum is what the output says itself; it knows nothing of a queue on disk.
const OutputSum = "output_stored + output_duplicates + output_dead_letter"

// HostSums are the equations that need the counters of both.
var HostSums = []metric.Sum{
	{Left: "queue_accepted + queue_dropped", Right: "events_sent", Meaning: "each event that is sent is in the queue, or lost because it is full", AtRest: true},
	{Left: "queue_accepted + metric_records", Right: "output_sent", Meaning: "what leaves is events and records of statistics and indicators"},
	{Left: "output_acknowledged + output_pending + output_failed + output_filtered", Right: "output_sent", Meaning: "each of them is delivered, under way, lost or filtered"},
	{Left: OutputSum, Right: "output_acknowledged", Meaning: "the output counts the same; not with queue.disk, which has events of the last run", AtRest: true},
	{Left: "dump_written + dump_full + dump_unwritten + dump_existing + dump_deleted", Right: "dump_wanted", Meaning: "each message for a file is written, or not for a reason", AtRest: true},
	{Left: "hep_output_sent + hep_output_full + hep_output_too_long + hep_output_failed + hep_output_waiting", Right: "hep_output_taken", Meaning: "each packet for a receiver is sent, lost or waits", AtRest: true},
}
