package config

import "github.com/sipcmbeat/sipcmbeat/internal/kpi"

// composeKPI says what is counted, and of whom.
func (c *Config) composeKPI() error {
	k := &c.Keys.KPI
	for _, l := range []struct {
		key   string
		items *[]string
	}{{"kpi.ner_codes", &k.NERCodes}, {"kpi.ser_exclude", &k.SERExclude}, {"trunks", &c.Keys.Trunks}} {
		var err error
		if *l.items, err = list(l.key, *l.items, true); err != nil {
			return err
		}
	}
	c.Count = kpi.Config{
		Window:     k.Window,
		MinSamples: k.MinSamples,
		NERCodes:   k.NERCodes,
		SERExclude: k.SERExclude,
		Peers:      k.Peers,
		Trunks:     c.Keys.Trunks,
	}
	return nil
}
