package suite

import (
	"encoding/json"
	"os"
	"sync"
	"time"

	"github.com/stormproof/stormproof/harness/report"
	"github.com/stormproof/stormproof/harness/scenario"
)

// follower tells of each result file as it appears, so that progress needs no channel
// between the processes.
type follower struct {
	quit chan struct{}
	done sync.WaitGroup
}

func newFollower(dir string, list []*scenario.Scenario, finished func(report.Scenario)) *follower {
	f := &follower{quit: make(chan struct{})}
	if finished == nil {
		return f
	}
	waiting := map[string]bool{}
	for _, s := range list {
		waiting[s.ID] = true
	}
	look := func() {
		for id := range waiting {
			b, err := os.ReadFile(resultPath(dir, id))
			var s report.Scenario
			// A missing or half-written file is looked at again; the run's end reads all.
			if err != nil || json.Unmarshal(b, &s) != nil {
				continue
			}
			delete(waiting, id)
			finished(s)
		}
	}
	f.done.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-f.quit:
				look()
				return
			case <-tick.C:
				look()
			}
		}
	})
	return f
}

func (f *follower) stop() {
	close(f.quit)
	f.done.Wait()
}
