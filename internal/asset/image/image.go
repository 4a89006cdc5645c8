package main

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// certificatesPath is where Go's programs look for the certificates that they
// trust.
const certificatesPath = "etc/ssl/certs/ca-certificates.crt"

// user owns nothing in the image and is nobody on any host.
const user = "65532:65532"

// modified is every file's time and the image's: an image built later is the
// same.
var modified = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// file is one of a layer.
type file struct {
	path    string
	mode    int64
	content []byte
}

// newImage returns an image that holds a static program for linux on
// architecture, the certificates that it trusts, and nothing else: no shell,
// no C library.
func newImage(name string, program []byte, architecture string) (v1.Image, error) {
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	trusted, err := newLayer(file{certificatesPath, 0o644, certificates()})
	if err != nil {
		return nil, err
	}
	own, err := newLayer(file{name, 0o755, program})
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(base, trusted, own)
	if err != nil {
		return nil, fmt.Errorf("append layers: %w", err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", architecture
	config.Created = v1.Time{Time: modified}
	config.Config.Entrypoint = []string{"/" + name}
	config.Config.User = user
	config.Config.WorkingDir = "/"
	return mutate.ConfigFile(image, config)
}

// certificates are Mozilla's roots, as pinned in go.mod: those of this machine
// are another set. Roots that hold with conditions alone are left out, because
// the file can't carry conditions.
func certificates() []byte {
	var file bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			file.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}))
		}
	}
	return file.Bytes()
}

// newLayer returns a layer of files and the folders that they lie in.
func newLayer(files ...file) (v1.Layer, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	made := map[string]bool{}
	for _, f := range files {
		for i, c := range f.path {
			if folder := f.path[:i] + "/"; c == '/' && !made[folder] {
				made[folder] = true
				if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: folder, Mode: 0o755, ModTime: modified}); err != nil {
					return nil, err
				}
			}
		}
		header := &tar.Header{Typeflag: tar.TypeReg, Name: f.path, Mode: f.mode, Size: int64(len(f.content)), ModTime: modified}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(archive.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, fmt.Errorf("make layer: %w", err)
	}
	return layer, nil
}

// write replaces the OCI layout in dir by one of image alone.
func write(image v1.Image, dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return fmt.Errorf("write %s: %w", dir, err)
	}
	if err := path.AppendImage(image); err != nil {
		return fmt.Errorf("write %s: %w", dir, err)
	}
	return nil
}
