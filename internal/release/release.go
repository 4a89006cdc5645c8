// Package release brings the tracker to where shops load it from: a release is
// t/VERSION/, for good; t/1/ is the current one, for five minutes.
package release

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/shopstream/shopstream/internal/asset"
)

// API is the part of S3's client that Releases use.
type API interface {
	CopyObject(context.Context, *s3.CopyObjectInput, ...func(*s3.Options)) (*s3.CopyObjectOutput, error)
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
}

// Releases are those in a bucket.
type Releases struct {
	Client API
	Bucket string
}

const (
	script    = "text/javascript; charset=utf-8"
	immutable = "public, max-age=31536000, immutable"
	current   = "public, max-age=300"
)

// scripts are what pages load; the tracker is the last, so that it is never
// newer than what belongs to it.
var scripts = []string{"stub.js", "shopware.js", "s.js"}

// A version has a dot, which tells it from t/1/.
var versionFormat = regexp.MustCompile(`^\d+\.\d+\.\d+$`)

// Promote uploads the release that lies in dir, and makes it the current one.
// What was released under a version stays: another content needs another
// version.
func (r Releases) Promote(ctx context.Context, dir string, t asset.Tracker) error {
	if err := checkVersion(t.Version); err != nil {
		return err
	}
	for _, name := range scripts {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return fmt.Errorf("%w; run make build", err)
		}
		if err := r.put(ctx, key(t.Version, name), content); err != nil {
			return err
		}
	}
	return r.point(ctx, t.Version)
}

// Rollback makes an older release the current one.
func (r Releases) Rollback(ctx context.Context, version string) error {
	if err := checkVersion(version); err != nil {
		return err
	}
	for _, name := range scripts { // all or none
		if _, err := r.get(ctx, key(version, name)); err != nil {
			return err
		}
	}
	return r.point(ctx, version)
}

func checkVersion(version string) error {
	if !versionFormat.MatchString(version) {
		return fmt.Errorf("a version is three numbers, such as 1.0.0, got %q", version)
	}
	return nil
}

func key(version, name string) string { return "t/" + version + "/" + name }

// put writes an object that is not there yet. The same one may be.
func (r Releases) put(ctx context.Context, key string, content []byte) error {
	_, err := r.Client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &r.Bucket, Key: &key, Body: bytes.NewReader(content), IfNoneMatch: aws.String("*"),
		ContentType: aws.String(script), CacheControl: aws.String(immutable),
	})
	var refused smithy.APIError
	if !errors.As(err, &refused) || refused.ErrorCode() != "PreconditionFailed" {
		return wrap("put", key, err)
	}
	released, err := r.get(ctx, key)
	if err != nil {
		return err
	}
	if !bytes.Equal(released, content) {
		return fmt.Errorf("%s was released with another content, which pages hold by its hash; raise the version in constructs/ingest/tracker/package.json", key)
	}
	return nil
}

func (r Releases) get(ctx context.Context, key string) ([]byte, error) {
	out, err := r.Client.GetObject(ctx, &s3.GetObjectInput{Bucket: &r.Bucket, Key: &key})
	if err != nil {
		return nil, wrap("get", key, err)
	}
	defer out.Body.Close()
	content, err := io.ReadAll(out.Body)
	return content, wrap("get", key, err)
}

// point makes a release the current one.
func (r Releases) point(ctx context.Context, version string) error {
	for _, name := range scripts {
		to := key("1", name)
		_, err := r.Client.CopyObject(ctx, &s3.CopyObjectInput{
			Bucket: &r.Bucket, Key: &to, CopySource: aws.String(r.Bucket + "/" + key(version, name)),
			MetadataDirective: types.MetadataDirectiveReplace, ContentType: aws.String(script), CacheControl: aws.String(current),
		})
		if err != nil {
			return wrap("copy to", to, err)
		}
	}
	return nil
}

func wrap(verb, key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", verb, key, err)
}
