package park

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func body(n int) json.RawMessage { return json.RawMessage(make([]byte, n)) }

func ids(p *Park) []int64 {
	var out []int64
	for _, a := range p.All() {
		out = append(out, a.ID)
	}
	return out
}

func want(t *testing.T, got, wanted any) {
	t.Helper()
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Fatalf("(-want +got)\n%s", diff)
	}
}

func TestTheOldestLeaveFirstByNumberAndByBytes(t *testing.T) {
	parked, left := 0, 0
	p := New(3, 100, func(n int) { parked = n }, func(n int) { left += n })
	for range 4 {
		p.Add(Alert{Body: body(10)})
	}
	want(t, ids(p), []int64{2, 3, 4})
	want(t, [2]int{parked, left}, [2]int{3, 1})
	p.Add(Alert{Body: body(85)}) // with one of 10 bytes it fits, with two it does not
	want(t, ids(p), []int64{4, 5})
	want(t, [2]int{parked, left}, [2]int{2, 3})
}

func TestAnAlertLargerThanTheParkIsCountedAsLeft(t *testing.T) {
	left := 0
	p := New(3, 100, nil, func(n int) { left += n })
	p.Add(Alert{Body: body(101)})
	want(t, len(ids(p)), 0)
	want(t, left, 1)
}

func TestWhatWasTakenOutMakesRoom(t *testing.T) {
	p := New(10, 100, nil, nil)
	p.Add(Alert{Body: body(60)})
	p.Remove(1)
	p.Remove(1)
	p.Add(Alert{Body: body(60)})
	p.Add(Alert{Body: body(40)})
	want(t, ids(p), []int64{2, 3})
}

func TestAParkOfNothingKeepsNothing(t *testing.T) {
	p := New(0, 100, nil, nil)
	p.Add(Alert{Body: body(1)})
	want(t, len(ids(p)), 0)
}
