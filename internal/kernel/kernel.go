// Package kernel makes the Node process behind CDKTF start fast. A program or a
// test takes it by a blank import; there is nothing to call.
//
// Every construct lives in that process, the jsii kernel. Nearly all of its
// start goes into one package: @cdktf/provider-aws has 2,100 resources and data
// sources, 240 MB of code, and an assembly of 120 MB that describes their types.
// A stack uses a few dozen of them. This package has Node load a small script
// first (hook.cjs), which gives the kernel the code and the types of a resource
// when it is first named. What is synthesized doesn't change.
//
//	                 plain   fast
//	CPU of a start   2.1 s   0.36 s
//	memory           980 MB  95 MB
//
// The script is named in NODE_OPTIONS. jsii copies the environment while its
// packages initialize, before main or TestMain run, so the variable is set in
// this package's init. Go initializes, of the packages whose imports are ready,
// the first by path; jsii imports os/exec, whose path comes after this one's.
// That is why this package imports nothing that os/exec doesn't import too,
// save for packages without initialization.
//
// The program reads
//
//   - SHOPSTREAM_KERNEL: "fast", the default, or "plain", to load everything;
//   - SHOPSTREAM_KERNEL_TRACE: a file to which the script adds what took effect.
//
// Whatever the script doesn't find as it expects, it leaves alone, and a line on
// the standard error says so.
package kernel

import (
	_ "embed"
	"errors"
	"hash/fnv"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

//go:embed hook.cjs
var hook string

func init() {
	for _, warning := range prepare() {
		os.Stderr.WriteString("shopstream: " + warning + "\n")
	}
}

// prepare sets the environment of the Node processes to come.
func prepare() (warnings []string) {
	const silence = "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION"
	if _, set := os.LookupEnv(silence); !set {
		os.Setenv(silence, "20") // a list of major versions; a mere "1" silences nothing
	}
	switch mode := os.Getenv("SHOPSTREAM_KERNEL"); mode {
	case "plain":
		return nil
	case "", "fast":
	default:
		warnings = append(warnings, "SHOPSTREAM_KERNEL must be fast or plain, got "+strconv.Quote(mode)+": starting fast")
	}
	file, err := install()
	if err != nil {
		return append(warnings, "this start of the kernel is slow: "+err.Error())
	}
	os.Setenv("NODE_OPTIONS", nodeOptions(file, os.Getenv("NODE_OPTIONS")))
	return warnings
}

// nodeOptions adds the script and jsii's heap limit to the user's own options.
// jsii adds its limit only where NODE_OPTIONS is unset, which it no longer is.
func nodeOptions(script, user string) string {
	require := `--require "` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(script) + `"`
	if strings.Contains(user, require) {
		return user // inherited from a program that imports this package
	}
	options := require
	if !strings.Contains(strings.ReplaceAll(user, "_", "-"), "--max-old-space-size") {
		options += " --max-old-space-size=4069"
	}
	return strings.TrimSpace(options + " " + user)
}

// install returns the script's path, writing the script where it is missing or
// differs. The name tells versions apart; a rename makes it whole at once.
func install() (string, error) {
	dir, err := scriptDir()
	if err != nil {
		return "", err
	}
	sum := fnv.New64a()
	sum.Write([]byte(hook))
	file := filepath.Join(dir, "kernel-"+strconv.FormatUint(sum.Sum64(), 16)+".cjs")
	if have, err := os.ReadFile(file); err == nil && string(have) == hook {
		return file, nil
	}
	tmp, err := os.CreateTemp(dir, "kernel-*.tmp")
	if err != nil {
		return "", err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(hook)
	if err := errors.Join(err, tmp.Close()); err != nil {
		return "", err
	}
	return file, os.Rename(tmp.Name(), file)
}

// scriptDir returns a folder that only this user can write: Node will run what
// lies there.
func scriptDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	dir = filepath.Join(dir, "shopstream-kernel-"+strconv.Itoa(os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	if !info.IsDir() || !private(info) {
		return "", errors.New(dir + " must be a folder that only its user can write")
	}
	return dir, nil
}
