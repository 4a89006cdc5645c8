package local

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	apitypes "github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/shopstream/shopstream/internal/emulator"
	"github.com/shopstream/shopstream/internal/process"
)

const (
	emulatedAccount = "123456789012" // moto's
	stateBucket     = "shopstream-state-" + emulatedAccount + "-eu-west-1"
	repository      = "shopstream/collector"
)

// ready is an account on moto that has all that dev needs, and a front before
// it that answers for Service Quotas, of which moto knows those of VPCs alone.
type ready struct {
	root, dir string
	url       string            // the front's
	image     string            // the collector's, by digest
	settings  map[string]string // TF_VAR_…
	s3        *s3.Client
	ecr       *ecr.Client
	api       *apigateway.Client

	mu     sync.Mutex
	quotas map[string]float64 // by code; one that isn't there has AWS's default, 100,000, and one under 0 is refused
	token  int                // the status by which STS refuses credentials; 0 is none
	asked  map[string]bool    // operations
}

func newReady(t *testing.T) *ready {
	t.Helper()
	r := &ready{root: built(t), dir: t.TempDir(), settings: map[string]string{}, quotas: map[string]float64{}, asked: map[string]bool{}}
	group, err := process.NewGroup(filepath.Join(r.dir, "run"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(group.Stop)
	emulated, err := emulator.Start(t.Context(), emulator.Options{
		Root: r.root, Dir: filepath.Join(r.dir, "emulator"), Region: "eu-west-1", Account: emulatedAccount, Group: group,
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := emulated.Config()
	cfg.BaseEndpoint = &emulated.Moto
	r.s3 = s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	r.ecr, r.api = ecr.NewFromConfig(cfg), apigateway.NewFromConfig(cfg)
	r.bucket(t)
	r.repository(t)
	r.logRole(t, "arn:aws:iam::"+emulatedAccount+":role/shopstream-account-gateway-logs")
	moto, err := url.Parse(emulated.Moto)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(r.front(httputil.NewSingleHostReverseProxy(moto)))
	t.Cleanup(front.Close)
	r.url = front.URL
	for _, name := range []string{"dev", "bootstrap-dev", "account-dev"} {
		r.stack(t, name, emulatedAccount)
	}
	r.settings["collector_image"] = r.image
	return r
}

// front answers for Service Quotas, passes all else on and notes what is asked.
func (r *ready) front(moto http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		_, operation, _ := strings.Cut(q.Header.Get("X-Amz-Target"), ".")
		r.mu.Lock()
		defer r.mu.Unlock()
		if operation == "" && q.Method == http.MethodPost {
			body, err := io.ReadAll(q.Body)
			if err != nil {
				panic(http.ErrAbortHandler)
			}
			form, _ := url.ParseQuery(string(body)) // without an action it is told as it is
			operation = form.Get("Action")
			q.Body = io.NopCloser(strings.NewReader(string(body)))
		}
		r.asked[q.Method+" "+operation] = true
		if operation == "GetCallerIdentity" && r.token > 0 {
			w.WriteHeader(r.token)
			fmt.Fprint(w, "<ErrorResponse><Error><Code>Refused</Code><Message>no</Message></Error></ErrorResponse>")
			return
		}
		if !strings.HasPrefix(q.Header.Get("X-Amz-Target"), "ServiceQuotas") {
			moto.ServeHTTP(w, q)
			return
		}
		var request struct{ QuotaCode string }
		if err := json.NewDecoder(q.Body).Decode(&request); err != nil {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		value, raised := r.quotas[request.QuotaCode]
		switch {
		case operation == "GetServiceQuota" && !raised:
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"__type": "NoSuchResourceException"}`)
			return
		case value < 0:
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"__type": "AccessDeniedException", "Message": "no"}`)
			return
		case !raised:
			value = 100_000
		}
		fmt.Fprintf(w, `{"Quota": {"Value": %v}}`, value)
	})
}

// stack puts a golden file of dev's account where the program writes stacks,
// in another account, and sets its settings.
func (r *ready) stack(t *testing.T, name, account string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(r.root, "test", "testdata", "golden", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(r.dir, "cdktf.out", "stacks", name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "cdk.tf.json"), strings.ReplaceAll(string(b), "111122223333", account))
	var stack struct{ Variable map[string]any }
	if err := json.Unmarshal(b, &stack); err != nil {
		t.Fatal(err)
	}
	for name := range stack.Variable {
		if r.settings[name] == "" {
			r.settings[name] = "set"
		}
	}
}

func (r *ready) bucket(t *testing.T) {
	t.Helper()
	_, err := r.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(stateBucket), CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}})
	if err != nil {
		t.Fatal(err)
	}
	r.versions(t, s3types.BucketVersioningStatusEnabled)
	r.encryption(t, s3types.ServerSideEncryptionAwsKms)
}

