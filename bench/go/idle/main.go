// SPDX-License-Identifier: Apache-2.0
//
// The Go side of bench/idle.cpp: the voluntary context switches of all threads while eight
// processors of Go's scheduler have nothing to do, and the main goroutine sleeps for two seconds.
package main

import (
	"runtime"
	"sync"
	"time"

	"bast.invalid/bench/report"
)

const processors = 8

// startThreads makes the scheduler start its threads, as it does not before it has work for them.
func startThreads() {
	var all sync.WaitGroup
	for i := 0; i < processors; i++ {
		all.Add(1)
		go func() {
			for start := time.Now(); time.Since(start) < 20*time.Millisecond; {
			}
			all.Done()
		}()
	}
	all.Wait()
}

func main() {
	report.UseAllProcessors()
	runtime.GOMAXPROCS(processors)
	startThreads()
	time.Sleep(200 * time.Millisecond) // They sleep.
	before := report.Usage().Nvcsw
	time.Sleep(2 * time.Second)
	report.Print([]report.Result{report.Of("idle", float64(report.Usage().Nvcsw-before))})
}
