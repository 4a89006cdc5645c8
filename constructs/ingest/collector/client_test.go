package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/shopstream/shopstream/constructs/event"
)

// hats takes events of one client's servers.
var hats = event.Shop{Key: "pk_hats", ID: "hats", EventsPerSecond: 1000, ClientIDs: []string{"other", "hatter"}, Origins: []string{"https://hats.example"}}

func serverPost(key string, headers ...string) *http.Request {
	r := httptest.NewRequest("POST", "/v1/server/events", nil)
	r.Body = post(batch(key, deed("ann", 0))).Body
	r.Header.Set("User-Agent", "ERP/1.0")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func TestServersBehindTheAPI(t *testing.T) {
	run := func(name string, test func(t *testing.T, c *collector)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, newCollector(t, hats)) })
		})
	}
	run("write for shops that they are bound to, and are trusted", func(t *testing.T, c *collector) {
		if w := c.serve(serverPost(hats.Key, clientHeader, "hatter")); w.Code != http.StatusAccepted {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
		if got := c.gateway.events()[0]; got.Trust != event.TrustServer || got.UserAgent != "" || got.IP != "" {
			t.Errorf("got %+v, want trust in a server, and nothing of the server for the shopper", got)
		}
	})
	run("do not write for other shops", func(t *testing.T, c *collector) {
		for _, r := range []*http.Request{serverPost(shoes.Key, clientHeader, "hatter"), serverPost(hats.Key, clientHeader, "shoemaker")} {
			checkRefusal(t, c, c.serve(r), http.StatusForbidden, "client_not_bound", "/shop")
		}
	})
	run("are nobody where the API does not say who they are", func(t *testing.T, c *collector) {
		for _, headers := range [][]string{{}, {clientHeader, ""}, {clientHeader, anonymousClient}, {clientHeader, "hatter", clientHeader, "other"}} {
			checkRefusal(t, c, c.serve(serverPost(hats.Key, headers...)), http.StatusUnauthorized, "token_missing", "")
		}
	})
	run("are not trusted on the route of browsers", func(t *testing.T, c *collector) {
		r := post(batch(hats.Key, deed("ann", 0)))
		r.Header.Set(clientHeader, "hatter")
		if w := c.serve(r); w.Code != http.StatusAccepted || c.gateway.events()[0].Trust != event.TrustBrowser {
			t.Errorf("got %d", w.Code)
		}
	})
	run("are nobody in a core", func(t *testing.T, c *collector) {
		c.identify = nobody
		checkRefusal(t, c, c.serve(serverPost(hats.Key, clientHeader, "hatter")), http.StatusUnauthorized, "token_missing", "")
	})
}

// issuer is a user pool with one key.
type issuer struct {
	*httptest.Server
	key     *rsa.PrivateKey
	away    atomic.Bool
	fetched atomic.Int64
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.fetched.Add(1)
		if i.away.Load() || r.URL.Path != "/.well-known/jwks.json" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{map[string]string{
			"kid": "first", "kty": "RSA", "alg": "RS256", "use": "sig",
			"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()), "e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
		}}})
	}))
	t.Cleanup(i.Close)
	return i
}

