// Package shops keeps the registry of shops: onboarding a shop is writing an
// item, never a deploy. A shop has one item for each publishable key; what
// holds for the shop stands in all of them alike.
package shops

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/internal/check"
)

// API is the part of DynamoDB's client that a Registry uses.
type API interface {
	dynamodb.ScanAPIClient
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
}

// Registry is the table of shops.
type Registry struct {
	Client API
	Table  string
}

// idFormat is also what a shop's id may look like in an object's name.
var (
	idFormat       = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)
	clientIDFormat = regexp.MustCompile(`^[A-Za-z0-9_+]{1,128}$`) // as Cognito has it
)

func validate(s event.Shop) error {
	errs := []error{
		check.That(idFormat.MatchString(s.ID), "a shop's id must be 1 to 64 lower case letters, digits, hyphens and underscores, beginning with a letter or digit, got %q", s.ID),
		check.That(s.ID != event.HeartbeatShop, "the id %q is the heartbeat's own; take another", event.HeartbeatShop),
		check.Between("events per second", s.EventsPerSecond, 1, 1_000_000),
		check.OneOf("consent", s.Consent, event.ConsentAsked, event.ConsentNever),
		check.Between("retention days", s.RetentionDays, 0, 3650),
	}
	for _, origin := range s.Origins {
		errs = append(errs, validateOrigin(origin))
	}
	for _, client := range s.ClientIDs {
		errs = append(errs, validateClient(client))
	}
	return errors.Join(errs...)
}

// validateOrigin holds an origin to the form in which browsers send it: any
// other would never match.
func validateOrigin(origin string) error {
	u, err := url.Parse(origin)
	ok := err == nil && u.Host != "" && u.Scheme+"://"+u.Host == origin && origin == strings.ToLower(origin) &&
		(u.Scheme == "https" && u.Port() != "443" || u.Scheme == "http" && (u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1"))
	return check.That(ok, "an origin must be a scheme and a host in lower case such as https://shop.example, without path and default port, and http for localhost alone, got %q", origin)
}

func validateClient(id string) error {
	return check.That(clientIDFormat.MatchString(id), "a client id must be 1 to 128 letters, digits, underscores and pluses, as Cognito gives it, got %q", id)
}

// newKey is publishable: it names a shop, and is no secret.
func newKey() string {
	var random [15]byte
	_, _ = rand.Read(random[:]) // never fails
	return "pk_" + strings.ToLower(base32.StdEncoding.EncodeToString(random[:]))
}

// Add registers a shop whose id is new, and returns it with its key and salt.
func (r Registry) Add(ctx context.Context, s event.Shop) (event.Shop, error) {
	if err := validate(s); err != nil {
		return s, err
	}
	all, err := r.List(ctx)
	if err != nil {
		return s, err
	}
	if slices.ContainsFunc(all, func(other event.Shop) bool { return other.ID == s.ID }) {
		return s, fmt.Errorf("shop %q is there already; shops list shows it, shops rotate-key gives it another key", s.ID)
	}
	s.Key, s.Salt, s.HashVersion = newKey(), event.NewSalt(), 1
	return s, r.put(ctx, s)
}

// put writes a new item and replaces none.
func (r Registry) put(ctx context.Context, s event.Shop) error {
	item, err := attributevalue.MarshalMap(s)
	if err != nil {
		return err
	}
	_, err = r.Client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &r.Table, Item: item, ConditionExpression: aws.String("attribute_not_exists(shop_key)"),
	})
	return r.failed("write", s.ID, err)
}

// List returns every item, by shop and key.
func (r Registry) List(ctx context.Context) ([]event.Shop, error) {
	var all []event.Shop
	pages := dynamodb.NewScanPaginator(r.Client, &dynamodb.ScanInput{TableName: &r.Table, ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, r.failed("list", "", err)
		}
		for _, item := range page.Items {
			var s event.Shop
			if err := attributevalue.UnmarshalMap(item, &s); err != nil {
				return nil, fmt.Errorf("decode an item of registry %s: %w", r.Table, err)
			}
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b event.Shop) int { return strings.Compare(a.ID+"\x00"+a.Key, b.ID+"\x00"+b.Key) })
	return all, nil
}

