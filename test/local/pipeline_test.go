package local

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/shopstream/shopstream/internal/emulator"
	"github.com/shopstream/shopstream/internal/ledger"
)

// deployment is a demo that was kept.
type deployment struct {
	root, dir string
	Collector string
	MiniStack string
	Moto      string
	Region    string
	Outputs   emulator.Outputs
}

func (d deployment) config() aws.Config {
	return aws.Config{Region: d.Region, BaseEndpoint: &d.MiniStack, Credentials: credentials.NewStaticCredentialsProvider("emulated", "emulated", "")}
}

// shopstream runs the operator's tool in the kept demo's folder.
func (d deployment) shopstream(args ...string) (string, error) {
	cmd := exec.Command(filepath.Join(d.root, "build", "shopstream"), args...)
	cmd.Dir = d.root
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// statement asks the ledger, whatever it says.
func (d deployment) statement(t *testing.T) (s ledger.Statement) {
	t.Helper()
	cmd := exec.Command(filepath.Join(d.root, "build", "shopstream"), "ledger", "--json", "--dir", d.dir)
	cmd.Dir = d.root
	out, _ := cmd.Output() // it fails where the ledger does not balance
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatalf("decode %q: %v", out, err)
	}
	return s
}

// await asks the ledger until ok holds, and returns its last answer.
func (d deployment) await(t *testing.T, what string, ok func(ledger.Statement) bool) ledger.Statement {
	t.Helper()
	var s ledger.Statement
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(300 * time.Millisecond) {
		if s = d.statement(t); ok(s) {
			return s
		}
	}
	t.Fatalf("not within 60 s: %s; the last statement is %+v", what, s)
	return s
}

func balancedAt(accepted int64) func(ledger.Statement) bool {
	return func(s ledger.Statement) bool { return s.Ledger.Accepted >= accepted && s.Ledger.Err() == nil }
}

// post sends a body to the collector and returns the answer.
func (d deployment) post(t *testing.T, body string) (int, string) {
	t.Helper()
	response, err := http.Post(d.Collector+"/v1/events", "text/plain", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

func (d deployment) objects(t *testing.T, bucket string) []string {
	t.Helper()
	client := ledger.NewS3(d.config())
	page, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket})
	if err != nil {
		t.Fatal(err)
	}
	keys := make([]string, len(page.Contents))
	for i, object := range page.Contents {
		keys[i] = *object.Key
	}
	return keys
}

