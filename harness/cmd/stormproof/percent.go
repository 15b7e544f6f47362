package main

import (
	"fmt"
	"strconv"
	"strings"
)

// percent is a flag like 0.5%; the sign may be left out.
type percent float64

func (p *percent) Set(text string) error {
	v, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(text), "%"), 64)
	if err != nil || v <= 0 || v >= 100 {
		return fmt.Errorf("%q is no percentage between 0 and 100, such as 0.5%%", text)
	}
	*p = percent(v)
	return nil
}

func (p *percent) String() string { return strconv.FormatFloat(float64(*p), 'g', -1, 64) }

func (p *percent) Type() string { return "percent" }
