package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/shopstream/shopstream/constructs/event"
)

type s3API interface {
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
}

// objects are lines of JSON by the hour in which their frames were made, and
// the frames that they are about.
type objects map[string]*object

type object struct {
	lines  bytes.Buffer
	frames [][]byte
}

func (o *objects) add(frame event.Frame, v any) error {
	line, err := json.Marshal(v, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) // what is refused may have both
	if err != nil {
		return fmt.Errorf("encode what becomes of frame %s: %w", frame.ID, err)
	}
	if *o == nil {
		*o = objects{}
	}
	hour := frame.CreatedAt.UTC().Format("date=2006-01-02/hour=15")
	if (*o)[hour] == nil {
		(*o)[hour] = &object{}
	}
	at := (*o)[hour]
	at.lines.Write(line)
	at.lines.WriteByte('\n')
	at.frames = append(at.frames, bytes.Clone(frame.ID[:]))
	return nil
}

// writeObjects stores objects under names made of their frames: the same
// frames always write the same object.
func (f *function) writeObjects(ctx context.Context, bucket, prefix string, all objects) error {
	for hour, o := range all {
		digest := sha256.Sum256(bytes.Join(o.frames, nil))
		key := fmt.Sprintf("%s/%s/%x.json.gz", prefix, hour, digest[:16])
		var body bytes.Buffer
		zip := gzip.NewWriter(&body)
		if _, err := zip.Write(o.lines.Bytes()); err != nil {
			return err
		}
		if err := zip.Close(); err != nil {
			return err
		}
		if _, err := f.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(body.Bytes())}); err != nil {
			return fmt.Errorf("put s3://%s/%s: %w", bucket, key, err)
		}
	}
	return nil
}
