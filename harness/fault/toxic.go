package fault

import (
	"io"
	"sync"
	"time"

	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
)

// slowdown is a toxic for one piece of data, and when to stop being slow.
type slowdown struct {
	toxic toxics.Toxic
	until <-chan struct{}
}

// send writes data to dst through the slowdowns in turn, and returns when all of it is
// written. When a slowdown's until or gone is closed, the rest passes at full speed.
func send(dst io.Writer, data []byte, gone <-chan struct{}, slow ...slowdown) error {
	if len(slow) == 0 {
		_, err := dst.Write(data)
		return err
	}
	first := make(chan *stream.StreamChunk, 1)
	first <- &stream.StreamChunk{Data: data, Timestamp: time.Now()}
	close(first)
	var running sync.WaitGroup
	defer running.Wait()
	var last <-chan *stream.StreamChunk = first
	for _, s := range slow {
		out := make(chan *stream.StreamChunk)
		stub := toxics.NewToxicStub(last, out)
		running.Go(func() { runToxic(stub, s, gone) })
		last = out
	}
	var err error
	for chunk := range last { // to the end also after an error, or the toxics never finish
		if err == nil {
			_, err = dst.Write(chunk.Data)
		}
	}
	return err
}

// runToxic runs a toxic until its input ends, or until it is told to stop; then what is
// left goes through unharmed.
func runToxic(stub *toxics.ToxicStub, s slowdown, gone <-chan struct{}) {
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		stub.Run(&toxics.ToxicWrapper{Toxic: s.toxic, Toxicity: 1})
	}()
	select {
	case <-finished:
		return
	case <-s.until:
	case <-gone:
	}
	if stub.InterruptToxic() {
		stub.Run(&toxics.ToxicWrapper{Toxic: new(toxics.NoopToxic), Toxicity: 1})
	}
	<-finished
}
