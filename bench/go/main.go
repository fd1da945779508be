// SPDX-License-Identifier: Apache-2.0
//
// The Go side of the scheduler's benchmarks: the cost of runtime.Gosched when so many goroutines
// take turns on one processor. Writes the subset of Google Benchmark's output that bench/run reads;
// its arguments are for that library and ignored here.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"syscall"
)

type result struct {
	Name     string  `json:"name"`
	RealTime float64 `json:"real_time"`
	CPUTime  float64 `json:"cpu_time"`
}

func processorNanoseconds() int64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}

// yields lets `count` goroutines, this one among them, yield to each other, and returns the
// nanoseconds that `count` yields take.
func yields(count int) float64 {
	stop := false // One processor: no two goroutines run at once.
	made := make([]int64, count)
	ended := make(chan struct{})
	for i := 1; i < count; i++ {
		go func(mine *int64) {
			for !stop {
				runtime.Gosched()
				*mine++
			}
			ended <- struct{}{}
		}(&made[i])
	}
	rounds := 3_000_000 / count
	for i := 0; i < rounds/10; i++ {
		runtime.Gosched()
	}
	for i := range made {
		made[i] = 0
	}
	start := processorNanoseconds()
	for i := 0; i < rounds; i++ {
		runtime.Gosched()
		made[0]++
	}
	took := processorNanoseconds() - start
	total := int64(0)
	for _, each := range made {
		total += each
	}
	stop = true
	for i := 1; i < count; i++ {
		<-ended
	}
	return float64(took) / float64(total) * float64(count)
}

func main() {
	runtime.GOMAXPROCS(1)
	results := []result{}
	for _, count := range []int{2, 1000} {
		took := yields(count)
		results = append(results, result{fmt.Sprintf("go_yield/%d", count), took, took})
	}
	err := json.NewEncoder(os.Stdout).Encode(map[string][]result{"benchmarks": results})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
