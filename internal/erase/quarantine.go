package erase

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sync/errgroup"

	"github.com/shopstream/shopstream/constructs/event"
)

// quarantine takes the visitor's records apart: what tells of the visitor goes,
// the place in the frame stays, so that the ledger still finds every event that
// was accepted. It looks at each version of each object, so that one that was
// broken off is completed when it is run again.
func (e Eraser) quarantine(ctx context.Context, t Tombstone, dryRun bool) (Store, error) {
	bucket := e.Stores.Quarantine
	store := Store{Name: bucket, Holds: "rejected events", EndsAt: &t.ErasedAt, By: "records emptied, older versions deleted"}
	var erased atomic.Int64
	prefix := eventsPrefix
	work, working := errgroup.WithContext(ctx)
	work.SetLimit(8)
	pages := s3.NewListObjectVersionsPaginator(e.S3, &s3.ListObjectVersionsInput{Bucket: &bucket, Prefix: &prefix})
	for pages.HasMorePages() && working.Err() == nil {
		page, err := pages.NextPage(working)
		if err != nil {
			_ = work.Wait() // its error is the same
			return store, fmt.Errorf("list versions of s3://%s/%s: %w", bucket, prefix, err)
		}
		for _, version := range page.Versions {
			work.Go(func() error {
				n, err := e.emptyVersion(working, t, *version.Key, *version.VersionId, version.IsLatest != nil && *version.IsLatest, dryRun)
				if err != nil {
					return fmt.Errorf("erase from s3://%s/%s: %w", bucket, *version.Key, err)
				}
				erased.Add(int64(n))
				return nil
			})
		}
	}
	err := work.Wait()
	store.Erased = int(erased.Load())
	return store, err
}

// emptyVersion deletes one version of an object that tells of the visitor;
// where it is the latest, one that doesn't takes its place first. It returns
// the number of the latest's records that told of the visitor.
func (e Eraser) emptyVersion(ctx context.Context, t Tombstone, key, version string, latest, dryRun bool) (int, error) {
	bucket := &e.Stores.Quarantine
	object, err := e.S3.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: &key, VersionId: &version})
	if err != nil {
		return 0, err
	}
	defer object.Body.Close()
	body, n, err := empty(object.Body, t)
	if err != nil || n == 0 {
		return 0, err
	}
	if !latest {
		n = 0 // its records were counted with a later version
	}
	if dryRun {
		return n, nil
	}
	if latest {
		if _, err := e.S3.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: bytes.NewReader(body)}); err != nil {
			return 0, err
		}
	}
	_, err = e.S3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: &key, VersionId: &version})
	return n, err
}

// lenient reads what was quarantined for being no good JSON.
var lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// empty returns an object's lines, zipped, without what they tell of the
// visitor, and how many told something.
func empty(zipped io.Reader, t Tombstone) ([]byte, int, error) {
	unzipped, err := gzip.NewReader(zipped)
	if err != nil {
		return nil, 0, err
	}
	lines, err := io.ReadAll(unzipped)
	if err != nil {
		return nil, 0, err
	}
	var body bytes.Buffer
	zip := gzip.NewWriter(&body)
	n := 0
	for line := range bytes.Lines(lines) {
		var q event.Quarantined
		if err := json.Unmarshal(line, &q, lenient); err != nil {
			return nil, 0, fmt.Errorf("a line is no quarantine record")
		}
		if q.ShopID == t.ShopID && !q.ReceivedAt.After(t.ErasedAt) && tells(q.Original, t.VisitorID) {
			n++
			if line, err = json.Marshal(emptied(q)); err != nil {
				return nil, 0, err
			}
			line = append(line, '\n')
		}
		if _, err := zip.Write(line); err != nil {
			return nil, 0, err
		}
	}
	if err := zip.Close(); err != nil {
		return nil, 0, err
	}
	return body.Bytes(), n, nil
}

// tells says whether an event names the visitor, in any of the fields of that
// name that a broken one may have.
func tells(original jsontext.Value, visitor string) bool {
	return bytes.Contains(original, fmt.Appendf(nil, "%q", visitor))
}

// emptied is a record of which the visitor cannot be known.
func emptied(q event.Quarantined) event.Quarantined {
	q.EventID, q.BatchID, q.IP, q.UserAgent, q.Message = "", "", "", "", "erased"
	q.Original = jsontext.Value("null")
	return q
}
