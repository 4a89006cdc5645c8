// Package churn is our tier: it takes a copy of every event into a bucket of
// our own, from which our jobs learn which shoppers are about to leave. Nobody
// else reads it, and our jobs read nothing else.
package churn

import (
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"

	"github.com/shopstream/shopstream/constructs/lake"
	"github.com/shopstream/shopstream/constructs/security"
)

// Props configures a Churn.
type Props struct {
	Name             string           // required; begins the names of all that it makes, itself with shopstream-ENVIRONMENT-
	Account          security.Account // required
	Events           lake.Source      // required; the pipeline's events
	Logs             *security.Key    // required; encrypts logs
	LogRetentionDays int              // required
	Protect          bool             // whether Terraform refuses to destroy it; default false
}

func (p Props) validate() error {
	var errs []error
	for field, missing := range map[string]bool{"Name": p.Name == "", "Account": p.Account.ID == "", "Events": p.Events == nil, "Logs": p.Logs == nil} {
		if missing {
			errs = append(errs, fmt.Errorf("%s is required", field))
		}
	}
	return errors.Join(errs...)
}

// Churn is a sink on the events stream.
//
//	Churn
//	├── key            Key
//	├── bucket         Bucket
//	├── delivery_log   LogGroup
//	├── delivery       Delivery: events to bucket
//	└── jobs           Role: reads bucket
type Churn struct {
	Jobs *security.Role // what our Glue jobs act in
}

// New defines a Churn in scope.
func New(scope constructs.Construct, id string, p Props) (*Churn, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("churn %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	key, err := security.NewKey(scope, "key", security.KeyProps{
		Alias: p.Name, Description: "events that churn is learned from", Account: p.Account, Protect: p.Protect,
	})
	if err != nil {
		return nil, err
	}
	bucket, err := lake.NewBucket(scope, "bucket", lake.BucketProps{
		Name: p.Name + "-" + p.Account.ID + "-" + p.Account.Region, Key: key, ExpireAfterDays: 90, Protect: p.Protect,
	})
	if err != nil {
		return nil, err
	}
	log, err := security.NewLogGroup(scope, "delivery_log", security.LogGroupProps{
		Name: "/aws/kinesisfirehose/" + p.Name, Key: p.Logs, RetentionDays: p.LogRetentionDays,
	})
	if err != nil {
		return nil, err
	}
	if _, err := lake.NewDelivery(scope, "delivery", lake.DeliveryProps{
		Name: p.Name, Source: p.Events, Destination: bucket, LogGroup: log,
	}); err != nil {
		return nil, err
	}
	jobs, err := security.NewRole(scope, "jobs", security.RoleProps{Name: p.Name + "-jobs", AssumedBy: "glue.amazonaws.com"})
	if err != nil {
		return nil, err
	}
	bucket.GrantRead(jobs, "events/") // the key is granted with it
	return &Churn{jobs}, nil
}
