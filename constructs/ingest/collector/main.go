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
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/shopstream/shopstream/internal/putrecords"
)

// shutdownTimeout is shorter than the task's stop timeout of 60 s, after which
// ECS kills.
const shutdownTimeout = 50 * time.Second

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Getenv); err != nil {
		slog.Error("collector ended", "error", err)
		os.Exit(1)
	}
}

// settings come from the task definition's environment.
type settings struct{ listen, stream, table string }

func settingsFrom(getenv func(string) string) (settings, error) {
	s := settings{getenv("LISTEN"), getenv("GATEWAY_STREAM"), getenv("REGISTRY_TABLE")}
	var errs []error
	for _, name := range []string{"LISTEN", "GATEWAY_STREAM", "REGISTRY_TABLE"} {
		if getenv(name) == "" {
			errs = append(errs, fmt.Errorf("environment variable %s is required", name))
		}
	}
	return s, errors.Join(errs...)
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
	listener, err := net.Listen("tcp", set.listen)
	if err != nil {
		return fmt.Errorf("%w; choose another address with LISTEN", err)
	}

	s := &server{
		registry: newRegistry(dynamodb.NewFromConfig(cfg), set.table, time.Now),
		producer: newProducer(putrecords.Writer{Client: putrecords.NewClient(cfg), Stream: set.stream}, time.Now),
		now:      time.Now,
	}
	producing, stopProducing := context.WithCancel(context.Background())
	produced := make(chan struct{})
	go func() { s.producer.run(producing); close(produced) }()
	go s.becomeReady(ctx)

	httpServer := &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      40 * time.Second, // it begins before the body is read
		IdleTimeout:       75 * time.Second, // longer than the load balancer's 60 s, so that it never uses a closed connection
		MaxHeaderBytes:    16 << 10,
	}
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

// becomeReady waits for the registry.
func (s *server) becomeReady(ctx context.Context) {
	for ctx.Err() == nil {
		asking, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := s.registry.ready(asking)
		cancel()
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
