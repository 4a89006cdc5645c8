// Package replay lets stored events enter the pipeline again: raw packs at the
// events stream, the quarantine's originals and the records of failures at the
// gateway. What enters twice is the same twice, so that whoever knows events by
// their identity sees no second one and the ledger stays as it is.
package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/shopstream/shopstream/internal/check"
)

// Zone is where events lie.
type Zone string

// The zones that Replay reads.
const (
	Raw        Zone = "raw"        // packs; enter at the events stream
	Quarantine Zone = "quarantine" // rejected events; enter at the gateway
)

// layout is the beginning of the names of an hour's objects.
func (z Zone) layout() string {
	if z == Quarantine {
		return "events/date=2006-01-02/hour=15/"
	}
	return "events/arrival_date=2006-01-02/arrival_hour=15/"
}

// Selection says what enters again.
type Selection struct {
	Zone   Zone      `json:"zone"`
	Bucket string    `json:"bucket"`
	From   time.Time `json:"from"`             // the first hour: of raw packs that of their arrival, of rejected events that of their frame
	To     time.Time `json:"to"`               // until then; an hour that has begun is taken whole
	Shop   string    `json:"shop,omitempty"`   // of this shop alone; default all
	Reason string    `json:"reason,omitempty"` // in the quarantine, rejected for this alone; default all
}

// Validate reports every problem at once.
func (s Selection) Validate() error {
	return errors.Join(
		check.OneOf("zone", s.Zone, Raw, Quarantine),
		check.Required("from", !s.From.IsZero()),
		check.Required("to", !s.To.IsZero()),
		check.That(s.From.Before(s.To), "from must be before to, got %s and %s", s.From.Format(time.RFC3339), s.To.Format(time.RFC3339)),
		check.That(s.Reason == "" || s.Zone == Quarantine, "only what lies in the quarantine has a reason"),
	)
}

// S3 is the part of S3's client that a Replay uses.
type S3 interface {
	s3.ListObjectsV2APIClient
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
}

// Stream takes records.
type Stream interface {
	Put(context.Context, []types.PutRecordsRequestEntry) error
}

// Replay reads a selection object by object.
type Replay struct {
	Selection Selection
	S3        S3
	Stream    Stream                                                // nil: nothing enters, all is counted
	Hidden    func(shop, visitor string, receivedAt time.Time) bool // whether an event is erased
	State     string                                                // file that says how far it came; where one of the same selection is there, it goes on from there
	Progress  func(Progress)                                        // told of each object
	Now       func() time.Time                                      // default time.Now
}

// Progress is how far a replay came, what an earlier one did included.
type Progress struct {
	Objects      int   `json:"objects"`
	Records      int   `json:"records"` // packs or frames
	Events       int   `json:"events"`
	Erased       int   `json:"erased"` // events that stayed away, for their visitors are erased
	Unreadable   int   `json:"unreadable"`
	Bytes        int64 `json:"bytes"` // of objects
	TotalObjects int   `json:"-"`
	TotalBytes   int64 `json:"-"`
	Resumed      bool  `json:"-"`
}

// Run lets the selection enter. Broken off, it goes on when it is run again,
// and then repeats one object at most.
func (r *Replay) Run(ctx context.Context) (Progress, error) {
	if err := r.Selection.Validate(); err != nil {
		return Progress{}, err
	}
	if r.Now == nil {
		r.Now = time.Now
	}
	at, err := r.load()
	if err != nil {
		return Progress{}, err
	}
	err = r.walk(ctx, at, "", func(object s3types.Object) error {
		at.TotalObjects++
		at.TotalBytes += *object.Size
		return nil
	})
	if err != nil {
		return at.Progress, err
	}
	read := r.reader(at)
	err = r.walk(ctx, at, at.Object, func(object s3types.Object) error {
		out, err := r.S3.GetObject(ctx, &s3.GetObjectInput{Bucket: &r.Selection.Bucket, Key: object.Key})
		if err == nil {
			err = read(ctx, *object.Key, out.Body)
			out.Body.Close()
		}
		if err != nil {
			return fmt.Errorf("replay s3://%s/%s: %w", r.Selection.Bucket, *object.Key, err)
		}
		at.Objects++
		at.Bytes += *object.Size
		at.Object = *object.Key
		r.Progress(at.Progress)
		return r.save(at)
	})
	if err != nil {
		return at.Progress, err
	}
	if at.Unreadable > 0 {
		err = fmt.Errorf("%d lines could not be read and did not enter, the first in %s", at.Unreadable, at.FirstUnreadable)
	}
	return at.Progress, errors.Join(err, r.done())
}

// reader lets one object enter.
func (r *Replay) reader(at *state) func(ctx context.Context, key string, zipped io.Reader) error {
	to := &batch{stream: r.Stream, progress: &at.Progress}
	if r.Selection.Zone == Quarantine {
		return (&quarantine{r, at, to}).read
	}
	return (&raw{r, at, to, map[string]bool{}}).read
}

// walk goes through the selection's objects behind one in the order of their
// names, which is that of time. What was written after the replay began is
// left out: it may be what the replay itself let enter.
func (r *Replay) walk(ctx context.Context, at *state, behind string, do func(s3types.Object) error) error {
	s, layout := r.Selection, r.Selection.Zone.layout()
	first, end := s.From.UTC().Format(layout), s.To.UTC().Add(time.Hour-1).Format(layout)
	behind = max(behind, first)
	prefix := "events/"
	pages := s3.NewListObjectsV2Paginator(r.S3, &s3.ListObjectsV2Input{Bucket: &s.Bucket, Prefix: &prefix, StartAfter: &behind})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list s3://%s/%s: %w", s.Bucket, prefix, err)
		}
		for _, object := range page.Contents {
			if *object.Key >= end {
				return nil
			}
			if object.LastModified.After(at.Begun) {
				continue
			}
			if err := do(object); err != nil {
				return err
			}
		}
	}
	return nil
}
