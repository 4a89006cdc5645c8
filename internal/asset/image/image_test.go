package main

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"debug/elf"
	"encoding/base64"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	fakeregistry "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/shopstream/shopstream/internal/asset"
)

func newTestImage(t *testing.T, program string) v1.Image {
	t.Helper()
	image, err := newImage("program", []byte(program), "arm64")
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func digestOf(t *testing.T, image v1.Image) string {
	t.Helper()
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

// files returns what an image holds.
func files(t *testing.T, image v1.Image) map[string]*file {
	t.Helper()
	r := mutate.Extract(image)
	defer r.Close()
	found := map[string]*file{}
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		if !header.ModTime.Equal(modified) || header.Uid != 0 {
			t.Errorf("%s is of %s, owned by %d", header.Name, header.ModTime, header.Uid)
		}
		if header.Typeflag == tar.TypeReg {
			found[header.Name] = &file{header.Name, header.Mode, content}
		}
	}
}

// written writes image to a layout and reads it back.
func written(t *testing.T, image v1.Image) v1.Image {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "images", "program")
	for range 2 { // a second one replaces the first
		if err := write(image, dir); err != nil {
			t.Fatal(err)
		}
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil || len(manifest.Manifests) != 1 {
		t.Fatalf("layout holds %+v: %v", manifest, err)
	}
	image, err = index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func TestTheCollectorsImage(t *testing.T) {
	root, err := asset.Root()
	if err != nil {
		t.Fatal(err)
	}
	built := func(architecture string) v1.Image {
		image, err := build(t.Context(), root, architecture)
		if err != nil {
			t.Fatal(err)
		}
		return image
	}
	t.Run("has the same digest when it is built again", func(t *testing.T) {
		if first, second := digestOf(t, built(architecture)), digestOf(t, built(architecture)); first != second {
			t.Errorf("got %s, then %s", first, second)
		}
	})
	t.Run("starts and tells the settings that it lacks", func(t *testing.T) {
		if runtime.GOOS != "linux" {
			t.Skip("the image's program runs on Linux alone")
		}
		program := files(t, written(t, built(runtime.GOARCH)))[programName]
		if program == nil {
			t.Fatal("the image has no " + programName)
		}
		path := filepath.Join(t.TempDir(), programName)
		if err := os.WriteFile(path, program.content, os.FileMode(program.mode)); err != nil {
			t.Fatal(err)
		}
		binary, err := elf.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer binary.Close()
		if needs, err := binary.ImportedLibraries(); err != nil || len(needs) > 0 || binary.Section(".interp") != nil {
			t.Errorf("it needs %v, %v, of which the image has none", needs, err)
		}
		cmd := exec.CommandContext(t.Context(), path)
		cmd.Env = []string{}
		output, err := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); err == nil || code != 1 || !strings.Contains(string(output), "environment variable GATEWAY_STREAM is required") {
			t.Errorf("it ended with %d, %v:\n%s", code, err, output)
		}
	})
}

func TestImage(t *testing.T) {
	image := written(t, newTestImage(t, "program"))
	t.Run("is a whole one of the OCI's", func(t *testing.T) {
		if err := validate.Image(image); err != nil {
			t.Error(err)
		}
		manifest, err := image.Manifest()
		if err != nil || manifest.MediaType != "application/vnd.oci.image.manifest.v1+json" || manifest.Config.MediaType != "application/vnd.oci.image.config.v1+json" {
			t.Errorf("got %+v: %v", manifest, err)
		}
	})
	t.Run("runs its program on Graviton as nobody", func(t *testing.T) {
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if config.OS != "linux" || config.Architecture != "arm64" || config.Config.User != "65532:65532" || strings.Join(config.Config.Entrypoint, " ") != "/program" || !config.Created.Equal(modified) {
			t.Errorf("got %+v", config)
		}
	})
	t.Run("holds the program and the certificates alone", func(t *testing.T) {
		got := files(t, image)
		if program := got["program"]; len(got) != 2 || program == nil || string(program.content) != "program" || program.mode != 0o755 {
			t.Fatalf("got %d files", len(got))
		}
		if pool := x509.NewCertPool(); got[certificatesPath] == nil || !pool.AppendCertsFromPEM(got[certificatesPath].content) {
			t.Error("no certificate is trusted")
		}
	})
	t.Run("has another digest with another program", func(t *testing.T) {
		if digestOf(t, newTestImage(t, "program")) == digestOf(t, newTestImage(t, "other")) {
			t.Error("got the same")
		}
	})
}

// newRegistry starts one that asks for a password and whose tags are immutable.
func newRegistry(t *testing.T) name.Repository {
	t.Helper()
	tags := map[string]bool{}
	inner := fakeregistry.New(fakeregistry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "AWS" || password != "secret:word" {
			w.Header().Set("WWW-Authenticate", "Basic")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if _, tag, is := strings.Cut(r.URL.Path, "/manifests/"); is && r.Method == http.MethodPut {
			if tags[tag] {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			tags[tag] = true
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	repository, err := name.NewRepository(strings.TrimPrefix(server.URL, "http://")+"/shopstream/collector", name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	return repository
}

func TestPush(t *testing.T) {
	image, repository := newTestImage(t, "program"), newRegistry(t)
	auth, err := credentials(base64.StdEncoding.EncodeToString([]byte("AWS:secret:word")))
	if err != nil {
		t.Fatal(err)
	}
	t.Run("makes the image pullable by its digest, and again without harm", func(t *testing.T) {
		for range 2 {
			if err := push(t.Context(), image, repository, auth); err != nil {
				t.Fatal(err)
			}
		}
		pulled, err := remote.Image(repository.Digest(digestOf(t, image)), remote.WithAuth(auth))
		if err != nil {
			t.Fatal(err)
		}
		if got := files(t, pulled)["program"]; got == nil || !bytes.Equal(got.content, []byte("program")) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("tells a refusal", func(t *testing.T) {
		err := push(t.Context(), image, repository, authn.Anonymous)
		if err == nil || !strings.Contains(err.Error(), "look for the image in "+repository.String()) {
			t.Errorf("got %v", err)
		}
	})
}

func TestRegistryOf(t *testing.T) {
	for name, c := range map[string]struct{ stack, want, problem string }{
		"is the account's of the stack": {
			stack: `{"provider":{"aws":[{"alias":"replica","region":"eu-central-1","allowed_account_ids":["2"]},{"region":"eu-west-1","allowed_account_ids":["123456789012"]}]}}`,
			want:  "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
		},
		"is none of an emulated stack":    {stack: `{"provider":{"aws":[{"region":"eu-west-1","allowed_account_ids":["1"],"endpoints":[{}]}]}}`, problem: "is emulated"},
		"needs a stack":                   {problem: "is not synthesized; run make synth"},
		"needs a stack that has accounts": {stack: `{"provider":{"aws":[{"region":"eu-west-1"}]}}`, problem: "names no account"},
		"needs a whole stack":             {stack: `{`, problem: "decode "},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "cdk.tf.json")
			if c.stack != "" {
				if err := os.WriteFile(path, []byte(c.stack), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := registryOf(path, "prod")
			if c.problem == "" && (err != nil || got.host() != c.want) || c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}
