// Package ledger proves that nothing was lost: it counts what lies in the
// buckets and balances it against the receipts of what was accepted. No number
// in it comes from a sender or from a counter.
package ledger

import (
	"bytes"
	"compress/gzip"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"
)

// Ledger balances: accepted = delivered + quarantined + duplicates + residue.
// Unreceipted events, of which there must be none, stand on the left too.
type Ledger struct {
	Accepted    int64 `json:"accepted"`    // events in frames, those of missing frames included
	Delivered   int64 `json:"delivered"`   // distinct events in the lake
	Quarantined int64 `json:"quarantined"` // distinct events in the quarantine
	Duplicates  int64 `json:"duplicates"`  // accepted more than once, stored under one id
	Residue     int64 `json:"residue"`     // accepted and nowhere: lost
	FrameGaps   int64 `json:"frame_gaps"`  // frames that are missing in a sequence
	Unreceipted int64 `json:"unreceipted"` // stored events whose frame has no receipt
}

// Err says what does not balance.
func (l Ledger) Err() error {
	var faults []string
	if l.Residue != 0 {
		faults = append(faults, fmt.Sprintf("residue is %d, want 0: accepted events that are neither in the lake nor in the quarantine", l.Residue))
	}
	if l.FrameGaps != 0 {
		faults = append(faults, fmt.Sprintf("%d frames are missing in their sequences", l.FrameGaps))
	}
	if l.Unreceipted != 0 {
		faults = append(faults, fmt.Sprintf("%d stored events have no receipt of their frame", l.Unreceipted))
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("the ledger does not balance: %s", strings.Join(faults, "; "))
}

// Statement is the ledger with what lies behind it.
type Statement struct {
	Ledger Ledger `json:"ledger"`
	Hops   struct {
		Frames            int64 `json:"frames"`
		FrameEvents       int64 `json:"frame_events"`
		Packs             int64 `json:"packs"`
		RawObjects        int64 `json:"raw_objects"`
		RawEvents         int64 `json:"raw_events"`
		QuarantineObjects int64 `json:"quarantine_objects"`
		QuarantineEvents  int64 `json:"quarantine_events"`
	} `json:"hops"`
	FailedRecords int64         `json:"failed_records"` // objects in the failed bucket
	Types         []TypeCount   `json:"types"`
	Reasons       []ReasonCount `json:"reasons"`
	Funnel        []FunnelStep  `json:"funnel"`
	Minutes       []MinuteCount `json:"minutes"`
	Shops         []ShopCount   `json:"shops"`
}

// TypeCount counts the events of a type.
type TypeCount struct {
	Type   string `json:"type"`
	Events int64  `json:"events"`
}

// ReasonCount counts quarantined events by the rule that they break.
type ReasonCount struct {
	Reason  string `json:"reason"`
	Pointer string `json:"pointer"`
	Events  int64  `json:"events"`
}

// FunnelStep counts the sessions that came so far.
type FunnelStep struct {
	Step     string `json:"step"`
	Sessions int64  `json:"sessions"`
}

// MinuteCount counts the events of a minute.
type MinuteCount struct {
	Minute string `json:"minute"`
	Events int64  `json:"events"`
}

// ShopCount sums up a shop.
type ShopCount struct {
	Shop      string  `json:"shop"`
	Events    int64   `json:"events"`
	Visitors  int64   `json:"visitors"`
	Purchases int64   `json:"purchases"`
	Revenue   float64 `json:"revenue"`
	Currency  string  `json:"currency"`
}

// Reader reads the buckets of one deployment.
type Reader struct {
	S3         *s3.Client
	DuckDB     string // path of DuckDB's command line
	Dir        string // takes copies of the objects
	Raw        string // bucket
	Quarantine string // bucket
	Ledger     string // bucket
	Failed     string // bucket
}

// NewS3 returns a client for a Reader.
func NewS3(cfg aws.Config) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = cfg.BaseEndpoint != nil })
}

//go:embed ledger.sql
var query string

// Read copies what has changed in the buckets and queries the copies.
func (r Reader) Read(ctx context.Context) (Statement, error) {
	var s Statement
	for _, from := range []struct{ name, bucket, prefix string }{
		{"raw", r.Raw, "events/"}, {"quarantine", r.Quarantine, "events/"},
		{"ledger", r.Ledger, "receipts/"}, // last: receipts are written before events, so that none seems to lack its own
	} {
		if err := r.copy(ctx, from.bucket, from.prefix, filepath.Join(r.Dir, from.name)); err != nil {
			return s, err
		}
	}
	duckDB, err := filepath.Abs(r.DuckDB)
	if err != nil {
		return s, err
	}
	cmd := exec.CommandContext(ctx, duckDB, "-noheader", "-list", "-init", os.DevNull, ":memory:")
	cmd.Dir = r.Dir // the query's names are relative: nothing in Dir's own is a pattern
	cmd.Stdin = strings.NewReader("SET autoinstall_known_extensions = false;\n" + query)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return s, fmt.Errorf("query the ledger: %w: %s", err, strings.TrimSpace(problems.String()))
	}
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		return s, fmt.Errorf("decode the ledger's query: %w: %s %s", err, out.Bytes(), problems.Bytes())
	}
	failed, err := r.list(ctx, r.Failed, "")
	s.FailedRecords = int64(len(failed))
	return s, err
}

// copy makes dir hold exactly the objects under prefix.
func (r Reader) copy(ctx context.Context, bucket, prefix, dir string) error {
	keys, err := r.list(ctx, bucket, prefix)
	if err != nil {
		return err
	}
	if err := writeEmpty(filepath.Join(dir, "empty.gz")); err != nil { // DuckDB refuses to read no file at all
		return err
	}
	wanted := map[string]string{filepath.Join(dir, "empty.gz"): ""} // keys by path
	for _, key := range keys {
		if !fs.ValidPath(key) {
			return fmt.Errorf("object s3://%s/%s has a name that is no file's below its bucket", bucket, key)
		}
		wanted[filepath.Join(dir, strings.TrimSuffix(filepath.FromSlash(key), ".gz")+".gz")] = key
	}
	downloads, downloading := errgroup.WithContext(ctx)
	downloads.SetLimit(8)
	for path, key := range wanted {
		if _, err := os.Stat(path); err == nil {
			continue // objects never change
		}
		downloads.Go(func() error { return r.download(downloading, bucket, key, path) })
	}
	if err := downloads.Wait(); err != nil {
		return err
	}
	return filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if _, ok := wanted[path]; err != nil || entry.IsDir() || ok {
			return err
		}
		return os.Remove(path) // its object is gone
	})
}

func (r Reader) list(ctx context.Context, bucket, prefix string) ([]string, error) {
	var keys []string
	pages := s3.NewListObjectsV2Paginator(r.S3, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list s3://%s/%s: %w", bucket, prefix, err)
		}
		for _, object := range page.Contents {
			keys = append(keys, *object.Key)
		}
	}
	return keys, nil
}

func (r Reader) download(ctx context.Context, bucket, key, path string) error {
	object, err := r.S3.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return fmt.Errorf("get s3://%s/%s: %w", bucket, key, err)
	}
	defer object.Body.Close()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "download-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // where it was not renamed
	if _, err := f.ReadFrom(object.Body); err != nil {
		f.Close()
		return fmt.Errorf("get s3://%s/%s: %w", bucket, key, err)
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func writeEmpty(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	var b bytes.Buffer
	if err := gzip.NewWriter(&b).Close(); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o600)
}
