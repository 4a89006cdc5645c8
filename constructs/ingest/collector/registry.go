package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/constructs/ingest/visitor"
)

const (
	registryAge     = 60 * time.Second       // how long an answer is good
	registryRefresh = 45 * time.Second       // age from which an answer is asked for again while it still serves
	registryRest    = 5 * time.Second        // after a failure, how long a known shop's last answer stays good
	askTimeout      = 2 * time.Second        // leaves Kinesis a part of answerTimeout
	refreshTimeout  = 500 * time.Millisecond // how long a known shop waits for a new answer

	maxShops   = 20_000 // that are remembered, those used last
	maxUnknown = 10_000 // wrong keys that are remembered: they are an attacker's to choose
)

var (
	errUnknownShop  = errors.New("the registry has no such shop key")
	errRegistryAway = errors.New("the registry does not answer")
)

// shop is an item of the registry with the state that the collector keeps.
type shop struct {
	event.Shop
	limit      *rate.Limiter
	pseudonyms *visitor.Pseudonyms // nil without a salt
}

type dynamodbAPI interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
}

// registry looks shops up by their publishable key and remembers the answers.
// While the table is away, shops it knows go on.
type registry struct {
	client dynamodbAPI
	table  string
	now    func() time.Time
	secret atomic.Pointer[[]byte] // that visitor ids are made with

	flights singleflight.Group
	shops   *lru.Cache[string, answer]
	unknown *lru.Cache[string, answer]
}

type answer struct {
	shop *shop // nil: the registry has no such key
	at   time.Time
	good time.Duration
}

func newRegistry(client dynamodbAPI, table string, now func() time.Time) *registry {
	shops, _ := lru.New[string, answer](maxShops) // fails for a size of 0 alone
	unknown, _ := lru.New[string, answer](maxUnknown)
	return &registry{client: client, table: table, now: now, shops: shops, unknown: unknown}
}

// ready says whether the registry answers, with what reading a shop takes.
func (r *registry) ready(ctx context.Context) error {
	if _, err := r.get(ctx, "readiness"); err != nil {
		return fmt.Errorf("read registry %s: %w", r.table, err)
	}
	return nil
}

// lookup returns the shop of key, errUnknownShop or errRegistryAway.
func (r *registry) lookup(ctx context.Context, key string) (*shop, error) {
	known, ok := r.shops.Get(key)
	if !ok {
		known, ok = r.unknown.Get(key)
	}
	if age := r.now().Sub(known.at); !ok || age >= known.good {
		var err error
		if known, err = r.wait(ctx, key, known); err != nil {
			return nil, fmt.Errorf("%w: %w", errRegistryAway, err)
		}
	} else if known.shop != nil && age >= registryRefresh {
		r.flight(ctx, key, known.shop) // nobody waits for it
	}
	if known.shop == nil {
		return nil, errUnknownShop
	}
	return known.shop, nil
}

// flight asks once for all that come together: it does not end with the first
// of their requests.
func (r *registry) flight(ctx context.Context, key string, before *shop) <-chan singleflight.Result {
	return r.flights.DoChan(key, func() (any, error) { return r.ask(context.WithoutCancel(ctx), key, before) })
}

// wait waits for a new answer. A shop that is known waits a little, and goes on
// without.
func (r *registry) wait(ctx context.Context, key string, known answer) (answer, error) {
	if known.shop != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, refreshTimeout)
		defer cancel()
	}
	var err error
	select {
	case got := <-r.flight(ctx, key, known.shop):
		if err = got.Err; err == nil {
			return got.Val.(answer), nil
		}
	case <-ctx.Done():
		err = ctx.Err()
	}
	if known.shop != nil {
		return known, nil
	}
	return answer{}, err
}

// ask asks the table and remembers the answer. Where it fails and the shop is
// known, from before, that serves for a while: a table that is away is not
// asked with every request.
func (r *registry) ask(ctx context.Context, key string, before *shop) (answer, error) {
	found, err := r.get(ctx, key)
	a := answer{found, r.now(), registryAge}
	switch {
	case err != nil && before == nil:
		return answer{}, err
	case err != nil:
		slog.Warn("the registry does not answer: a known shop goes on", "shop_id", before.ID, "error", err)
		a.shop, a.good = before, registryRest
	case found != nil && before != nil:
		found.limit = before.limit // what is used up stays so
	}
	if a.shop != nil {
		r.unknown.Remove(key)
		r.shops.Add(key, a)
	} else {
		r.shops.Remove(key)
		r.unknown.Add(key, a)
	}
	return a, nil
}

// get returns the shop of key, or nil where there is none.
func (r *registry) get(ctx context.Context, key string) (*shop, error) {
	secret := r.secret.Load()
	if secret == nil {
		return nil, errors.New("the visitor secret is not there yet")
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	out, err := r.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &r.table,
		Key:       map[string]types.AttributeValue{"shop_key": &types.AttributeValueMemberS{Value: key}},
	})
	if err != nil || out.Item == nil {
		return nil, err
	}
	found := &shop{limit: rate.NewLimiter(0, event.MaxBatchEvents)}
	if err := attributevalue.UnmarshalMap(out.Item, &found.Shop); err != nil {
		return nil, fmt.Errorf("decode shop: %w", err)
	}
	found.pseudonyms, err = visitor.NewPseudonyms(*secret, found.Shop)
	return found, err
}
