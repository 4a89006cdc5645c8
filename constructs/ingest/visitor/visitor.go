// Package visitor makes the ids under which shoppers are known: the collector
// stores events under them, an erasure finds events by them.
package visitor

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"regexp"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/shopstream/shopstream/constructs/event"
)

// minSecretBytes is what nobody guesses.
const minSecretBytes = 32

// SecretsAPI is the part of Secrets Manager's client that LoadSecret uses.
type SecretsAPI interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// LoadSecret returns the secret that all visitor ids are made with.
func LoadSecret(ctx context.Context, client SecretsAPI, id string) ([]byte, error) {
	out, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id})
	if err != nil {
		return nil, fmt.Errorf("read visitor secret %s: %w", id, err)
	}
	if out.SecretString == nil || len(*out.SecretString) < minSecretBytes {
		return nil, fmt.Errorf("visitor secret %s must have at least %d characters", id, minSecretBytes)
	}
	return []byte(*out.SecretString), nil
}

// Pseudonyms makes a shop's visitor ids: without the secret and the shop's salt
// nobody can tell whose they are, and no two shops have the same.
type Pseudonyms struct {
	macs   sync.Pool // of hash.Hash: a new one costs more than an id
	prefix string
}

// NewPseudonyms returns nil for a shop without a salt.
func NewPseudonyms(secret []byte, shop event.Shop) (*Pseudonyms, error) {
	if len(shop.Salt) == 0 {
		return nil, nil
	}
	version := max(shop.HashVersion, 1)
	key, err := hkdf.Key(sha256.New, secret, shop.Salt, fmt.Sprintf("shopstream visitor %d", version), sha256.Size)
	if err != nil {
		return nil, errors.New("derive the key of visitor ids")
	}
	return &Pseudonyms{
		macs:   sync.Pool{New: func() any { return hmac.New(sha256.New, key) }},
		prefix: fmt.Sprintf("h%d_", version),
	}, nil
}

// Of returns the visitor's id: the first 128 bits of an HMAC-SHA-256.
func (p *Pseudonyms) Of(visitor []byte) string {
	mac := p.macs.Get().(hash.Hash)
	defer p.macs.Put(mac)
	mac.Reset()
	mac.Write(visitor) // never fails
	return p.prefix + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}

var idFormat = regexp.MustCompile(`^h[1-9][0-9]*_[A-Za-z0-9_-]{22}$`)

// IsID says whether a text is an id that Pseudonyms made, or looks like one.
func IsID(text string) bool { return idFormat.MatchString(text) }
