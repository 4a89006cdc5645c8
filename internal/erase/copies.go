package erase

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// copies says when what cannot be deleted by row ends, as streams and buckets
// are configured now.
func (e Eraser) copies(ctx context.Context, from time.Time) ([]Store, error) {
	var all []Store
	for _, name := range e.Stores.Streams {
		found, err := e.Kinesis.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &name})
		var missing *kinesistypes.ResourceNotFoundException
		if errors.As(err, &missing) {
			continue
		} else if err != nil {
			return all, fmt.Errorf("describe stream %s: %w", name, err)
		}
		hours := aws.ToInt32(found.StreamDescriptionSummary.RetentionPeriodHours)
		all = append(all, Store{
			Name: name, Holds: "records on their way", EndsAt: ptr(from.Add(time.Duration(hours) * time.Hour)),
			By: fmt.Sprintf("retention of %d hours", hours),
		})
	}
	for _, name := range append([]string{e.Stores.Raw}, e.Stores.Buckets...) {
		store, err := e.bucket(ctx, name, "", from)
		if code(err) == "NoSuchBucket" {
			continue
		} else if err != nil {
			return all, err
		}
		all = append(all, store)
		replicas, err := e.replicas(ctx, name, from)
		if err != nil {
			return all, err
		}
		all = append(all, replicas...)
	}
	return all, nil
}

// bucket says when the objects that lie in a bucket now are gone for good.
func (e Eraser) bucket(ctx context.Context, name, region string, from time.Time) (Store, error) {
	store := Store{Name: name, Holds: "objects that were written before", By: "the tombstone hides it; no rule of the bucket's lifecycle ends it"}
	at := func(o *s3.Options) {
		if region != "" {
			o.Region = region
		}
	}
	found, err := e.S3.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &name}, at)
	if code(err) == "NoSuchLifecycleConfiguration" {
		return store, nil
	} else if err != nil {
		return store, fmt.Errorf("get lifecycle of bucket %s: %w", name, err)
	}
	days, noncurrent := lifetimes(found.Rules)
	if days > 0 {
		end := from.AddDate(0, 0, days+noncurrent+1).Truncate(24 * time.Hour) // S3 counts whole days
		store.EndsAt, store.By = &end, fmt.Sprintf("lifecycle: objects after %d days, their versions %d days later", days, noncurrent)
	}
	return store, nil
}

// eventsPrefix is where a bucket holds events, if it holds more than that.
const eventsPrefix = "events/"

// lifetimes are the days after which rules for all of a bucket, or for all of
// its events, delete objects and then their bytes; 0 is never.
func lifetimes(rules []s3types.LifecycleRule) (days, noncurrent int) {
	for _, rule := range rules {
		all := rule.Filter == nil || rule.Filter.And == nil && rule.Filter.Tag == nil && strings.HasPrefix(eventsPrefix, aws.ToString(rule.Filter.Prefix)) &&
			rule.Filter.ObjectSizeGreaterThan == nil && rule.Filter.ObjectSizeLessThan == nil
		if rule.Status != s3types.ExpirationStatusEnabled || !all {
			continue
		}
		if rule.Expiration != nil && rule.Expiration.Days != nil {
			days = int(*rule.Expiration.Days)
		}
		if rule.NoncurrentVersionExpiration != nil {
			noncurrent = int(aws.ToInt32(rule.NoncurrentVersionExpiration.NoncurrentDays))
		}
	}
	return days, noncurrent
}

// bucketRegion is the end of the name that every bucket has: ACCOUNT-REGION.
var bucketRegion = regexp.MustCompile(`-[0-9]{12}-([a-z0-9-]+)$`)

// replicas are a bucket's copies in other regions.
func (e Eraser) replicas(ctx context.Context, name string, from time.Time) ([]Store, error) {
	found, err := e.S3.GetBucketReplication(ctx, &s3.GetBucketReplicationInput{Bucket: &name})
	if code(err) == "ReplicationConfigurationNotFoundError" {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("get replication of bucket %s: %w", name, err)
	}
	var all []Store
	for _, rule := range found.ReplicationConfiguration.Rules {
		replica := strings.TrimPrefix(aws.ToString(rule.Destination.Bucket), "arn:aws:s3:::")
		region := ""
		if found := bucketRegion.FindStringSubmatch(replica); found != nil {
			region = found[1]
		}
		store, err := e.bucket(ctx, replica, region, from)
		if err != nil {
			return all, err
		}
		all = append(all, store)
	}
	return all, nil
}

// code is what AWS calls an error.
func code(err error) string {
	var refused smithy.APIError
	if errors.As(err, &refused) {
		return refused.ErrorCode()
	}
	return ""
}
