// Command shopstream is the operator's tool: it shows the pipeline at work on
// this machine, makes traffic, balances the ledger, keeps the shops, takes stored
// events through again, forgets visitors and says what is missing.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/shopstream/shopstream/internal/process"
)

func main() {
	process.Init()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	root := &cobra.Command{
		Use:           "shopstream",
		Short:         "Show, load, check and operate a Shopstream pipeline",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(demoCommand(), simulateCommand(), ledgerCommand(), shopsCommand(), replayCommand(), eraseCommand(), trackerCommand(), shopCommand(),
		doctorCommand(), planGuardCommand())
	root.CompletionOptions.HiddenDefaultCmd = true
	if err := root.ExecuteContext(ctx); err != nil {
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			err = errors.New("interrupted; everything that was started is stopped")
		}
		fmt.Fprintln(os.Stderr, "shopstream:", err)
		os.Exit(1)
	}
}
