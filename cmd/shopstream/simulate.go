package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/shopstream/shopstream/internal/traffic"
)

// simulationFlags are those of every command that simulates shoppers.
func simulationFlags(cmd *cobra.Command) func() (traffic.Simulation, error) {
	shops := cmd.Flags().Int("shops", 3, "shops, 1 to 100; their keys are pk_shop-01, pk_shop-02, …")
	sessions := cmd.Flags().Int("sessions", 2000, "visits of all shops together; one has some 4 events")
	seed := cmd.Flags().Uint64("seed", 1, "the same seed and end give the same events")
	end := cmd.Flags().String("end", "", "time of the last visits in RFC 3339; visits spread over the hour before (default now)")
	return func() (traffic.Simulation, error) {
		s := traffic.Simulation{Shops: *shops, Sessions: *sessions, Seed: *seed, End: time.Now()}
		if *end != "" {
			var err error
			if s.End, err = time.Parse(time.RFC3339, *end); err != nil {
				return s, fmt.Errorf("--end must be a time such as 2026-01-31T12:00:00Z, got %q", *end)
			}
		}
		return s, s.Validate()
	}
}

func simulateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Send what simulated shoppers do to a collector",
		Long: `Simulate makes realistic shoppers of several shops: visits with searches, products,
carts, checkouts and purchases, some sent twice and some broken as shops break them.
It is the load generator too. The shops' keys must be in the collector's registry;
the demo's are.`,
		Example: `  shopstream simulate --collector http://127.0.0.1:8080 --sessions 10000
  shopstream simulate --out batches.jsonl --seed 7 --end 2026-01-31T12:00:00Z`,
		Args: cobra.NoArgs,
	}
	simulation := simulationFlags(cmd)
	var sender traffic.Sender
	cmd.Flags().StringVar(&sender.Collector, "collector", "", "URL of the collector to send to")
	cmd.Flags().IntVar(&sender.Connections, "connections", 8, "requests at once")
	cmd.Flags().IntVar(&sender.EventsPerSecond, "rate", 0, "events a second (default as fast as the collector answers)")
	out := cmd.Flags().String("out", "", "write the batches to this file, one a line, instead of sending them; - for standard output")
	cmd.MarkFlagsOneRequired("collector", "out")
	cmd.MarkFlagsMutuallyExclusive("collector", "out")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := simulation()
		if err != nil {
			return err
		}
		source, err := s.Source()
		if err != nil {
			return err
		}
		if *out != "" {
			return writeBatches(*out, source)
		}
		var sent traffic.Sent
		progress := newSteps(os.Stderr)
		err = progress.run("send", func(report func(int, int)) error {
			sent, err = sender.Send(cmd.Context(), source, func(s traffic.Sent) { report(s.Acknowledged, 0) })
			return err
		})
		if b, encodeErr := json.Marshal(sent); encodeErr == nil {
			fmt.Println(string(b))
		}
		if err == nil && len(sent.Refused) > 0 {
			err = fmt.Errorf("the collector refused events: %v", sent.Refused)
		}
		return err
	}
	return cmd
}

func writeBatches(path string, source traffic.Source) (err error) {
	var w io.Writer = os.Stdout
	if path != "-" {
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		defer func() {
			if closeErr := f.Close(); err == nil {
				err = closeErr
			}
		}()
		w = f
	}
	lines := json.NewEncoder(w)
	for batch := range source.Batches {
		if err := lines.Encode(batch); err != nil {
			return err
		}
	}
	return nil
}