// Items returns a shop's items, of which there is at least one.
func (r Registry) Items(ctx context.Context, id string) ([]event.Shop, error) {
	all, err := r.List(ctx)
	if err != nil {
		return nil, err
	}
	items := slices.DeleteFunc(all, func(s event.Shop) bool { return s.ID != id })
	if len(items) == 0 {
		return nil, fmt.Errorf("there is no shop %q in registry %s; shops list shows those that are, shops add makes one", id, r.Table)
	}
	return items, nil
}

// RotateKey gives the shop one more key, which it returns with the shop. The
// older keys stay valid.
func (r Registry) RotateKey(ctx context.Context, id string) (event.Shop, error) {
	items, err := r.Items(ctx, id)
	if err != nil {
		return event.Shop{}, err
	}
	s := items[max(0, slices.IndexFunc(items, func(s event.Shop) bool { return !s.Backfill }))] // a key that imports history is for that alone
	s.Key = newKey()
	return s, r.put(ctx, s)
}

// DropKey takes a key away from the shop, which keeps at least one.
func (r Registry) DropKey(ctx context.Context, id, key string) error {
	items, err := r.Items(ctx, id)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(items, func(s event.Shop) bool { return s.Key == key }) {
		return fmt.Errorf("shop %q has no key %q; shops list shows its keys", id, key)
	}
	if len(items) == 1 {
		return fmt.Errorf("%s is the only key of shop %q; make another with shops rotate-key first, or switch the shop off with shops disable", key, id)
	}
	_, err = r.Client.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &r.Table, Key: itemKey(key)})
	return r.failed("take a key from", id, err)
}

// SetDisabled switches all of the shop's keys off or on.
func (r Registry) SetDisabled(ctx context.Context, id string, disabled bool) error {
	items, err := r.Items(ctx, id)
	if err != nil {
		return err
	}
	for _, s := range items {
		if err := r.update(ctx, s, "SET disabled = :v", "attribute_exists(shop_key)", values{":v": &types.AttributeValueMemberBOOL{Value: disabled}}); err != nil {
			return err
		}
	}
	return nil
}

// BindClient lets an integrator's client send for the shop. Binding it twice
// changes nothing.
func (r Registry) BindClient(ctx context.Context, id, client string) error {
	if err := validateClient(client); err != nil {
		return err
	}
	items, err := r.Items(ctx, id)
	if err != nil {
		return err
	}
	for _, s := range items {
		if slices.Contains(s.ClientIDs, client) {
			continue
		}
		one := &types.AttributeValueMemberS{Value: client}
		list := &types.AttributeValueMemberL{Value: []types.AttributeValue{one}}
		var err error
		if len(s.ClientIDs) == 0 {
			err = r.update(ctx, s, "SET client_ids = :list", "attribute_exists(shop_key) AND attribute_not_exists(client_ids)", values{":list": list})
		} else {
			err = r.update(ctx, s, "SET client_ids = list_append(client_ids, :list)", "NOT contains(client_ids, :one)", values{":list": list, ":one": one})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

type values = map[string]types.AttributeValue

// update changes one item of which condition still holds.
func (r Registry) update(ctx context.Context, s event.Shop, set, condition string, v values) error {
	_, err := r.Client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &r.Table, Key: itemKey(s.Key), UpdateExpression: &set, ConditionExpression: &condition,
		ExpressionAttributeValues: v,
	})
	return r.failed("change", s.ID, err)
}

func itemKey(key string) values {
	return values{"shop_key": &types.AttributeValueMemberS{Value: key}}
}

// failed says what an error of DynamoDB's means for whoever asked.
func (r Registry) failed(what, shop string, err error) error {
	var missing *types.ResourceNotFoundException
	var changed *types.ConditionalCheckFailedException
	switch {
	case err == nil:
		return nil
	case errors.As(err, &missing):
		return fmt.Errorf("there is no registry %s; is the environment deployed, and are the credentials and the region its own? %w", r.Table, err)
	case errors.As(err, &changed):
		return fmt.Errorf("%s shop %q: somebody else changed it meanwhile; look with shops list and try again", what, shop)
	case shop == "":
		return fmt.Errorf("%s registry %s: %w", what, r.Table, err)
	}
	return fmt.Errorf("%s shop %q: %w", what, shop, err)
}
