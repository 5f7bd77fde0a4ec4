package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// resident is the resident memory of a process in octets (VmRSS).
func resident(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	return parseResident(string(text))
}

func parseResident(status string) (float64, error) {
	for line := range strings.Lines(status) {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[0] == "VmRSS:" && fields[2] == "kB" {
			kilobytes, err := strconv.ParseUint(fields[1], 10, 64)
			return float64(kilobytes) * 1024, err
		}
	}
	return 0, fmt.Errorf("no VmRSS in %q", status)
}

// processorTime is how long a process and its threads have run, in user and kernel mode together. Work that the kernel
// does for it elsewhere, in interrupts, is not in it.
func processorTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseProcessorTime(string(text))
}

// familyTime is the processor time of a process, of those that descend from it, and of those of them that have ended.
func familyTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	sum, err := parseTimes(string(stat), 4)
	if err != nil {
		return 0, err
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0, err
	}
	for _, field := range strings.Fields(string(children)) {
		child, err := strconv.Atoi(field)
		if err != nil {
			return 0, err
		}
		if t, err := familyTime(child); err == nil { // one that has just ended counts among those next time
			sum += t
		}
	}
	return sum, nil
}

// threadsTime is the processor time of the threads that the kernel has for the queues of an interface: napi/NAME-NUMBER.
// There are none for most.
func threadsTime(name string) (sum time.Duration) {
	found, _ := filepath.Glob("/proc/[0-9]*/comm") // only a bad pattern is an error
	for _, path := range found {
		if !strings.HasPrefix(read(path), "napi/"+name+"-") {
			continue
		}
		if t, err := parseProcessorTime(read(filepath.Join(filepath.Dir(path), "stat"))); err == nil { // it has not just ended
			sum += t
		}
	}
	return sum
}

// parent is the process that started another.
func parent(pid int) (int, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := behindName(string(stat))
	if len(fields) < 2 {
		return 0, fmt.Errorf("too short: %q", stat)
	}
	return strconv.Atoi(fields[1])
}

// tick is the unit of /proc/PID/stat, USER_HZ, which is 100 on every Linux that Go runs on.
const tick = time.Second / 100

func parseProcessorTime(stat string) (time.Duration, error) { return parseTimes(stat, 2) }

// behindName is what follows the second field of a stat, the name, which may hold spaces and brackets.
func behindName(stat string) []string {
	return strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
}

// parseTimes adds up the first of utime, stime, cutime and cstime, which are the 12th to 15th behind the name.
func parseTimes(stat string, count int) (time.Duration, error) {
	fields := behindName(stat)
	if len(fields) < 11+count {
		return 0, fmt.Errorf("too short: %q", stat)
	}
	var sum time.Duration
	for _, field := range fields[11 : 11+count] {
		ticks, err := strconv.ParseUint(field, 10, 63)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(ticks) * tick
	}
	return sum, nil
}

// machine says where the figures come from, and how busy it was before we began.
func machine() string {
	facts := []string{fmt.Sprintf("%d cores", runtime.NumCPU())}
	add := func(format, text string) {
		if text = strings.TrimSpace(text); text != "" {
			facts = append(facts, fmt.Sprintf(format, text))
		}
	}
	add("%s", processor(read("/proc/cpuinfo")))
	add("Linux %s", read("/proc/sys/kernel/osrelease"))
	add("%s", runtime.Version())
	if commit, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output(); err == nil {
		add("commit %s", string(commit))
	}
	if load := strings.Fields(read("/proc/loadavg")); len(load) > 0 {
		add("load average before the start %s", load[0])
	}
	return strings.Join(facts, ", ")
}

// processor finds the name of the processor.
func processor(cpuinfo string) string {
	for line := range strings.Lines(cpuinfo) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// read is what a file says, or nothing.
func read(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(text)
}
