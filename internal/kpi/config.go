package kpi

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// Config is what a Counter needs to know.
type Config struct {
	Window     time.Duration // of the records, aligned to the clock; a day is a multiple of it
	MinSamples int           // below so many a ratio or a mean has no value
	NERCodes   []string      // codes that count as effective in ner, and NoAnswer
	SERExclude []string      // codes and classes that ser and seer leave out
	Peers      int           // source addresses that are counted by themselves: the busiest
	Trunks     []string      // name=network: peers with a name, whichever end they are

	// Closed, when set, is given the indicators of each window that is over and had
	// events in it: first of all, then of each peer that had any. It is called by one
	// lane at a time and owns what it gets.
	Closed func(set view.IndicatorSet)
}

// NoAnswer is the word in ner_codes for a 408, or a timeout, behind a 180 to 183: the
// telephone rang and nobody answered.
const NoAnswer = "no-answer"

// DefaultConfig has the codes of the printed formulas.
func DefaultConfig() Config {
	return Config{
		Window:     time.Minute,
		MinSamples: 20,
		NERCodes:   []string{"486", "487", "603"},
		SERExclude: []string{"3xx", "401", "402", "407"},
		Peers:      10,
	}
}

// Bounds of a Config. A peer takes up to 400 kB.
const (
	maxPeers  = 32
	maxTrunks = 64
	maxListed = 32 // codes in a list
	day       = 24 * time.Hour
)

// Validate names the first setting that cannot be, and what is allowed.
func (c *Config) Validate() error {
	if c.Window < 10*time.Second || c.Window > time.Hour || day%c.Window != 0 || c.Window%time.Second != 0 {
		return fmt.Errorf("kpi.window: %v is not allowed; allowed: 10s to 1h, of which a day is a multiple, such as 30s, 1m, 5m", c.Window)
	}
	if c.MinSamples < 1 || c.MinSamples > 1e6 {
		return fmt.Errorf("kpi.min_samples: %d is out of range; allowed: 1 to 1000000", c.MinSamples)
	}
	if c.Peers < 0 || c.Peers > maxPeers {
		return fmt.Errorf("kpi.peers: %d is out of range; allowed: 0 to %d", c.Peers, maxPeers)
	}
	if _, _, err := nerCodes(c.NERCodes); err != nil {
		return err
	}
	if _, err := serExclude(c.SERExclude); err != nil {
		return err
	}
	_, err := trunks(c.Trunks)
	return err
}

// nerCodes reads ner_codes.
func nerCodes(items []string) (codes []int, noAnswer bool, err error) {
	const allowed = "up to 32 codes from 400 to 699, and " + NoAnswer
	if len(items) > maxListed {
		return nil, false, fmt.Errorf("kpi.ner_codes: %d items are not allowed; allowed: %s", len(items), allowed)
	}
	for _, item := range items {
		if item == NoAnswer {
			noAnswer = true
			continue
		}
		n, err := strconv.Atoi(item)
		if err != nil || n < 400 || n > 699 {
			return nil, false, fmt.Errorf("kpi.ner_codes: %q is not allowed; allowed: %s", item, allowed)
		}
		codes = append(codes, n)
	}
	return codes, noAnswer, nil
}

// serExclude reads ser_exclude; a class is its first digit.
func serExclude(items []string) (codes []int, err error) {
	const allowed = "up to 32 codes from 300 to 699, and 3xx, 4xx, 5xx, 6xx"
	if len(items) > maxListed {
		return nil, fmt.Errorf("kpi.ser_exclude: %d items are not allowed; allowed: %s", len(items), allowed)
	}
	for _, item := range items {
		text, class := strings.CutSuffix(item, "xx")
		n, err := strconv.Atoi(text)
		low, high := 300, 699
		if class {
			low, high = 3, 6
		}
		if err != nil || n < low || n > high {
			return nil, fmt.Errorf("kpi.ser_exclude: %q is not allowed; allowed: %s", item, allowed)
		}
		codes = append(codes, n)
	}
	return codes, nil
}

// trunk is a network with the name of a peer.
type trunk struct {
	name string
	net  netip.Prefix
}

func trunkName(item string) string {
	name, _, _ := strings.Cut(item, "=")
	return strings.TrimSpace(name)
}

// trunks reads them, the narrowest networks first.
func trunks(items []string) (all []trunk, err error) {
	if len(items) > maxTrunks {
		return nil, fmt.Errorf("trunks: %d items are not allowed; allowed: up to %d", len(items), maxTrunks)
	}
	for _, item := range items {
		_, text, _ := strings.Cut(item, "=")
		name, text := trunkName(item), strings.TrimSpace(text)
		net, err := netip.ParsePrefix(text)
		if a, no := netip.ParseAddr(text); no == nil {
			net, err = netip.PrefixFrom(a.Unmap().WithZone(""), a.Unmap().BitLen()), nil
		}
		_, isAddr := netip.ParseAddr(name)
		if err != nil || name == "" || name == otherName || isAddr == nil || len(name) > 64 {
			return nil, fmt.Errorf("trunks: %q is not allowed; allowed: up to %d of the form name=network, such as carrier=192.0.2.0/24; "+
				"a name may have several, is of 64 bytes at most, and is neither an address nor %s", item, maxTrunks, otherName)
		}
		all = append(all, trunk{name, net.Masked()})
	}
	slices.SortStableFunc(all, func(a, b trunk) int { return cmp.Compare(b.net.Bits(), a.net.Bits()) })
	return all, nil
}
