package visitor

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/shopstream/shopstream/constructs/event"
)

var (
	secret = []byte("a secret of the tests, 32 or more bytes long")
	salt   = []byte("a salt")
)

func of(t *testing.T, secret []byte, shop event.Shop, id string) string {
	t.Helper()
	p, err := NewPseudonyms(secret, shop)
	if err != nil {
		t.Fatal(err)
	}
	return p.Of([]byte(id))
}

func TestPseudonyms(t *testing.T) {
	first := of(t, secret, event.Shop{Salt: salt}, "v")
	t.Run("are the same for the same visitor, for ever", func(t *testing.T) {
		if again := of(t, secret, event.Shop{Salt: salt, HashVersion: 1}, "v"); again != first || first != "h1_C_BQ9_s-p3J8GmQKUz2CWw" { // as HKDF and HMAC of another language have it
			t.Errorf("got %s and %s", first, again)
		}
	})
	t.Run("are others with another secret, salt, version or visitor", func(t *testing.T) {
		for name, other := range map[string]string{
			"secret":  of(t, []byte(strings.Repeat("x", 32)), event.Shop{Salt: salt}, "v"),
			"salt":    of(t, secret, event.Shop{Salt: []byte("another")}, "v"),
			"version": of(t, secret, event.Shop{Salt: salt, HashVersion: 2}, "v"),
			"visitor": of(t, secret, event.Shop{Salt: salt}, "w"),
		} {
			if other[3:] == first[3:] || !IsID(other) {
				t.Errorf("another %s: got %s", name, other)
			}
		}
	})
	t.Run("are not made without a salt", func(t *testing.T) {
		if p, err := NewPseudonyms(secret, event.Shop{}); p != nil || err != nil {
			t.Errorf("got %v and %v", p, err)
		}
	})
	t.Run("look like nothing that a shop sends", func(t *testing.T) {
		for _, text := range []string{"", "v", "h1_short", "h0_C_BQ9_s-p3J8GmQKUz2CWw", first + "x", "019aa111-0000-7000-8000-000000000000"} {
			if IsID(text) {
				t.Errorf("%q is taken for one", text)
			}
		}
	})
}

type vault struct {
	text *string
	err  error
}

func (v vault) GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	return &secretsmanager.GetSecretValueOutput{SecretString: v.text}, v.err
}

func TestLoadSecret(t *testing.T) {
	if got, err := LoadSecret(t.Context(), vault{text: aws.String(string(secret))}, "visitors"); err != nil || string(got) != string(secret) {
		t.Errorf("got %d bytes and %v", len(got), err)
	}
	for want, v := range map[string]vault{
		"must have at least 32 characters": {text: aws.String("short")},
		"read visitor secret visitors: no": {err: errors.New("no")},
		"visitor secret visitors must":     {},
	} {
		if _, err := LoadSecret(t.Context(), v, "visitors"); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "short") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
