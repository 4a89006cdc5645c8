package shops

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/shopstream/shopstream/constructs/event"
)

// table is DynamoDB in memory, an item a page.
type table struct {
	t       *testing.T
	items   map[string]values
	missing bool
	changed bool // somebody else changes every item before it is written
}

func (f *table) Scan(_ context.Context, in *dynamodb.ScanInput, _ ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	if f.missing {
		return nil, &types.ResourceNotFoundException{}
	}
	keys := slices.Sorted(maps.Keys(f.items))
	after := ""
	if in.ExclusiveStartKey != nil {
		after = text(in.ExclusiveStartKey["shop_key"])
	}
	out := &dynamodb.ScanOutput{}
	for _, key := range keys {
		if key <= after {
			continue
		}
		out.Items = append(out.Items, f.items[key])
		if key != keys[len(keys)-1] {
			out.LastEvaluatedKey = itemKey(key)
		}
		break
	}
	return out, nil
}

func (f *table) PutItem(_ context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	key := text(in.Item["shop_key"])
	if *in.ConditionExpression != "attribute_not_exists(shop_key)" {
		f.t.Errorf("got condition %q", *in.ConditionExpression)
	}
	if _, ok := f.items[key]; ok || f.changed {
		return nil, &types.ConditionalCheckFailedException{}
	}
	if f.items == nil {
		f.items = map[string]values{}
	}
	f.items[key] = in.Item
	return &dynamodb.PutItemOutput{}, nil
}

func (f *table) DeleteItem(_ context.Context, in *dynamodb.DeleteItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	delete(f.items, text(in.Key["shop_key"]))
	return &dynamodb.DeleteItemOutput{}, nil
}

func (f *table) UpdateItem(_ context.Context, in *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	if f.changed {
		return nil, &types.ConditionalCheckFailedException{}
	}
	item, v := f.items[text(in.Key["shop_key"])], in.ExpressionAttributeValues
	switch *in.UpdateExpression {
	case "SET disabled = :v":
		item["disabled"] = v[":v"]
	case "SET client_ids = :list":
		item["client_ids"] = v[":list"]
	case "SET client_ids = list_append(client_ids, :list)":
		list := item["client_ids"].(*types.AttributeValueMemberL)
		list.Value = append(list.Value, v[":list"].(*types.AttributeValueMemberL).Value...)
	default:
		f.t.Errorf("got update %q", *in.UpdateExpression)
	}
	return &dynamodb.UpdateItemOutput{}, nil
}

func text(v types.AttributeValue) string { return v.(*types.AttributeValueMemberS).Value }

func newRegistry(t *testing.T, add ...event.Shop) (Registry, *table) {
	t.Helper()
	f := &table{t: t}
	r := Registry{f, "shops"}
	for _, s := range add {
		item, err := attributevalue.MarshalMap(s)
		if err != nil {
			t.Fatal(err)
		}
		if f.items == nil {
			f.items = map[string]values{}
		}
		f.items[s.Key] = item
	}
	return r, f
}