// TestPipeline takes a real shop's log through the deployed pipeline; its
// parts build on one another.
func TestPipeline(t *testing.T) {
	root := built(t)
	log := filepath.Join(root, "..", "shared", "data", "rees46", "2019-Oct.csv")
	if _, err := os.Stat(log); err != nil {
		lacking(t, "the log is not there: %v", err)
	}
	t.Parallel()
	r := startDemo(t, "--keep", "--events", log)
	if status := r.end(t); status != 0 {
		t.Fatalf("got exit status %d\n%s", status, r.out.String())
	}
	d := deployment{root: root, dir: r.dir}
	readJSON(t, filepath.Join(r.dir, "endpoints.json"), &d)

	t.Run("accounts for every row of a real log", func(t *testing.T) {
		var got ledger.Ledger
		readJSON(t, filepath.Join(r.dir, "ledger.json"), &got)
		if got.Accepted != 17_434 || got.Duplicates != 5 || got.Delivered+got.Quarantined != 17_429 || got.Residue != 0 || got.Err() != nil {
			t.Errorf("got %+v, want 17,434 accepted, 5 duplicates, 17,429 delivered or quarantined, residue 0", got)
		}
		if got.Quarantined != 19 {
			t.Errorf("got %d quarantined, want the 19 rows with a price of zero or less", got.Quarantined)
		}
		if !strings.Contains(r.out.String(), "line 17436 has 8 of 9 columns") {
			t.Errorf("the cut-off row is not told:\n%s", r.out.String())
		}
	})
	t.Run("writes a report that stands alone", func(t *testing.T) {
		page, err := os.ReadFile(filepath.Join(r.dir, "report.html"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(page, []byte("17,434")) || !bytes.Contains(page, []byte("<svg")) || bytes.Contains(page, []byte("<script src")) {
			t.Error("want the number of events, charts, and nothing from elsewhere")
		}
	})
	t.Run("delivers gzip objects by date and hour of arrival", func(t *testing.T) {
		keys := d.objects(t, d.Outputs.RawBucket)
		if len(keys) == 0 {
			t.Fatal("got no objects")
		}
		want := time.Now().UTC().Format("events/arrival_date=2006-01-02/arrival_hour=")
		for _, key := range keys {
			if !strings.HasPrefix(key, want) {
				t.Errorf("got %s, want it under %s", key, want)
			}
		}
	})
	t.Run("answers 400 to a malformed batch and stores nothing", func(t *testing.T) {
		before := d.statement(t).Ledger
		for body, pointer := range map[string]string{
			`{"v":1,"shop":"pk_rees46","sent_at":"yesterday","batch_id":"2f5c1f6e-54a4-4c0f-8b4e-0a3a5a1f1c11","seq":0,"events":[{}]}`: "/sent_at",
			`{"v":1,"shop":"pk_rees46","sent_at":"2019-10-01T00:00:00Z","batch_id":"1","seq":0,"events":[{}]}`:                         "/batch_id",
			`{"v":1,"shop":"pk_rees46",`: "",
		} {
			status, answer := d.post(t, body)
			var refusal struct {
				Error struct{ Code, Pointer string }
			}
			if err := json.Unmarshal([]byte(answer), &refusal); err != nil {
				t.Fatalf("decode %q: %v", answer, err)
			}
			if status != http.StatusBadRequest || refusal.Error.Pointer != pointer || !strings.HasPrefix(refusal.Error.Code, "malformed_") {
				t.Errorf("got %d %s, want 400 and pointer %q", status, answer, pointer)
			}
		}
		time.Sleep(2 * time.Second) // longer than the way to S3 takes here
		if after := d.statement(t).Ledger; after != before {
			t.Errorf("got %+v, want %+v as before", after, before)
		}
	})
	t.Run("answers 401 to an unknown shop", func(t *testing.T) {
		status, answer := d.post(t, `{"v":1,"shop":"pk_nobody","sent_at":"2019-10-01T00:00:00Z","batch_id":"2f5c1f6e-54a4-4c0f-8b4e-0a3a5a1f1c11","seq":0,"events":[{}]}`)
		if status != http.StatusUnauthorized || !strings.Contains(answer, `"unknown_shop"`) {
			t.Errorf("got %d %s", status, answer)
		}
	})
	t.Run("takes a poison record whole to failed/ and goes on", func(t *testing.T) {
		before := d.statement(t)
		client := kinesis.NewFromConfig(d.config())
		for _, key := range []string{"000", "128", "255"} { // every shard has one
			if _, err := client.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: &d.Outputs.GatewayStream, Data: []byte("poison"), PartitionKey: &key}); err != nil {
				t.Fatal(err)
			}
		}
		accepted := before.Ledger.Accepted + int64(d.simulate(t, "--sessions", "50", "--seed", "2").Acknowledged)
		after := d.await(t, "the events behind the poison are delivered and 3 records failed", func(s ledger.Statement) bool {
			return s.FailedRecords == 3 && balancedAt(accepted)(s)
		})
		if after.Ledger.Delivered <= before.Ledger.Delivered {
			t.Errorf("got %d delivered, want more than %d", after.Ledger.Delivered, before.Ledger.Delivered)
		}
		object, err := ledger.NewS3(d.config()).GetObject(t.Context(), &s3.GetObjectInput{Bucket: &d.Outputs.FailedBucket, Key: &d.objects(t, d.Outputs.FailedBucket)[0]})
		if err != nil {
			t.Fatal(err)
		}
		defer object.Body.Close()
		record, err := io.ReadAll(object.Body)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(record, []byte("cG9pc29u")) { // "poison" in base64
			t.Errorf("got %s, want the whole record", record)
		}
	})
	operate(t, d)
	t.Run("finds once, and in order, what browsers tell", func(t *testing.T) { browse(t, d) })
	t.Run("plans no change after it was applied", func(t *testing.T) {
		cmd := exec.Command("terraform", "-chdir="+filepath.Join(d.dir, "run", "cdktf.out", "stacks", "local"), "plan", "-detailed-exitcode", "-no-color", "-input=false", "-lock=false")
		cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+d.Moto, "AWS_ACCESS_KEY_ID=emulated", "AWS_SECRET_ACCESS_KEY=emulated", "CHECKPOINT_DISABLE=1",
			"TF_VAR_ministack_endpoint="+d.MiniStack, "TF_VAR_moto_endpoint="+d.Moto, "TF_VAR_collector_image=collector@local", "TF_VAR_visitor_secret=unused")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("loses nothing when the collector is stopped under load", func(t *testing.T) {
		before := d.statement(t).Ledger.Accepted
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		stopped := make(chan error, 1)
		go func() {
			select {
			case <-time.After(1500 * time.Millisecond):
			case <-ctx.Done():
			}
			stopped <- syscall.Kill(r.program(t, "collector"), syscall.SIGTERM)
		}()
		sent := d.simulate(t, "--sessions", "100000", "--seed", "3")
		if err := <-stopped; err != nil {
			t.Fatal(err)
		}
		if sent.Acknowledged == 0 {
			t.Fatal("nothing was acknowledged before the stop")
		}
		after := d.await(t, "all that was acknowledged is stored", balancedAt(before+int64(sent.Acknowledged)))
		t.Logf("%d acknowledged, %d accepted", sent.Acknowledged, after.Ledger.Accepted-before)
	})
	t.Run("shows a residue when an object is deleted", func(t *testing.T) {
		key := d.unique(t)
		if _, err := ledger.NewS3(d.config()).DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &d.Outputs.RawBucket, Key: &key}); err != nil {
			t.Fatal(err)
		}
		out, err := d.shopstream("ledger", "--dir", d.dir)
		if err == nil || !strings.Contains(out, "the ledger does not balance: residue is ") {
			t.Errorf("got %v and\n%s\nwant a residue and a failure", err, out)
		}
	})
	t.Run("leaves nothing when it is stopped", func(t *testing.T) {
		if out, err := d.shopstream("demo", "stop", "--dir", d.dir); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		r.wantNothingLeft(t)
	})
}

// sent is what shopstream simulate prints.
type sent struct{ Acknowledged int }

// simulate sends simulated shoppers, until the collector ends if it does.
func (d deployment) simulate(t *testing.T, args ...string) (s sent) {
	t.Helper()
	cmd := exec.Command(filepath.Join(d.root, "build", "shopstream"), append([]string{"simulate", "--collector", d.Collector}, args...)...)
	cmd.Dir = d.root
	out, err := cmd.Output()
	if len(out) == 0 {
		t.Fatal(fmt.Errorf("simulate printed nothing: %w", err))
	}
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatalf("decode %q: %v", out, err)
	}
	return s
}
