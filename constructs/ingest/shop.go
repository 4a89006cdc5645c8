package ingest

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/dynamodbtableitem"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/internal/check"
)

// DefineShop keeps a shop of our own in the registry, such as the heartbeat's.
// Customers' shops are data: they are written by the operator's tool.
func (r *Registry) DefineShop(scope constructs.Construct, id string, shop event.Shop) error {
	err := errors.Join(
		check.Required("Key", shop.Key != ""),
		check.Required("ID", shop.ID != ""),
		check.Between("EventsPerSecond", shop.EventsPerSecond, 1, 1_000_000),
		check.That(len(shop.Origins) == 0 && !shop.Backfill, "Origins and Backfill must be empty: no browser sends for a shop of ours, and it has no history"),
	)
	if err != nil {
		return fmt.Errorf("shop %q: %w", id, err)
	}
	item, err := json.Marshal(map[string]map[string]any{ // as event.Shop says it in DynamoDB's words
		"shop_key":          {"S": shop.Key},
		"shop_id":           {"S": shop.ID},
		"events_per_second": {"N": fmt.Sprint(shop.EventsPerSecond)},
		"backfill":          {"BOOL": false},
	})
	if err != nil {
		return fmt.Errorf("shop %q: %w", id, err)
	}
	dynamodbtableitem.NewDynamodbTableItem(scope, &id, &dynamodbtableitem.DynamodbTableItemConfig{
		TableName: r.table.Name(), HashKey: r.table.HashKey(), Item: jsii.String(string(item)),
	})
	return nil
}
