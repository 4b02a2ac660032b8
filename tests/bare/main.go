// Command bare measures what libbeat alone takes for our records. It publishes the
// lines of an NDJSON file, as `sipcmbeat replay` writes them, through a libbeat with
// nothing around it, and prints the CPU time (user and system, of the whole process)
// from the first Publish to the last acknowledgement. Reading and decoding the lines
// is not in it: that is done a batch at a time, between the measured spans.
//
//	bare -c bare.yml -E bare.records=FILE
//
// It prints seconds and records on one line, for tests/bench.sh.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/elastic/beats/v7/libbeat/beat"
	"github.com/elastic/beats/v7/libbeat/cmd"
	"github.com/elastic/beats/v7/libbeat/cmd/instance"
	"github.com/elastic/beats/v7/libbeat/common/acker"
	conf "github.com/elastic/elastic-agent-libs/config"
	"github.com/elastic/elastic-agent-libs/mapstr"
)

func main() {
	root := cmd.GenRootCmdWithSettings(newBare, instance.Settings{Name: "bare", Version: "9.3.0"})
	if root.Execute() != nil {
		os.Exit(1)
	}
}

// bare is the smallest beat that publishes records.
type bare struct {
	records string
	acked   atomic.Uint64
}

func newBare(_ *beat.Beat, section *conf.C) (beat.Beater, error) {
	path, err := section.String("records", -1)
	return &bare{records: path}, err
}

// Stop implements beat.Beater; a run ends by itself.
func (b *bare) Stop() {}

// batch is how many records are decoded before they are published.
const batch = 8192

// Run implements beat.Beater.
func (b *bare) Run(in *beat.Beat) error {
	f, err := os.Open(b.records)
	if err != nil {
		return err
	}
	defer f.Close()
	client, err := in.Publisher.ConnectWith(beat.ClientConfig{
		PublishMode:   beat.GuaranteedSend,
		EventListener: acker.RawCounting(func(n int) { b.acked.Add(uint64(n)) }),
	})
	if err != nil {
		return err
	}
	defer client.Close()

	var spent time.Duration
	var sent uint64
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for more := true; more; {
		events := make([]beat.Event, 0, batch)
		for more = lines.Scan(); more; more = lines.Scan() {
			e, err := decode(lines.Bytes())
			if err != nil {
				return fmt.Errorf("decode record %d: %w", sent+uint64(len(events))+1, err)
			}
			if events = append(events, e); len(events) == batch {
				break
			}
		}
		runtime.GC() // what the decoding left is not libbeat's
		began := cpu()
		client.PublishAll(events)
		sent += uint64(len(events))
		for b.acked.Load() < sent {
			time.Sleep(time.Millisecond)
		}
		spent += cpu() - began
	}
	fmt.Printf("%.3f %d\n", spent.Seconds(), sent)
	return lines.Err()
}

// decode makes the event that a beat would have built.
func decode(line []byte) (beat.Event, error) {
	var e beat.Event
	if err := json.NewDecoder(bytes.NewReader(line)).Decode(&e.Fields); err != nil {
		return e, err
	}
	whole(e.Fields)
	at, err := e.Fields.GetValue("@timestamp")
	if err != nil {
		return e, err
	}
	if e.Timestamp, err = time.Parse(time.RFC3339Nano, fmt.Sprint(at)); err != nil {
		return e, err
	}
	_ = e.Fields.Delete("@timestamp")
	if id, err := e.Fields.GetValue("event.id"); err == nil {
		e.Meta = mapstr.M{"_id": id}
	}
	return e, nil
}

// whole makes whole numbers of what encoding/json decoded as fractions, all through
// the tree.
func whole(tree map[string]any) {
	for k, v := range tree {
		switch v := v.(type) {
		case map[string]any:
			whole(v)
		case float64:
			if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
				tree[k] = int64(v)
			}
		}
	}
}

// cpu is the user and system time of this process.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
