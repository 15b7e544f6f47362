package owned

import "testing"

func TestASessionIsDeadWhenItsLockIsGone(t *testing.T) {
	cache := t.TempDir()
	living, err := Begin(cache, Session{ID: "abc", Dir: "/a"})
	if err != nil {
		t.Fatal(err)
	}
	killed, err := Begin(cache, Session{ID: "def", Dir: "/d", Kubeconfig: "/k"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Begin(cache, Session{ID: "abc"}); err == nil {
		t.Error("an id was given twice")
	}
	killed.Keep() // as the kernel does when the process ends
	for range 2 { // what is kept is found again
		ended, err := Ended(cache)
		if err != nil || len(ended) != 1 || ended[0].ID != "def" || ended[0].Dir != "/d" || ended[0].Kubeconfig != "/k" {
			t.Fatalf("ended: %v, %v; want def alone", ended, err)
		}
		ended[0].Keep()
	}
	ended, err := Ended(cache)
	if err != nil || len(ended) != 1 {
		t.Fatal(ended, err)
	}
	if err := ended[0].End(); err != nil {
		t.Error(err)
	}
	if err := living.End(); err != nil {
		t.Error(err)
	}
	if ended, err := Ended(cache); err != nil || len(ended) != 0 {
		t.Errorf("ended: %v, %v; want none", ended, err)
	}
}

func TestRunsOfASession(t *testing.T) {
	s := Session{ID: "abc"}
	for run, want := range map[string]bool{"abcr1": true, "abcr12": true, "abc": false, "abcd1": false, "abcdr1": false, "xabcr1": false, "abcr1x": false, "": false} {
		if s.Has(run) != want {
			t.Errorf("run %q: %t, want %t", run, !want, want)
		}
	}
}
