// SPDX-License-Identifier: Apache-2.0
//
// The Go side of the benchmarks of scheduling and of ops: the cost of runtime.Gosched when so many
// goroutines take turns on one processor; select and channels on one processor; spawning. Arguments
// are for Google Benchmark and ignored here.
package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"bast.invalid/bench/report"
)

func processorNanoseconds() int64 {
	used := report.Usage()
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

// selects receives from sixteen channels, and returns the nanoseconds of one select: of channels
// that are all ready, each of which is filled again; or of empty ones, to which another goroutine
// sends in turn.
func selects(ready bool) float64 {
	const rounds = 1_000_000
	var c [16]chan int
	for i := range c {
		c[i] = make(chan int, map[bool]int{true: 1, false: 0}[ready])
		if ready {
			c[i] <- i
		}
	}
	if !ready {
		go func() {
			for i := 0; i < rounds; i++ {
				c[i%16] <- i % 16
			}
		}()
	}
	start := processorNanoseconds()
	for i := 0; i < rounds; i++ {
		got := 0
		select {
		case got = <-c[0]:
		case got = <-c[1]:
		case got = <-c[2]:
		case got = <-c[3]:
		case got = <-c[4]:
		case got = <-c[5]:
		case got = <-c[6]:
		case got = <-c[7]:
		case got = <-c[8]:
		case got = <-c[9]:
		case got = <-c[10]:
		case got = <-c[11]:
		case got = <-c[12]:
		case got = <-c[13]:
		case got = <-c[14]:
		case got = <-c[15]:
		}
		if ready {
			c[got] <- got
		}
	}
	return float64(processorNanoseconds()-start) / rounds
}

// pingPong returns the nanoseconds of a value to another goroutine and one back.
func pingPong() float64 {
	const rounds = 1_000_000
	there, back := make(chan int), make(chan int)
	go func() {
		for i := 0; i < rounds; i++ {
			back <- <-there
		}
	}()
	start := processorNanoseconds()
	for i := 0; i < rounds; i++ {
		there <- i
		<-back
	}
	return float64(processorNanoseconds()-start) / rounds
}

// spawnJoin returns the nanoseconds of a goroutine that sends one value, and of receiving it.
func spawnJoin() float64 {
	const rounds = 1_000_000
	done := make(chan int)
	start := processorNanoseconds()
	for i := 0; i < rounds; i++ {
		go func(i int) { done <- i }(i)
		<-done
	}
	return float64(processorNanoseconds()-start) / rounds
}

func skynet(to chan int, first, size int) {
	if size == 1 {
		to <- first
		return
	}
	from := make(chan int)
	for i := 0; i < 10; i++ {
		go skynet(from, first+i*(size/10), size/10)
	}
	sum := 0
	for i := 0; i < 10; i++ {
		sum += <-from
	}
	to <- sum
}

// trees returns the processor time of one leaf in a tree of a million goroutines, ten below each.
func trees(processors int) float64 {
	const leaves = 1_000_000
	if processors > 1 {
		report.UseAllProcessors()
	}
	runtime.GOMAXPROCS(processors)
	defer runtime.GOMAXPROCS(1)
	to := make(chan int)
	start := processorNanoseconds()
	go skynet(to, 0, leaves)
	<-to
	return float64(processorNanoseconds()-start) / leaves
}

// deadlines returns the nanoseconds of a context with a timeout, from its creation to its cancel.
func deadlines() float64 {
	const count = 1_000_000
	parent, cancelParent := context.WithCancel(context.Background())
	defer cancelParent()
	start := processorNanoseconds()
	for i := 0; i < count; i++ {
		_, cancel := context.WithTimeout(parent, time.Hour)
		cancel()
	}
	return float64(processorNanoseconds()-start) / count
}

func main() {
	runtime.GOMAXPROCS(1)
	results := []report.Result{}
	for _, count := range []int{2, 1000} {
		results = append(results, report.Of(fmt.Sprintf("go_yield/%d", count), yields(count)))
	}
	for name, took := range map[string]float64{
		"select_ready": selects(true), "select_parks": selects(false), "ping_pong": pingPong(),
		"spawn_join": spawnJoin(), "skynet/1": trees(1), "deadline": deadlines()} {
		results = append(results, report.Of(name, took))
	}
	results = append(results, report.Of("skynet/2", trees(2))) // Last: it is no longer pinned.
	report.Print(results)
}