// token is a good one, but for what change makes of it.
func (i *issuer) token(t *testing.T, change func(jwt.MapClaims, *jwt.Token) any) string {
	t.Helper()
	claims := jwt.MapClaims{
		"iss": i.URL, "exp": time.Now().Add(time.Hour).Unix(), "token_use": "access", "client_id": "hatter", "scope": "openid shopstream/events.send",
	}
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	token.Header["kid"] = "first"
	var key any = i.key
	if other := change(claims, token); other != nil {
		key = other
	}
	signed, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestServersBehindTheLoadBalancer(t *testing.T) {
	pool := newIssuer(t)
	c := newCollector(t, hats)
	var err error
	if c.identify, err = fromToken(t.Context(), pool.URL, "shopstream/events.send", time.Now); err != nil {
		t.Fatal(err)
	}
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := pool.token(t, func(jwt.MapClaims, *jwt.Token) any { return nil })
	t.Run("are whom their token says", func(t *testing.T) {
		if w := c.serve(serverPost(hats.Key, "Authorization", "Bearer "+good)); w.Code != http.StatusAccepted {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
		if w := c.serve(serverPost(shoes.Key, "Authorization", "Bearer "+good)); w.Code != http.StatusForbidden {
			t.Errorf("got %d for another's shop, want 403", w.Code)
		}
	})
	for name, token := range map[string]string{
		"with no token":              "",
		"with text for a token":      "hatter",
		"with a token that was cut":  good[:len(good)-4],
		"with a token that is over":  pool.token(t, func(c jwt.MapClaims, _ *jwt.Token) any { c["exp"] = time.Now().Add(-time.Minute).Unix(); return nil }),
		"with one that never ends":   pool.token(t, func(c jwt.MapClaims, _ *jwt.Token) any { delete(c, "exp"); return nil }),
		"with another pool's":        pool.token(t, func(c jwt.MapClaims, _ *jwt.Token) any { c["iss"] = "https://evil.example"; return nil }),
		"with another key's":         pool.token(t, func(jwt.MapClaims, *jwt.Token) any { return stranger }),
		"with one of no known key":   pool.token(t, func(_ jwt.MapClaims, t *jwt.Token) any { t.Header["kid"] = "second"; return nil }),
		"with an id token":           pool.token(t, func(c jwt.MapClaims, _ *jwt.Token) any { c["token_use"] = "id"; return nil }),
		"with one without a client":  pool.token(t, func(c jwt.MapClaims, _ *jwt.Token) any { delete(c, "client_id"); return nil }),
		"with one for another scope": pool.token(t, func(c jwt.MapClaims, _ *jwt.Token) any { c["scope"] = "shopstream/events.sendall openid"; return nil }),
		"with one that is signed with the public key": pool.token(t, func(_ jwt.MapClaims, t *jwt.Token) any {
			t.Method = jwt.SigningMethodHS256
			t.Header["alg"] = "HS256"
			public, _ := x509.MarshalPKIXPublicKey(&pool.key.PublicKey)
			return public
		}),
		"with one that is not signed": pool.token(t, func(_ jwt.MapClaims, t *jwt.Token) any {
			t.Method = jwt.SigningMethodNone
			t.Header["alg"] = "none"
			return jwt.UnsafeAllowNoneSignatureType
		}),
	} {
		t.Run("are nobody "+name, func(t *testing.T) {
			sent := c.gateway.sent()
			w := c.serve(serverPost(hats.Key, "Authorization", "Bearer "+token, clientHeader, "hatter"))
			if a := read(t, w); w.Code != http.StatusUnauthorized || a.Error.Code != "token_missing" || c.gateway.sent() != sent {
				t.Errorf("got %d %+v, want 401 and nothing sent", w.Code, a.Error)
			}
		})
	}
	t.Run("do not make the collector fetch keys with each token", func(t *testing.T) {
		before := pool.fetched.Load()
		unknown := pool.token(t, func(_ jwt.MapClaims, t *jwt.Token) any { t.Header["kid"] = "third"; return nil })
		for range 50 {
			c.serve(serverPost(hats.Key, "Authorization", "Bearer "+unknown))
		}
		if n := pool.fetched.Load() - before; n > 1 {
			t.Errorf("fetched %d times", n)
		}
	})
	t.Run("go on while the keys are away", func(t *testing.T) {
		pool.away.Store(true)
		if w := c.serve(serverPost(hats.Key, "Authorization", "Bearer "+good)); w.Code != http.StatusAccepted {
			t.Errorf("got %d", w.Code)
		}
	})
	t.Run("come again where no keys are known yet", func(t *testing.T) {
		c := newCollector(t, hats)
		if c.identify, err = fromToken(t.Context(), pool.URL, "shopstream/events.send", time.Now); err != nil {
			t.Fatal(err)
		}
		checkRefusal(t, c, c.serve(serverPost(hats.Key, "Authorization", "Bearer "+good)), http.StatusServiceUnavailable, "unavailable", "")
	})
}
