// Command service is what the tests of the Pod adapter run: it has a clock, says what it was
// given, and ends as it is told.
package main

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	offset := "0s"
	http.HandleFunc("POST /clock", func(_ http.ResponseWriter, r *http.Request) { offset = r.URL.Query().Get("to") })
	http.HandleFunc("GET /offset", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, offset) })
	http.HandleFunc("GET /given", func(w http.ResponseWriter, _ *http.Request) {
		file, err := os.ReadFile("/etc/stormproof/conf/service.txt")
		token, _ := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/token")
		fmt.Fprint(w, strings.Join(os.Args[1:], " "), "|", os.Getenv("GREETING"), "|", string(file), err, "|", os.Getuid(), "|",
			strings.Count(string(token), "."), "|", os.WriteFile("/etc/x", nil, 0o600) != nil && os.WriteFile("/x", nil, 0o600) != nil)
	})
	http.HandleFunc("GET /say", func(_ http.ResponseWriter, r *http.Request) { fmt.Println(r.URL.Query().Get("word")) })
	http.HandleFunc("GET /exit", func(_ http.ResponseWriter, r *http.Request) {
		code, err := strconv.Atoi(r.URL.Query().Get("code"))
		fmt.Println("the disk is on fire", err)
		os.Exit(code)
	})
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM)
	go func() {
		<-terminate
		fmt.Println("told to end")
		code, _ := strconv.Atoi(os.Getenv("LAST"))
		os.Exit(code)
	}()
	fmt.Println("begun")
	fmt.Println(http.ListenAndServe(os.Getenv("LISTEN"), nil))
	os.Exit(3)
}
