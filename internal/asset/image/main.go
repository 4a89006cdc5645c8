// Command image builds the collector's container image without Docker: into an
// OCI layout under build/images, and with -env into the registry of that
// environment's account. The same source gives the same digest, wherever and
// whenever it is built.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/shopstream/shopstream/internal/asset"
)

// The collector runs on Graviton.
const (
	programName  = "collector"
	programPath  = "./constructs/ingest/collector"
	architecture = "arm64"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	env := flag.String("env", "", "environment whose account takes the image, such as prod; synthesized before")
	repository := flag.String("repository", "shopstream/collector", "ECR repository in that account, which the bootstrap stack made")
	flag.Parse()
	if err := run(ctx, *env, *repository, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, env, repository string, out io.Writer) error {
	root, err := asset.Root()
	if err != nil {
		return err
	}
	var target registry
	if env != "" { // before the build, which is the longer part
		if target, err = registryOf(filepath.Join(root, "cdktf.out", "stacks", env, "cdk.tf.json"), env); err != nil {
			return err
		}
	}
	image, err := build(ctx, root, architecture)
	if err != nil {
		return err
	}
	dir := filepath.Join(root, "build", "images", programName)
	if err := write(image, dir); err != nil {
		return err
	}
	digest, err := image.Digest()
	if err != nil {
		return err
	}
	if env == "" {
		_, err = fmt.Fprintf(out, "%s in %s\n", digest, dir)
		return err
	}
	to, err := name.NewRepository(target.host() + "/" + repository)
	if err != nil {
		return err
	}
	auth, err := target.authenticate(ctx)
	if err != nil {
		return err
	}
	if err := push(ctx, image, to, auth); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "TF_VAR_collector_image=%s\n", to.Digest(digest.String()))
	return err
}

// build compiles the collector and returns its image.
func build(ctx context.Context, root, architecture string) (v1.Image, error) {
	dir, err := os.MkdirTemp("", "image-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, programName)
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid=", "-o", binary, programPath)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+architecture)
	if output, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build %s for linux/%s: %w\n%s", programPath, architecture, err, output)
	}
	program, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	return newImage(programName, program, architecture)
}

// registryOf reads an environment's account and region from its stack.
func registryOf(stackFile, env string) (r registry, err error) {
	b, err := os.ReadFile(stackFile)
	if errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("environment %q is not synthesized; run make synth, or take one of those in cdktf.out/stacks", env)
	} else if err != nil {
		return r, err
	}
	type awsProvider struct {
		Alias, Region string
		Accounts      []string `json:"allowed_account_ids"`
		Endpoints     []any
	}
	var stack struct {
		Provider struct{ AWS []awsProvider }
	}
	if err := json.Unmarshal(b, &stack); err != nil {
		return r, fmt.Errorf("decode %s: %w", stackFile, err)
	}
	at := slices.IndexFunc(stack.Provider.AWS, func(p awsProvider) bool { return p.Alias == "" })
	if at < 0 || len(stack.Provider.AWS[at].Accounts) != 1 {
		return r, fmt.Errorf("environment %q names no account; synthesize it again", env)
	}
	main := stack.Provider.AWS[at]
	if len(main.Endpoints) > 0 {
		return r, fmt.Errorf("environment %q is emulated and takes no images; build without -env", env)
	}
	return registry{account: main.Accounts[0], region: main.Region}, nil
}
