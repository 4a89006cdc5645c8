package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/shopstream/shopstream/cmd/shopstream/shop"
	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/internal/emulator"
	"github.com/shopstream/shopstream/internal/process"
)

// shopCommand serves the demo's shop until it is ended. The demo starts it.
func shopCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "shop", Short: "Serve the demo's shop", Args: cobra.NoArgs, Hidden: true}
	options := shop.Options{Key: shop.Key}
	cmd.Flags().StringVar(&options.Collector, "collector", "", "URL of the collector that its events go to")
	listen := cmd.Flags().String("listen", "127.0.0.1:0", "address of the shop")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		handler, err := shop.New(options)
		if err != nil {
			return err
		}
		listener, err := net.Listen("tcp", *listen)
		if err != nil {
			return err
		}
		server := http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
		stop := context.AfterFunc(cmd.Context(), func() { server.Close() })
		defer stop()
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}
	return cmd
}

// openShop registers the shop and serves it to this machine's browsers.
func (d *demo) openShop(ctx context.Context) error {
	address, err := emulator.Reserve("127.0.0.1:0")
	if err != nil {
		return err
	}
	d.endpoints.Shop = "http://" + address
	if err := d.register(ctx, event.Shop{Key: shop.Key, ID: shop.ID, EventsPerSecond: 1000, Origins: []string{d.endpoints.Shop}}); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	served, err := d.group.Start(process.Command{
		Name: "shop", Dir: d.root, Args: []string{self, "shop", "--collector", d.endpoints.Collector, "--listen", address},
	})
	if err != nil {
		return err
	}
	d.watch(ctx, served)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		response, err := http.Get(d.endpoints.Shop)
		if err == nil {
			return response.Body.Close()
		}
		if served.Err() != nil || time.Now().After(deadline) {
			return fmt.Errorf("the shop does not answer: %w", errors.Join(served.Err(), err))
		}
	}
}
