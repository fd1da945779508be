// SPDX-License-Identifier: Apache-2.0
//
// Shared by the Go programs of the benchmarks: the clock of the processor, where threads run, and
// the subset of Google Benchmark's output that bench/run reads.
package report

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"unsafe"
)

// Result is the figure of one benchmark.
type Result struct {
	Name     string  `json:"name"`
	RealTime float64 `json:"real_time"`
	CPUTime  float64 `json:"cpu_time"`
}

// Of returns a result whose two times are one figure.
func Of(name string, figure float64) Result {
	return Result{name, figure, figure}
}

// Print writes the results to standard output.
func Print(results []Result) {
	err := json.NewEncoder(os.Stdout).Encode(map[string][]Result{"benchmarks": results})
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// Usage returns what all threads of this process have used.
func Usage() syscall.Rusage {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		fail(err)
	}
	return used
}

// UseAllProcessors undoes the pinning of bench/run, for all threads of this process.
func UseAllProcessors() {
	var all [128]byte
	for i := range all {
		all[i] = 0xff
	}
	threads, _ := os.ReadDir("/proc/self/task")
	for _, each := range threads {
		id, _ := strconv.Atoi(each.Name())
		_, _, _ = syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, uintptr(id), uintptr(len(all)),
			uintptr(unsafe.Pointer(&all[0])))
	}
}
