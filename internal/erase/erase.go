package erase

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Stores are an environment's, by their names. What an environment lacks, as a
// core lacks the online table, is left out of the report.
type Stores struct {
	Raw        string   // bucket; takes the tombstone
	Quarantine string   // bucket; the visitor's records lose what they hold
	Online     string   // table; the visitor's items are deleted
	Streams    []string // end by retention
	Buckets    []string // end by their lifecycle; besides Raw and Quarantine
}

// Eraser erases visitors.
type Eraser struct {
	S3       *s3.Client
	DynamoDB *dynamodb.Client
	Kinesis  *kinesis.Client
	Stores   Stores
}

// Report is the evidence of an erasure.
type Report struct {
	Tombstone
	DryRun bool    `json:"dry_run"` // nothing was written or deleted
	Object string  `json:"object"`  // the tombstone's
	Stores []Store `json:"stores"`
}

// Store says what became of the visitor in one store.
type Store struct {
	Name   string     `json:"name"`
	Holds  string     `json:"holds"`
	Erased int        `json:"erased"`            // rows or records; with DryRun those that would be
	EndsAt *time.Time `json:"ends_at,omitempty"` // when the last copy is gone, the visitor's or a backup's; absent: no rule ends it
	By     string     `json:"by"`                // what ends it
}

// Erase forgets a visitor. The tombstone comes first: from then on no reader
// shows the visitor, even where the rest fails. It can be run again.
func (e Eraser) Erase(ctx context.Context, t Tombstone, dryRun bool) (Report, error) {
	if t.ShopID == "" || t.VisitorID == "" || strings.Contains(t.ShopID+t.VisitorID, "/") {
		return Report{}, fmt.Errorf("a tombstone is named after a shop and a visitor whose ids are not empty and have no slash, got %q and %q", t.ShopID, t.VisitorID)
	}
	t.ErasedAt = t.ErasedAt.UTC().Truncate(time.Second)
	report := Report{Tombstone: t, DryRun: dryRun, Object: "s3://" + e.Stores.Raw + "/" + t.key()}
	if !dryRun {
		if err := t.put(ctx, e.S3, e.Stores.Raw); err != nil {
			return report, err
		}
	}
	online, err := e.online(ctx, t, dryRun)
	if err != nil {
		return report, err
	}
	quarantined, err := e.quarantine(ctx, t, dryRun)
	if err != nil {
		return report, err
	}
	report.Stores = append(online, quarantined)
	copies, err := e.copies(ctx, t.ErasedAt)
	report.Stores = append(report.Stores, copies...)
	return report, err
}

// The online table's attributes, as stream.OnlineTable has them.
const (
	OnlineVisitor = "shop_visitor" // SHOP#VISITOR
	OnlineFeature = "feature"
)

// online deletes the visitor's items.
func (e Eraser) online(ctx context.Context, t Tombstone, dryRun bool) ([]Store, error) {
	table := e.Stores.Online
	store := Store{Name: table, Holds: "sessions and features"}
	pages := dynamodb.NewQueryPaginator(e.DynamoDB, &dynamodb.QueryInput{
		TableName: &table, KeyConditionExpression: ptr(OnlineVisitor + " = :v"), ConsistentRead: ptr(true),
		ExpressionAttributeValues: map[string]types.AttributeValue{":v": &types.AttributeValueMemberS{Value: t.ShopID + "#" + t.VisitorID}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		var missing *types.ResourceNotFoundException
		if errors.As(err, &missing) {
			return nil, nil
		} else if err != nil {
			return nil, fmt.Errorf("query table %s: %w", table, err)
		}
		for _, item := range page.Items {
			store.Erased++
			if dryRun {
				continue
			}
			key := map[string]types.AttributeValue{OnlineVisitor: item[OnlineVisitor], OnlineFeature: item[OnlineFeature]}
			if _, err := e.DynamoDB.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &table, Key: key}); err != nil {
				return nil, fmt.Errorf("delete from table %s: %w", table, err)
			}
		}
	}
	backups, err := e.DynamoDB.DescribeContinuousBackups(ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: &table})
	if err != nil {
		return nil, fmt.Errorf("describe backups of table %s: %w", table, err)
	}
	store.EndsAt, store.By = &t.ErasedAt, "deleted"
	recovery := backups.ContinuousBackupsDescription.PointInTimeRecoveryDescription
	if recovery != nil && recovery.PointInTimeRecoveryStatus == types.PointInTimeRecoveryStatusEnabled {
		days := 35
		if recovery.RecoveryPeriodInDays != nil {
			days = int(*recovery.RecoveryPeriodInDays)
		}
		store.EndsAt, store.By = ptr(t.ErasedAt.AddDate(0, 0, days)), fmt.Sprintf("deleted; point-in-time recovery of %d days", days)
	}
	return []Store{store}, nil
}

func ptr[T any](v T) *T { return &v }
