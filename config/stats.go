package config

import (
	"slices"
	"strings"
	"time"

	"github.com/sipcmbeat/sipcmbeat/internal/metric"
)

// Stats are the records of statistics.
type Stats struct {
	Every  time.Duration // 0: none
	Groups []string      // of metric.Groups, in their order
}

// allGroups stands for every group.
const allGroups = "all"

// groupNames are the names of all groups, as a text.
func groupNames() string {
	var names []string
	for _, g := range metric.Groups {
		names = append(names, g.Name)
	}
	return strings.Join(names, ", ")
}

// composeStats decides whether there are records of statistics: what is read from files
// alone is over before they tell anything, so there the user has to ask for them.
func (c *Config) composeStats() error {
	k := &c.Keys
	c.Stats = Stats{}
	var err error
	if k.StatsGroups, err = list("stats_groups", k.StatsGroups, true); err != nil {
		return err
	}
	all := slices.Contains(k.StatsGroups, allGroups)
	if all && len(k.StatsGroups) > 1 {
		return refuse("stats_groups", quote(strings.Join(k.StatsGroups, ", ")), "all alone, or some of "+groupNames())
	}
	asked := slices.Clone(k.StatsGroups)
	for _, g := range metric.Groups {
		if i := slices.Index(asked, g.Name); i >= 0 || all {
			c.Stats.Groups = append(c.Stats.Groups, g.Name)
		}
		asked = slices.DeleteFunc(asked, func(name string) bool { return name == g.Name || name == allGroups })
	}
	if len(asked) > 0 {
		return refuse("stats_groups", quote(asked[0]), groupNames()+", or all or none alone")
	}
	if (c.Live() || c.statsSet) && len(c.Stats.Groups) > 0 {
		c.Stats.Every = k.StatsInterval
	}
	return nil
}
