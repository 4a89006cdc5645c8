// Package emulator runs AWS on this machine: MiniStack, which moves data, and
// moto, which holds the other control planes, both with the behaviours of AWS
// that launcher/ restores; Terraform against them; and the collector as ECS
// would run it. docs/emulators.md says what that proves and what it doesn't.
package emulator

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/shopstream/shopstream/internal/process"
)

// AWS is an emulated AWS that runs.
type AWS struct {
	MiniStack string // URL
	Moto      string // URL
	Region    string
	secret    string // that visitor ids are made with
	group     *process.Group
	programs  []*process.Process
	plugins   string // folder in which Terraform keeps providers
}

// Options configures Start.
type Options struct {
	Root    string         // required; the project's folder
	Dir     string         // required; takes state and temporary files, emptied first
	Region  string         // required
	Account string         // required; 12 digits
	Group   *process.Group // required; runs the emulators
}

// Start starts both emulators and waits until they answer.
func Start(ctx context.Context, o Options) (*AWS, error) {
	python := filepath.Join(o.Root, ".venv", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		return nil, fmt.Errorf("emulated AWS is not installed (%w); run make setup", err)
	}
	if err := os.RemoveAll(o.Dir); err != nil {
		return nil, err
	}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	a := &AWS{
		MiniStack: fmt.Sprintf("http://127.0.0.1:%d", ports[0]),
		Moto:      fmt.Sprintf("http://127.0.0.1:%d", ports[1]),
		Region:    o.Region,
		secret:    rand.Text() + rand.Text(),
		group:     o.Group,
		plugins:   filepath.Join(o.Root, "build", "terraform-plugins"),
	}
	if err := os.MkdirAll(a.plugins, 0o755); err != nil {
		return nil, err
	}
	dirs := map[string]string{"HOME": "home", "TMPDIR": "tmp", "STATE_DIR": "state", "S3_DATA_DIR": "s3"}
	env := append(withoutAWS(),
		"GATEWAY_PORT="+strconv.Itoa(ports[0]), "BIND_HOST=127.0.0.1", "MINISTACK_HOST=127.0.0.1",
		"MINISTACK_ACCOUNT_ID="+o.Account, "MINISTACK_REGION="+o.Region,
		"AWS_DEFAULT_REGION="+o.Region, "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1",
	)
	for variable, name := range dirs {
		dir := filepath.Join(o.Dir, name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		env = append(env, variable+"="+dir)
	}
	launcher := func(name string) string {
		return filepath.Join(o.Root, "internal", "emulator", "launcher", name+"_launcher.py")
	}
	for _, program := range []struct {
		name, health string
		args         []string
	}{
		{"ministack", a.MiniStack + "/_ministack/health", []string{python, launcher("ministack")}},
		{"moto", a.Moto + "/moto-api/", []string{python, launcher("moto"), "--port", strconv.Itoa(ports[1])}},
	} {
		p, err := o.Group.Start(process.Command{Name: program.name, Args: program.args, Env: env})
		if err != nil {
			return nil, err
		}
		if err := answers(ctx, p, program.health); err != nil {
			return nil, err
		}
		a.programs = append(a.programs, p)
	}
	return a, nil
}

// withoutAWS is this program's environment without what leads to the user's own
// account.
func withoutAWS() []string {
	return slices.DeleteFunc(os.Environ(), func(variable string) bool { return strings.HasPrefix(variable, "AWS_") })
}

// environment makes AWS's SDKs use an emulator.
func (a *AWS) environment(endpoint string) []string {
	return append(withoutAWS(),
		"AWS_ACCESS_KEY_ID=emulated", "AWS_SECRET_ACCESS_KEY=emulated", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
		"AWS_REGION="+a.Region, "AWS_ENDPOINT_URL="+endpoint)
}

// Config makes the SDK in this program use MiniStack.
func (a *AWS) Config() aws.Config {
	return aws.Config{
		Region:       a.Region,
		Credentials:  credentials.NewStaticCredentialsProvider("emulated", "emulated", ""),
		BaseEndpoint: &a.MiniStack,
	}
}

// Programs are the emulators' processes.
func (a *AWS) Programs() []*process.Process { return a.programs }

// Terraform runs terraform in a stack's folder against the emulators. What it
// prints goes to the log of the command's name.
func (a *AWS) Terraform(ctx context.Context, stackDir string, args ...string) error {
	return a.group.Run(ctx, process.Command{
		Name: "terraform-" + args[0],
		Args: append([]string{"terraform", "-chdir=" + stackDir}, args...),
		Env:  a.terraformEnvironment(),
	})
}

func (a *AWS) terraformEnvironment() []string {
	env := append(a.environment(a.Moto), "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "TF_INPUT=0",
		"TF_VAR_ministack_endpoint="+a.MiniStack, "TF_VAR_moto_endpoint="+a.Moto,
		"TF_VAR_collector_image=collector@local", // runs as a process: no image is pulled
		"TF_VAR_visitor_secret="+a.secret)
	if os.Getenv("TF_CLI_CONFIG_FILE") == "" && os.Getenv("TF_PLUGIN_CACHE_DIR") == "" {
		// The provider has 700 MB: it is downloaded once, not with each run.
		env = append(env, "TF_PLUGIN_CACHE_DIR="+a.plugins, "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE=true")
	}
	return env
}

// Outputs are a deployed stack's outputs.
type Outputs struct {
	GatewayStream           string `json:"gateway_stream"`
	EventsStream            string `json:"events_stream"`
	RawBucket               string `json:"raw_bucket"`
	QuarantineBucket        string `json:"quarantine_bucket"`
	LedgerBucket            string `json:"ledger_bucket"`
	FailedBucket            string `json:"failed_bucket"`
	FailureQueue            string `json:"failure_queue"`
	RegistryTable           string `json:"registry_table"`
	CollectorTaskDefinition string `json:"collector_task_definition"`
}

// Deploy initialises and applies a stack and returns its outputs.
func (a *AWS) Deploy(ctx context.Context, stackDir string) (Outputs, error) {
	var o Outputs
	if err := a.Terraform(ctx, stackDir, "init", "-no-color", "-input=false"); err != nil {
		return o, err
	}
	if err := a.Terraform(ctx, stackDir, "apply", "-no-color", "-input=false", "-auto-approve", "-parallelism=30"); err != nil {
		return o, err
	}
	cmd := exec.CommandContext(ctx, "terraform", "-chdir="+stackDir, "output", "-json")
	cmd.Env = a.terraformEnvironment()
	b, err := cmd.Output()
	if err != nil {
		return o, fmt.Errorf("terraform output: %w", err)
	}
	var raw map[string]struct{ Value json.RawMessage }
	if err := json.Unmarshal(b, &raw); err != nil {
		return o, fmt.Errorf("decode terraform's output: %w", err)
	}
	values := map[string]json.RawMessage{}
	for name, output := range raw {
		values[name] = output.Value
	}
	b, err = json.Marshal(values)
	if err != nil {
		return o, err
	}
	return o, json.Unmarshal(b, &o)
}

// Destroy destroys a stack.
func (a *AWS) Destroy(ctx context.Context, stackDir string) error {
	return a.Terraform(ctx, stackDir, "destroy", "-no-color", "-input=false", "-auto-approve", "-parallelism=30")
}

// RunCollector runs the collector as ECS would: with the environment of its
// task definition. It listens on listen instead of on the container's port, and
// for Prometheus on any.
func (a *AWS) RunCollector(ctx context.Context, binary, taskDefinition, listen string) (*process.Process, string, error) {
	cfg := a.Config()
	cfg.BaseEndpoint = &a.Moto
	out, err := ecs.NewFromConfig(cfg).DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &taskDefinition})
	if err != nil {
		return nil, "", fmt.Errorf("describe the collector's task definition: %w", err)
	}
	if n := len(out.TaskDefinition.ContainerDefinitions); n != 1 {
		return nil, "", fmt.Errorf("the collector's task definition has %d containers, want 1", n)
	}
	env := append(a.environment(a.MiniStack), "AWS_ENDPOINT_URL_ECS="+a.Moto)
	for _, variable := range out.TaskDefinition.ContainerDefinitions[0].Environment {
		env = append(env, *variable.Name+"="+*variable.Value)
	}
	address, err := Reserve(listen)
	if err != nil {
		return nil, "", err
	}
	p, err := a.group.Start(process.Command{Name: "collector", Args: []string{binary}, Env: append(env, "LISTEN="+address, "METRICS_LISTEN=127.0.0.1:0")})
	if err != nil {
		return nil, "", err
	}
	url := "http://" + address
	return p, url, answers(ctx, p, url+"/readyz")
}

// Reserve checks that listen is free, and chooses a port where its port is 0.
func Reserve(listen string) (string, error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return "", fmt.Errorf("the collector cannot listen on %s (%w); choose another with --listen", listen, err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// freePorts returns ports of the loopback interface that nobody listens on.
func freePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // when all are chosen: they differ
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

// answers waits until a GET of url succeeds.
func answers(ctx context.Context, p *process.Process, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-p.Done():
			return errors.Join(p.Err(), fmt.Errorf("%s ended before it answered", p.Name))
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer at %s (%w); see %s", p.Name, url, ctx.Err(), p.Log)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Created counts what a running terraform apply has created, for progress.
func Created(log string) int {
	b, err := os.ReadFile(log)
	if err != nil {
		return 0
	}
	return strings.Count(string(b), ": Creation complete after")
}
