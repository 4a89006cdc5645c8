package release

import (
	"bytes"
	"context"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/shopstream/shopstream/internal/asset"
)

type object struct{ content, cacheControl, contentType string }

// bucket is one whose policy takes a release only with If-None-Match.
type bucket map[string]object

func (b bucket) PutObject(_ context.Context, in *s3.PutObjectInput, _ ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	if aws.ToString(in.IfNoneMatch) != "*" {
		return nil, &smithy.GenericAPIError{Code: "AccessDenied"}
	}
	if _, there := b[*in.Key]; there {
		return nil, &smithy.GenericAPIError{Code: "PreconditionFailed"}
	}
	content, err := io.ReadAll(in.Body)
	b[*in.Key] = object{string(content), aws.ToString(in.CacheControl), aws.ToString(in.ContentType)}
	return nil, err
}

func (b bucket) GetObject(_ context.Context, in *s3.GetObjectInput, _ ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	o, there := b[*in.Key]
	if !there {
		return nil, &smithy.GenericAPIError{Code: "NoSuchKey"}
	}
	return &s3.GetObjectOutput{Body: io.NopCloser(bytes.NewReader([]byte(o.content)))}, nil
}

func (b bucket) CopyObject(_ context.Context, in *s3.CopyObjectInput, _ ...func(*s3.Options)) (*s3.CopyObjectOutput, error) {
	from := strings.TrimPrefix(*in.CopySource, "files/")
	if in.MetadataDirective != "REPLACE" || b[from].content == "" {
		return nil, &smithy.GenericAPIError{Code: "NoSuchKey"}
	}
	b[*in.Key] = object{b[from].content, aws.ToString(in.CacheControl), aws.ToString(in.ContentType)}
	return nil, nil
}

// build is a folder as make build leaves it.
func build(t *testing.T, content string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content+" "+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func promote(t *testing.T, b bucket, version, content string) error {
	t.Helper()
	return Releases{b, "files"}.Promote(t.Context(), build(t, content), asset.Tracker{Version: version})
}

func TestAPromotedReleaseIsKeptForGoodAndCurrentForFiveMinutes(t *testing.T) {
	b := bucket{}
	if err := promote(t, b, "1.0.0", "one"); err != nil {
		t.Fatal(err)
	}
	want := bucket{}
	for _, name := range scripts {
		want["t/1.0.0/"+name] = object{"one " + name, "public, max-age=31536000, immutable", "text/javascript; charset=utf-8"}
		want["t/1/"+name] = object{"one " + name, "public, max-age=300", "text/javascript; charset=utf-8"}
	}
	if !maps.Equal(b, want) {
		t.Errorf("the bucket holds %v", b)
	}
}

func TestPromotingTheSameReleaseAgainIsNoError(t *testing.T) {
	b := bucket{}
	for range 2 {
		if err := promote(t, b, "1.0.0", "one"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAVersionIsNeverReleasedWithAnotherContent(t *testing.T) {
	b := bucket{}
	_ = promote(t, b, "1.0.0", "one")
	before := maps.Clone(b)
	if err := promote(t, b, "1.0.0", "two"); err == nil || !strings.Contains(err.Error(), "raise the version") {
		t.Errorf("error is %v", err)
	}
	if !maps.Equal(b, before) {
		t.Errorf("the bucket holds %v", b)
	}
}

func TestARollbackMakesAnOlderReleaseTheCurrentOne(t *testing.T) {
	b := bucket{}
	if err := promote(t, b, "1.0.0", "one"); err != nil {
		t.Fatal(err)
	}
	if err := promote(t, b, "1.1.0", "two"); err != nil {
		t.Fatal(err)
	}
	if err := (Releases{b, "files"}).Rollback(t.Context(), "1.0.0"); err != nil {
		t.Fatal(err)
	}
	if got := b["t/1/s.js"].content; got != "one s.js" || b["t/1.1.0/s.js"].content != "two s.js" {
		t.Errorf("the current one is %q", got)
	}
}

func TestARollbackToWhatWasNeverReleasedChangesNothing(t *testing.T) {
	b := bucket{}
	_ = promote(t, b, "1.0.0", "one")
	before := maps.Clone(b)
	for _, version := range []string{"0.9.0", "1", "", "../1.0.0"} {
		if err := (Releases{b, "files"}).Rollback(t.Context(), version); err == nil {
			t.Errorf("%q is no error", version)
		}
	}
	if !maps.Equal(b, before) {
		t.Errorf("the bucket holds %v", slices.Collect(maps.Keys(b)))
	}
}

func TestWithoutABuildPromoteSaysRunMakeBuild(t *testing.T) {
	err := Releases{bucket{}, "files"}.Promote(t.Context(), t.TempDir(), asset.Tracker{Version: "1.0.0"})
	if err == nil || !strings.HasSuffix(err.Error(), "; run make build") {
		t.Errorf("error is %v", err)
	}
}
