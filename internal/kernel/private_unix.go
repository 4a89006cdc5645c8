//go:build unix

package kernel

import (
	"os"
	"syscall"
)

// private reports whether the file is ours and nobody else can write it.
func private(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Getuid() && info.Mode().Perm()&0o022 == 0
}
