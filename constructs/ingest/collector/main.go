// Command collector takes batches of events over HTTP and writes them to the
// gateway stream. It answers 202 only when Kinesis has acknowledged every
// event; until then the sender keeps them.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/shopstream/shopstream/constructs/ingest/visitor"
	"github.com/shopstream/shopstream/internal/putrecords"
)

// shutdownTimeout is shorter than the task's stop timeout of 60 s, after which
// ECS kills.
const shutdownTimeout = 50 * time.Second

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // the heap is small; GOMEMLIMIT is the task's bound
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Getenv); err != nil {
		slog.Error("collector ended", "error", err)
		os.Exit(1)
	}
}

// settings come from the task definition's environment.
type settings struct {
	listen, metricsListen string
	stream, table         string
	cluster, secret       string
	front, issuer, scope  string // empty where no client is believed
}

func settingsFrom(getenv func(string) string) (s settings, err error) {
	var errs []error
	need := func(name string) string {
		value := getenv(name)
		if value == "" {
			errs = append(errs, fmt.Errorf("environment variable %s is required", name))
		}
		return value
	}
	s = settings{
		listen: need("LISTEN"), metricsListen: need("METRICS_LISTEN"),
		stream: need("GATEWAY_STREAM"), table: need("REGISTRY_TABLE"),
		cluster: need("CLUSTER"), secret: need("VISITOR_SECRET"), front: getenv("FRONT"),
	}
	switch s.front {
	case "", frontAPI:
	case frontLoadBalancer:
		s.issuer, s.scope = need("TOKEN_ISSUER"), need("TOKEN_SCOPE")
	default:
		errs = append(errs, fmt.Errorf("environment variable FRONT must be %s or %s, got %q", frontAPI, frontLoadBalancer, s.front))
	}
	return s, errors.Join(errs...)
}

func (s settings) identify(ctx context.Context) (identify, error) {
	switch s.front {
	case frontAPI:
		return fromHeader, nil
	case frontLoadBalancer:
		return fromToken(ctx, s.issuer, s.scope, time.Now)
	}
	return nobody, nil
}

func run(ctx context.Context, getenv func(string) string) error {
	set, err := settingsFrom(getenv)
	if err != nil {
		return err
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return fmt.Errorf("load AWS configuration: %w", err)
	}
	identify, err := set.identify(ctx)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", set.listen)
	if err != nil {
		return fmt.Errorf("%w; choose another address with LISTEN", err)
	}
	metricsListener, err := net.Listen("tcp", set.metricsListen)
	if err != nil {
		return fmt.Errorf("%w; choose another address with METRICS_LISTEN", err)
	}
	m := newMeters()
	s := newServer(
		newRegistry(dynamodb.NewFromConfig(cfg), set.table, time.Now),
		newProducer(putrecords.Writer{Client: putrecords.NewClient(cfg), Stream: set.stream}, time.Now, m),
		identify, &tasks{client: ecs.NewFromConfig(cfg), cluster: set.cluster}, m,
	)
	var background sync.WaitGroup // ends with ctx
	background.Go(func() { s.becomeReady(ctx, secretsmanager.NewFromConfig(cfg), set.secret) })
	background.Go(func() { s.tasks.run(ctx) })

	// The fronts do not reach this port.
	metrics := newHTTPServer(m.handler())
	go func() { _ = metrics.Serve(metricsListener) }()
	defer metrics.Close()
	publishing, stopPublishing := context.WithCancel(context.Background())
	background.Go(func() { m.publish(publishing, os.Stdout, set.cluster) })

	err = s.serve(ctx, listener)
	stopPublishing()
	background.Wait()
	return err
}

func newHTTPServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       20 * time.Second,
		WriteTimeout:      30 * time.Second, // it begins before the body is read
		IdleTimeout:       75 * time.Second, // longer than the load balancer's 60 s, so that it never uses a closed connection
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelWarn), // of connections, with addresses
	}
}

// serve answers until ctx ends, and returns when Kinesis has all that was
// taken, or nobody waits for it any more.
func (s *server) serve(ctx context.Context, listener net.Listener) (err error) {
	producing, stopProducing := context.WithCancel(context.Background())
	produced := make(chan struct{})
	go func() { s.producer.run(producing); close(produced) }()
	httpServer := newHTTPServer(s.routes())
	served := make(chan error, 1)
	go func() { served <- httpServer.Serve(listener) }()
	slog.Info("collector listens", "address", listener.Addr().String(), "instance", s.producer.instance)

	select {
	case err = <-served:
		err = fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	s.ready.Store(false)
	slog.Info("collector drains")
	draining, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	err = errors.Join(err, httpServer.Shutdown(draining), s.producer.drain(draining))
	stopProducing()
	<-produced
	return err
}

// becomeReady waits for the visitor secret and for the registry.
func (s *server) becomeReady(ctx context.Context, secrets visitor.SecretsAPI, id string) {
	for ctx.Err() == nil {
		err := s.load(ctx, secrets, id)
		if err == nil {
			s.ready.Store(true)
			return
		}
		slog.Warn("collector is not ready", "error", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

func (s *server) load(ctx context.Context, secrets visitor.SecretsAPI, id string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if s.registry.secret.Load() == nil {
		secret, err := visitor.LoadSecret(ctx, secrets, id)
		if err != nil {
			return err
		}
		s.registry.secret.Store(&secret)
	}
	return s.registry.ready(ctx)
}
