package main

import (
	"context"
	"errors"
	"fmt"
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
	registryAge      = 60 * time.Second // how long an answer is good
	maxUnknownCached = 10_000           // wrong keys are an attacker's to choose
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
	shop *shop // nil: the registry has no such key
	at   time.Time
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
	if !ok || r.now().Sub(known.at) > registryAge {
		got, err, _ := r.flights.Do(key, func() (any, error) { return r.ask(ctx, key, known.shop) })
		switch {
		case err == nil:
			known = got.(answer)
		case known.shop == nil:
			return nil, fmt.Errorf("%w: %w", errRegistryAway, err)
		}
	}
	if known.shop == nil {
		return nil, errUnknownShop
	}
	return known.shop, nil
}

func (r *registry) ask(ctx context.Context, key string, before *shop) (answer, error) {
	out, err := r.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &r.table,
		Key:       map[string]types.AttributeValue{"shop_key": &types.AttributeValueMemberS{Value: key}},
	})
	if err != nil {
		return answer{}, err
	}
	a := answer{at: r.now()}
	if out.Item != nil {
		a.shop = &shop{}
		if err := attributevalue.UnmarshalMap(out.Item, &a.shop.Shop); err != nil {
			return answer{}, fmt.Errorf("decode shop: %w", err)
		}
		a.shop.limit = rate.NewLimiter(rate.Limit(a.shop.EventsPerSecond), max(a.shop.EventsPerSecond, event.MaxBatchEvents))
		if before != nil && before.EventsPerSecond == a.shop.EventsPerSecond {
			a.shop.limit = before.limit // what is used up stays so
		}
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

func (r *registry) forgetUnknown() {
	for key, a := range r.answers {
		if a.shop == nil {
			delete(r.answers, key)
		}
	}
	r.unknown = 1
}