func (r *ready) versions(t *testing.T, status s3types.BucketVersioningStatus) {
	t.Helper()
	_, err := r.s3.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: aws.String(stateBucket), VersioningConfiguration: &s3types.VersioningConfiguration{Status: status},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (r *ready) encryption(t *testing.T, by s3types.ServerSideEncryption) {
	t.Helper()
	_, err := r.s3.PutBucketEncryption(t.Context(), &s3.PutBucketEncryptionInput{
		Bucket: aws.String(stateBucket),
		ServerSideEncryptionConfiguration: &s3types.ServerSideEncryptionConfiguration{Rules: []s3types.ServerSideEncryptionRule{
			{ApplyServerSideEncryptionByDefault: &s3types.ServerSideEncryptionByDefault{SSEAlgorithm: by}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (r *ready) repository(t *testing.T) {
	t.Helper()
	if _, err := r.ecr.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String(repository)}); err != nil {
		t.Fatal(err)
	}
	put, err := r.ecr.PutImage(t.Context(), &ecr.PutImageInput{RepositoryName: aws.String(repository), ImageTag: aws.String("one"), ImageManifest: aws.String(
		`{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 2, "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}, "layers": []}`)})
	if err != nil {
		t.Fatal(err)
	}
	r.image = emulatedAccount + ".dkr.ecr.eu-west-1.amazonaws.com/" + repository + "@" + *put.Image.ImageId.ImageDigest
}

func (r *ready) logRole(t *testing.T, arn string) {
	t.Helper()
	_, err := r.api.UpdateAccount(t.Context(), &apigateway.UpdateAccountInput{
		PatchOperations: []apitypes.PatchOperation{{Op: apitypes.OpReplace, Path: aws.String("/cloudwatchRoleArn"), Value: &arn}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

var signedIn = []string{"AWS_ACCESS_KEY_ID=emulated", "AWS_SECRET_ACCESS_KEY=emulated"}

// doctor runs it with an environment of its own and returns its rows by what
// they are about, each with its sign.
func (r *ready) doctor(t *testing.T, stack string, credentials []string) (rows map[string]string, ok bool) {
	t.Helper()
	cmd := exec.Command(filepath.Join(r.root, "build", "shopstream"), "doctor", "--env", stack)
	cmd.Env = append([]string{
		"HOME=" + r.dir, "SHOPSTREAM_ROOT=" + r.dir, "AWS_ENDPOINT_URL=" + r.url, "AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=1",
	}, credentials...)
	for name, value := range r.settings {
		cmd.Env = append(cmd.Env, "TF_VAR_"+name+"="+value)
	}
	out, err := cmd.Output()
	rows = map[string]string{}
	for line := range strings.Lines(string(out)) {
		columns := regexp.MustCompile(` {2,}`).Split(strings.TrimSpace(line), 3)
		if len(columns) != 3 {
			t.Fatalf("got the line %q", line)
		}
		rows[columns[1]] = columns[0] + " " + columns[2]
	}
	return rows, err == nil
}

// signed are the rows of a sign.
func signed(rows map[string]string, sign string) (names []string) {
	for name, row := range rows {
		if strings.HasPrefix(row, sign) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
