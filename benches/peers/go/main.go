// Go's net/http with the answers that ../src/lib.rs describes.
package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
)

type book struct {
	ID     uint64 `json:"id"`
	Title  string `json:"title"`
	Author string `json:"author"`
	Cents  uint32 `json:"cents"`
}

func main() {
	runtime.GOMAXPROCS(1)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("content-type", "text/plain; charset=utf-8")
		io.WriteString(w, "Hello, World!")
	})
	mux.HandleFunc("GET /api/v1/books/{id}", func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
		if err != nil {
			http.Error(w, "no number", http.StatusBadRequest)
			return
		}
		w.Header().Set("content-type", "application/json")
		json.NewEncoder(w).Encode(book{id, "The Rust Programming Language", "Steve Klabnik and Carol Nichols", 3995})
	})
	if err := http.ListenAndServe(os.Args[1], mux); err != nil {
		panic(err)
	}
}