func list(t *testing.T, r Registry) []event.Shop {
	t.Helper()
	all, err := r.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var salt = bytes.Repeat([]byte{7}, 32)

func wantError(t *testing.T, err error, words ...string) {
	t.Helper()
	for _, want := range words {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestAdd(t *testing.T) {
	t.Run("makes a key and a salt of 32 bytes, others for each shop", func(t *testing.T) {
		r, _ := newRegistry(t)
		for _, id := range []string{"hats", "shoes"} {
			if _, err := r.Add(t.Context(), event.Shop{ID: id, EventsPerSecond: 5, Origins: []string{"https://shoes.example", "http://localhost:8080"}}); err != nil {
				t.Fatal(err)
			}
		}
		all := list(t, r)
		if len(all) != 2 || all[0].ID != "hats" || len(all[0].Salt) != 32 || bytes.Equal(all[0].Salt, all[1].Salt) || all[0].Key == all[1].Key || !strings.HasPrefix(all[0].Key, "pk_") || all[0].HashVersion != 1 {
			t.Errorf("got %+v", all)
		}
	})
	t.Run("refuses an id that is there", func(t *testing.T) {
		r, f := newRegistry(t, event.Shop{Key: "pk_a", ID: "hats"}, event.Shop{Key: "pk_b", ID: "shoes"})
		_, err := r.Add(t.Context(), event.Shop{ID: "shoes", EventsPerSecond: 5})
		wantError(t, err, `shop "shoes" is there already`)
		if len(f.items) != 2 {
			t.Errorf("got %d items, want 2", len(f.items))
		}
	})
	t.Run("says all that is wrong at once", func(t *testing.T) {
		r, _ := newRegistry(t)
		_, err := r.Add(t.Context(), event.Shop{ID: "Shoes/1", Origins: []string{"https://shoes.example/"}, ClientIDs: []string{"a b"}, RetentionDays: -1})
		wantError(t, err, `got "Shoes/1"`, "events per second must be 1 to 1000000, got 0", `got "https://shoes.example/"`, `got "a b"`, "retention days")
	})
	t.Run("takes origins as browsers send them alone", func(t *testing.T) {
		for origin, ok := range map[string]bool{
			"https://shop.example": true, "https://shop.example:8443": true, "http://localhost:3000": true,
			"http://shop.example": false, "https://Shop.example": false, "https://shop.example/": false, "https://shop.example:443": false,
			"shop.example": false, "*": false, "null": false, "https://": false, "https://a@shop.example": false,
		} {
			if err := validateOrigin(origin); (err == nil) != ok {
				t.Errorf("%q: got %v", origin, err)
			}
		}
	})
	t.Run("says what a missing table means", func(t *testing.T) {
		r, f := newRegistry(t)
		f.missing = true
		_, err := r.Add(t.Context(), event.Shop{ID: "shoes", EventsPerSecond: 5})
		wantError(t, err, "there is no registry shops; is the environment deployed")
	})
}

func TestKeys(t *testing.T) {
	first := event.Shop{Key: "pk_a", ID: "shoes", Salt: salt, HashVersion: 2, Origins: []string{"https://shoes.example"}, EventsPerSecond: 9, ClientIDs: []string{"c"}}
	t.Run("rotate with all that holds for the shop, and both are valid", func(t *testing.T) {
		history := first
		history.Key, history.Backfill = "pk_0", true
		r, f := newRegistry(t, first, history)
		made, err := r.RotateKey(t.Context(), "shoes")
		if err != nil {
			t.Fatal(err)
		}
		var got event.Shop
		if err := attributevalue.UnmarshalMap(f.items[made.Key], &got); err != nil {
			t.Fatal(err)
		}
		if len(f.items) != 3 || got.Key == first.Key || !bytes.Equal(got.Salt, salt) || got.HashVersion != 2 || got.EventsPerSecond != 9 || got.Backfill || len(got.ClientIDs) != 1 {
			t.Errorf("got %+v of %d items", got, len(f.items))
		}
	})
	t.Run("go when they are dropped, but for the last", func(t *testing.T) {
		second := first
		second.Key = "pk_b"
		r, f := newRegistry(t, first, second)
		wantError(t, r.DropKey(t.Context(), "shoes", "pk_c"), `shop "shoes" has no key "pk_c"`)
		if err := r.DropKey(t.Context(), "shoes", "pk_a"); err != nil {
			t.Fatal(err)
		}
		wantError(t, r.DropKey(t.Context(), "shoes", "pk_b"), "pk_b is the only key")
		if len(f.items) != 1 || f.items["pk_b"] == nil {
			t.Errorf("got %v, want pk_b", f.items)
		}
	})
	t.Run("are another shop's to drop", func(t *testing.T) {
		r, _ := newRegistry(t, first, event.Shop{Key: "pk_h", ID: "hats"}, event.Shop{Key: "pk_i", ID: "hats"})
		wantError(t, r.DropKey(t.Context(), "shoes", "pk_h"), `shop "shoes" has no key "pk_h"`)
	})
}

func TestChange(t *testing.T) {
	two := []event.Shop{{Key: "pk_a", ID: "shoes"}, {Key: "pk_b", ID: "shoes", ClientIDs: []string{"old"}}, {Key: "pk_h", ID: "hats"}}
	t.Run("switches every key of the shop off and on", func(t *testing.T) {
		r, _ := newRegistry(t, two...)
		for _, off := range []bool{true, false} {
			if err := r.SetDisabled(t.Context(), "shoes", off); err != nil {
				t.Fatal(err)
			}
			for _, s := range list(t, r) {
				if s.Disabled != (off && s.ID == "shoes") {
					t.Errorf("%v: got %+v", off, s)
				}
			}
		}
	})
	t.Run("binds a client to every key, once", func(t *testing.T) {
		r, _ := newRegistry(t, two...)
		for range 2 {
			if err := r.BindClient(t.Context(), "shoes", "new"); err != nil {
				t.Fatal(err)
			}
		}
		want := map[string]string{"pk_a": "new", "pk_b": "old new", "pk_h": ""}
		for _, s := range list(t, r) {
			if got := strings.Join(s.ClientIDs, " "); got != want[s.Key] {
				t.Errorf("%s: got %q, want %q", s.Key, got, want[s.Key])
			}
		}
	})
	t.Run("says when somebody else was faster, and when there is no such shop", func(t *testing.T) {
		r, f := newRegistry(t, two...)
		f.changed = true
		wantError(t, r.BindClient(t.Context(), "shoes", "new"), `change shop "shoes": somebody else changed it meanwhile`)
		wantError(t, r.SetDisabled(t.Context(), "boots", true), `there is no shop "boots" in registry shops; shops list shows`)
	})
}
