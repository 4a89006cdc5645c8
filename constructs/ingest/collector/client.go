package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"
)

// The fronts that the collector stands behind, and what the API says with each
// request. The package ingest sets them.
const (
	frontAPI          = "api"
	frontLoadBalancer = "loadbalancer"
	clientHeader      = "X-Shopstream-Client-Id"
	anonymousClient   = "anonymous"
)

var errNoToken = refusal{http.StatusUnauthorized, "token_missing", "the token is missing or not valid", ""}

// identify returns the client that a server's request comes from, or a refusal.
type identify func(*http.Request) (client string, err error)

// nobody believes no client.
func nobody(*http.Request) (string, error) { return "", errNoToken }

// fromHeader believes the API, which checked the token and lets nobody else
// write the header.
func fromHeader(r *http.Request) (string, error) {
	values := r.Header.Values(clientHeader)
	if len(values) != 1 || values[0] == "" || values[0] == anonymousClient {
		return "", errNoToken
	}
	return values[0], nil
}

// claims are what Cognito says in an access token.
type claims struct {
	jwt.RegisteredClaims
	Use      string `json:"token_use"`
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"` // several, with spaces between
}

// fromToken verifies tokens itself, against keys that issuer publishes. These
// are kept and fetched again each hour, and at most once a minute for a key
// that is not among them: tokens are their sender's to make up.
func fromToken(ctx context.Context, issuer, scope string, now func() time.Time) (identify, error) {
	keys, err := keyfunc.NewDefaultOverrideCtx(ctx, []string{issuer + "/.well-known/jwks.json"}, keyfunc.Override{
		HTTPTimeout:       2 * time.Second,
		RateLimitWaitMax:  time.Millisecond,
		RefreshInterval:   time.Hour,
		RefreshUnknownKID: rate.NewLimiter(rate.Every(time.Minute), 1),
		RefreshErrorHandlerFunc: func(string) func(context.Context, error) {
			return func(_ context.Context, err error) { slog.Warn("the keys of tokens cannot be fetched", "error", err) }
		},
	})
	if err != nil {
		return nil, fmt.Errorf("keys of %s: %w", issuer, err)
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(issuer), jwt.WithExpirationRequired(), jwt.WithTimeFunc(now))
	return func(r *http.Request) (string, error) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			return "", errNoToken
		}
		var c claims
		if _, err := parser.ParseWithClaims(token, &c, keys.Keyfunc); err != nil {
			if known, _ := keys.Storage().KeyReadAll(r.Context()); len(known) == 0 && errors.Is(err, jwt.ErrTokenUnverifiable) {
				return "", errors.New("no keys of tokens are known")
			}
			return "", errNoToken
		}
		if c.Use != "access" || c.ClientID == "" || !slices.Contains(strings.Fields(c.Scope), scope) {
			return "", errNoToken
		}
		return c.ClientID, nil
	}, nil
}
