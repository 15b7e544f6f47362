package model

import "testing"

// FuzzPlans explores schedules by what they reach in the code, where the soak draws them
// blindly. Three bytes are a step.
func FuzzPlans(f *testing.F) {
	f.Add([]byte("\x00\x1f\x00\x05\x00\x00\x10\x07\x00\x05\x00\x00"))
	f.Add([]byte("\x13\x07\x00\x13\x1f\x01\x00\x01\x00\x00\x00\x00\x1f\x00\x00\x10\x00\x00"))
	f.Fuzz(func(t *testing.T, steps []byte) {
		var p plan
		for ; len(steps) >= 3 && len(p) < 100; steps = steps[3:] {
			p = append(p, op{kind: usual[int(steps[0])%len(usual)], a: int(steps[1]), b: int(steps[2] & 3), c: int(steps[2] >> 2 & 1)})
		}
		x := newExplorer(t, bug{})
		if v, story := x.play(p); v != nil {
			t.Error(x.shrunk(p, v, story))
		}
	})
}
