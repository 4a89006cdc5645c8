//go:build unix && !linux

package process

import "syscall"

// groupAttributes start a program in a group of its own.
func groupAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// killOrphans does nothing: only Linux tells another process's environment.
func killOrphans(string) {}
