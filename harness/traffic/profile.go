package traffic

import (
	"errors"
	"fmt"
	"math"
)

// Profile says what alerts a load consists of. The zero value is one alert, firing over and
// over. Its tags make it a part of the scenario language, so that a file of `stormproof
// load` and a `load` step read the same.
//
// Shares are exact, not probabilities: of n alerts each kind has its share to within two
// alerts, as long as that kind is possible (a resolve needs something firing, a new alert
// needs one that was not sent yet). What is impossible falls back: new to duplicate,
// duplicate and resolve to refire, and anything to new while nothing was sent.
type Profile struct {
	Alertname   string            `yaml:"alertname,omitempty" json:"alertname,omitempty" jsonschema_description:"Groups are called this and a number, from 1. Default Load."`
	Labels      map[string]string `yaml:"labels,omitempty" json:"labels,omitempty" jsonschema_description:"Further labels of every alert."`
	Groups      int               `yaml:"groups,omitempty" json:"groups,omitempty" jsonschema:"minimum=1,maximum=10000" jsonschema_description:"Number of alert groups (alert names). Default 1."`
	Cardinality int               `yaml:"cardinality,omitempty" json:"cardinality,omitempty" jsonschema:"minimum=1,maximum=100000" jsonschema_description:"Distinct alerts in each group (label pod). Default 1."`
	Duplicates  float64           `yaml:"duplicates,omitempty" json:"duplicates,omitempty" jsonschema:"minimum=0,maximum=1" jsonschema_description:"Share of alerts that repeat one that fires already, with the same startsAt."`
	Refires     float64           `yaml:"refires,omitempty" json:"refires,omitempty" jsonschema:"minimum=0,maximum=1" jsonschema_description:"Share of alerts that fire again with a new startsAt."`
	Resolves    float64           `yaml:"resolves,omitempty" json:"resolves,omitempty" jsonschema:"minimum=0,maximum=1" jsonschema_description:"Share of alerts that resolve one that fires."`
	Skew        Skew              `yaml:"skew,omitempty" json:"skew,omitempty"`
	Padding     Padding           `yaml:"padding,omitempty" json:"padding,omitempty"`
	Batch       int               `yaml:"batch,omitempty" json:"batch,omitempty" jsonschema:"minimum=1,maximum=10000" jsonschema_description:"Alerts in each request. Default 1."`
}

// Skew is the exponent of a Zipf distribution: 0 treats all alike, 1 sends the second half
// as often as the first, 2 a quarter as often.
type Skew struct {
	Groups       float64 `yaml:"groups,omitempty" json:"groups,omitempty" jsonschema:"minimum=0,maximum=5" jsonschema_description:"Zipf exponent over the groups. Default 0: all alike."`
	Fingerprints float64 `yaml:"fingerprints,omitempty" json:"fingerprints,omitempty" jsonschema:"minimum=0,maximum=5" jsonschema_description:"Zipf exponent over the alerts of a group that are repeated or resolved. Default 0: all alike."`
}

// Padding fills an annotation of every alert.
type Padding struct {
	Min int `yaml:"min,omitempty" json:"min,omitempty" jsonschema:"minimum=0,maximum=1048576" jsonschema_description:"Bytes of annotation in each alert."`
	Max int `yaml:"max,omitempty" json:"max,omitempty" jsonschema:"minimum=0,maximum=1048576" jsonschema_description:"Draw the size between min and this, evenly. Default: always min."`
}

// maxPopulation bounds groups times cardinality: each alert costs the generator memory.
const maxPopulation = 1_000_000

// filled is the profile with its defaults.
func (p Profile) filled() Profile {
	if p.Alertname == "" {
		p.Alertname = "Load"
	}
	p.Groups, p.Cardinality, p.Batch = max(1, p.Groups), max(1, p.Cardinality), max(1, p.Batch)
	p.Padding.Max = max(p.Padding.Min, p.Padding.Max)
	return p
}

// Validate says what is wrong with the profile, everything at once.
func (p Profile) Validate() error {
	var errs []error
	add := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	for _, share := range []struct {
		name string
		of   float64
	}{{"duplicates", p.Duplicates}, {"refires", p.Refires}, {"resolves", p.Resolves}} {
		add(math.IsNaN(share.of) || share.of < 0 || share.of > 1, "%s: %v is no share; write a number from 0 to 1", share.name, share.of)
	}
	sum := p.Duplicates + p.Refires + p.Resolves
	add(sum > 1+1e-9, "duplicates, refires and resolves are %.3g together; write shares of 1, the rest are new alerts", sum)
	add(p.Groups < 0 || p.Cardinality < 0 || p.Batch < 0, "groups, cardinality and batch count things; write 1 or more")
	f := p.filled()
	// Not the product: it could overflow.
	add(f.Groups > maxPopulation/f.Cardinality, "groups times cardinality is at most %d", maxPopulation)
	add(!(p.Skew.Groups >= 0 && p.Skew.Groups <= 5 && p.Skew.Fingerprints >= 0 && p.Skew.Fingerprints <= 5), "skew: exponents lie from 0 to 5")
	add(p.Padding.Min < 0 || p.Padding.Max < 0, "padding counts bytes; write 0 or more")
	add(p.Padding.Max != 0 && p.Padding.Max < p.Padding.Min, "padding: max %d is less than min %d", p.Padding.Max, p.Padding.Min)
	return errors.Join(errs...)
}
