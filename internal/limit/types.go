package limit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sipcmbeat/sipcmbeat/internal/event"
	"github.com/sipcmbeat/sipcmbeat/internal/view"
)

// Types is what becomes of the events of each type.
func (l *Limiter) Types() []view.TypeSwitch {
	l.mu.Lock()
	fates, held := l.fates, l.held
	l.mu.Unlock()
	all := make([]view.TypeSwitch, 0, event.NumTypes)
	for t := event.None + 1; t < event.NumTypes; t++ {
		f := &fates[t]
		all = append(all, view.TypeSwitch{
			Type: t.String(), Meaning: event.Kinds[t].Sentence, Blacklisted: held[t],
			Made: f[Sent] + f[HeldType] + f[HeldRate] + f[HeldSource],
			Sent: f[Sent], HeldType: f[HeldType], HeldRate: f[HeldRate], HeldSource: f[HeldSource],
		})
	}
	return all
}

// SetTypes makes these the types that are held back, and no others.
func (l *Limiter) SetTypes(blacklisted []string, who string) error {
	var held [event.NumTypes]bool
	for _, name := range blacklisted {
		t, err := parseType(name)
		if err != nil {
			return err
		}
		held[t] = true
	}
	l.hold(func(now *[event.NumTypes]bool) { *now = held }, who)
	return nil
}

// SetType holds one type back, or lets it go on.
func (l *Limiter) SetType(name string, blacklisted bool, who string) error {
	t, err := parseType(name)
	if err != nil {
		return err
	}
	l.hold(func(now *[event.NumTypes]bool) { now[t] = blacklisted }, who)
	return nil
}

func parseType(name string) (event.Type, error) {
	t, ok := event.ParseType(name)
	if !ok {
		return t, fmt.Errorf("type: %q is not allowed; allowed: %s", name, event.TypeNames())
	}
	return t, nil
}

// hold changes the blacklist of types, and says so when that is another.
func (l *Limiter) hold(change func(*[event.NumTypes]bool), who string) {
	l.mu.Lock()
	before := l.held
	change(&l.held)
	now := l.held
	l.mu.Unlock()
	if now != before {
		l.say(fmt.Sprintf("event_types_blst: %s are held back now, was: %s; changed by %s", typeNames(now), typeNames(before), who))
	}
}

// typeNames lists types, none where there is none.
func typeNames(held [event.NumTypes]bool) string {
	if names := heldNames(held); len(names) > 0 {
		return strings.Join(names, ", ")
	}
	return "none"
}

func heldNames(held [event.NumTypes]bool) (names []string) {
	for t := range held {
		if held[t] {
			names = append(names, event.Type(t).String())
		}
	}
	slices.Sort(names)
	return names
}
