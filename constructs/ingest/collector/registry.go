package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"github.com/shopstream/shopstream/constructs/event"
)

const (
	registryAge      = 60 * time.Second       // how long an answer is good
	registryRest     = 5 * time.Second        // after a failure, how long a known shop's last answer stays good
	askTimeout       = 2 * time.Second        // leaves Kinesis a part of answerTimeout
	refreshTimeout   = 500 * time.Millisecond // how long a known shop waits for a new answer
	maxUnknownCached = 10_000                 // wrong keys are an attacker's to choose
)

var (
	errUnknownShop  = errors.New("the registry has no such shop key")
	errRegistryAway = errors.New("the registry does not answer")
)

// shop is an item of the registry with the state that the collector keeps.
type shop struct {
	event.Shop
	limit *rate.Limiter
}

type dynamodbAPI interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	DescribeTable(context.Context, *dynamodb.DescribeTableInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error)
}

// registry looks shops up by their publishable key and remembers the answers.
// While the table is away, shops it knows go on.
type registry struct {
	client dynamodbAPI
	table  string
	now    func() time.Time

	flights singleflight.Group
	mu      sync.Mutex
	answers map[string]answer
	unknown int
}

type answer struct {
	shop  *shop // nil: the registry has no such key
	until time.Time
}

func newRegistry(client dynamodbAPI, table string, now func() time.Time) *registry {
	return &registry{client: client, table: table, now: now, answers: map[string]answer{}}
}

// ready says whether the registry can be asked.
func (r *registry) ready(ctx context.Context) error {
	if _, err := r.client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &r.table}); err != nil {
		return fmt.Errorf("describe registry %s: %w", r.table, err)
	}
	return nil
}

// lookup returns the shop of key, errUnknownShop or errRegistryAway.
func (r *registry) lookup(ctx context.Context, key string) (*shop, error) {
	r.mu.Lock()
	known, ok := r.answers[key]
	r.mu.Unlock()
	if !ok || r.now().After(known.until) {
		if known.shop != nil {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, refreshTimeout)
			defer cancel()
		}
		// Others wait for the same answer: it does not end with this request.
		flight := r.flights.DoChan(key, func() (any, error) { return r.ask(context.WithoutCancel(ctx), key, known.shop) })
		var err error
		select {
		case got := <-flight:
			if err = got.Err; err == nil {
				known = got.Val.(answer)
			}
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err != nil && known.shop == nil {
			return nil, fmt.Errorf("%w: %w", errRegistryAway, err)
		}
	}
	if known.shop == nil {
		return nil, errUnknownShop
	}
	return known.shop, nil
}

// ask asks the table and remembers the answer. Where it fails and the shop is
// known, from before, that serves for a while: a table that is away is not
// asked with every request.
func (r *registry) ask(ctx context.Context, key string, before *shop) (answer, error) {
	found, err := r.get(ctx, key)
	a := answer{found, r.now().Add(registryAge)}
	switch {
	case err != nil && before == nil:
		return answer{}, err
	case err != nil:
		slog.Warn("the registry does not answer: a known shop goes on", "shop_id", before.ID, "error", err)
		a = answer{before, r.now().Add(registryRest)}
	case found != nil && before != nil && before.EventsPerSecond == found.EventsPerSecond:
		found.limit = before.limit // what is used up stays so
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if a.shop == nil {
		if r.unknown++; r.unknown > maxUnknownCached {
			r.forgetUnknown()
		}
	}
	r.answers[key] = a
	return a, nil
}

// get returns the shop of key, or nil where there is none.
func (r *registry) get(ctx context.Context, key string) (*shop, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	out, err := r.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &r.table,
		Key:       map[string]types.AttributeValue{"shop_key": &types.AttributeValueMemberS{Value: key}},
	})
	if err != nil || out.Item == nil {
		return nil, err
	}
	found := &shop{}
	if err := attributevalue.UnmarshalMap(out.Item, &found.Shop); err != nil {
		return nil, fmt.Errorf("decode shop: %w", err)
	}
	found.limit = rate.NewLimiter(rate.Limit(found.EventsPerSecond), max(found.EventsPerSecond, event.MaxBatchEvents))
	return found, nil
}

func (r *registry) forgetUnknown() {
	for key, a := range r.answers {
		if a.shop == nil {
			delete(r.answers, key)
		}
	}
	r.unknown = 1
}
