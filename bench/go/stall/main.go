// SPDX-License-Identifier: Apache-2.0
//
// The Go side of bench/stall.cpp: the makespan of goroutines with uneven work, before or after
// their first wait, and the delay of goroutines beside one that computes, on two processors.
package main

import (
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"bast.invalid/bench/report"
)

const (
	tasks    = 64
	draws    = 25
	waiters  = 100
	waiting  = 5 * time.Millisecond
	measured = time.Second
)

var sink uint64

//go:noinline
func compute(units int) {
	x := uint64(units)
	for i := 0; i < units*75_000; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	atomic.StoreUint64(&sink, x)
}

// uneven returns the units of the next task, as bench/stall.cpp does.
func uneven(state *uint64) int {
	*state = *state*6364136223846793005 + 1442695040888963407
	units := 1
	for bits := *state >> 32; bits%2 == 1 && units < 32; bits /= 2 {
		units *= 2
	}
	return units
}

func runAll(after bool, seed uint64) {
	var all sync.WaitGroup
	all.Add(tasks)
	for i := 0; i < tasks; i++ {
		go func(units int) {
			if after {
				compute(1)
				time.Sleep(2 * time.Millisecond)
			}
			compute(units)
			all.Done()
		}(uneven(&seed))
	}
	all.Wait()
}

// makespan returns the median nanoseconds of many draws.
func makespan(after bool) float64 {
	took := []float64{}
	for seed := uint64(1); seed <= draws; seed++ {
		time.Sleep(5 * time.Millisecond)
		start := time.Now()
		runAll(after, seed)
		took = append(took, float64(time.Since(start)))
	}
	sort.Float64s(took)
	return took[draws/2]
}

func waitAgain(over *atomic.Bool, started *atomic.Int32, delays *[]float64) {
	compute(1)
	started.Add(1)
	// Due at fixed times: one long delay counts once for each wait that it covers.
	for due := time.Now().Add(waiting); !over.Load(); due = due.Add(waiting) {
		time.Sleep(time.Until(due))
		*delays = append(*delays, float64(time.Since(due)))
	}
}

type beside int

const (
	nothing beside = iota
	waits
	yields
)

func computeUntil(over *atomic.Bool, what beside) {
	for !over.Load() {
		// Reads the clock all the time, in place of a computation.
		for start := time.Now(); time.Since(start) < 10*time.Millisecond; {
		}
		if what == waits {
			time.Sleep(waiting)
		} else {
			runtime.Gosched()
		}
	}
}

// delay returns the nanoseconds that all but one in a hundred waits do not exceed, beside a
// goroutine that computes for 10 ms at a time, or alone.
func delay(what beside) float64 {
	var over atomic.Bool
	var started atomic.Int32
	var ended sync.WaitGroup
	delays := make([][]float64, waiters)
	start := func(body func()) {
		ended.Add(1)
		go func() {
			body()
			ended.Done()
		}()
	}
	for i := range delays {
		mine := &delays[i]
		start(func() { waitAgain(&over, &started, mine) })
	}
	for started.Load() != waiters {
		time.Sleep(time.Millisecond)
	}
	if what != nothing {
		start(func() { computeUntil(&over, what) })
	}
	time.Sleep(measured)
	over.Store(true)
	ended.Wait()
	all := []float64{}
	for _, each := range delays {
		all = append(all, each...)
	}
	sort.Float64s(all)
	return all[len(all)*99/100]
}

func main() {
	report.UseAllProcessors()
	runtime.GOMAXPROCS(2)
	report.Print([]report.Result{
		report.Of("before_the_wait", makespan(false)),
		report.Of("after_the_wait", makespan(true)),
		report.Of("delay_alone", delay(nothing)),
		report.Of("delay_waits", delay(waits)),
		report.Of("delay_yields", delay(yields)),
	})
}
