// Package erase forgets a visitor: a tombstone that every reader of events
// obeys at once, the visitor's rows where they can be deleted, and evidence of
// what was deleted and when the copies end.
package erase

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Prefix is where tombstones lie in the raw bucket, beside the packs that they
// hide: erasures/SHOP/VISITOR/TIME.json, one line of JSON each. What copies or
// restores the packs copies the tombstones with them.
const Prefix = "erasures/"

// Tombstone says that what a shop received of a visitor until then is erased.
// Who comes back is another visitor to the pipeline: the same id, but later.
type Tombstone struct {
	ShopID    string    `json:"shop_id"`
	VisitorID string    `json:"visitor_id"` // as events are stored under
	ErasedAt  time.Time `json:"erased_at"`
}

func (t Tombstone) key() string {
	return Prefix + t.ShopID + "/" + t.VisitorID + "/" + t.ErasedAt.Format(time.RFC3339) + ".json"
}

type putter interface {
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
}

func (t Tombstone) put(ctx context.Context, client putter, bucket string) error {
	line, err := json.Marshal(t)
	if err != nil {
		return err
	}
	key := t.key()
	if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(append(line, '\n'))}); err != nil {
		return fmt.Errorf("put s3://%s/%s: %w", bucket, key, err)
	}
	return nil
}

// Tombstones are all of an environment.
type Tombstones map[[2]string]time.Time // the last erasure by shop and visitor

// Load reads the tombstones in a raw bucket. Their names tell all: none is
// opened.
func Load(ctx context.Context, client s3.ListObjectsV2APIClient, rawBucket string) (Tombstones, error) {
	prefix := Prefix
	all := Tombstones{}
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &rawBucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list s3://%s/%s: %w", rawBucket, prefix, err)
		}
		for _, object := range page.Contents {
			parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(*object.Key, Prefix), ".json"), "/")
			if len(parts) != 3 {
				return nil, fmt.Errorf("s3://%s/%s is not named as a tombstone: SHOP/VISITOR/TIME.json", rawBucket, *object.Key)
			}
			at, err := time.Parse(time.RFC3339, parts[2])
			if err != nil {
				return nil, fmt.Errorf("s3://%s/%s is not named as a tombstone: %w", rawBucket, *object.Key, err)
			}
			who := [2]string{parts[0], parts[1]}
			if at.After(all[who]) {
				all[who] = at
			}
		}
	}
	return all, nil
}

// Hides says whether an event of a shop's visitor is erased.
func (t Tombstones) Hides(shop, visitor string, receivedAt time.Time) bool {
	at, erased := t[[2]string{shop, visitor}]
	return erased && !receivedAt.After(at)
}
