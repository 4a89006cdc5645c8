package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/spf13/cobra"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/constructs/ingest/visitor"
	"github.com/shopstream/shopstream/internal/erase"
	"github.com/shopstream/shopstream/internal/ledger"
	"github.com/shopstream/shopstream/internal/shops"
)

func eraseCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "erase",
		Short: "Forget a visitor of a shop, and report what ends when",
		Long: `Erase writes a tombstone, from which on no reader shows what the shop received of the
visitor until now; deletes the visitor's items in the online table; and empties the visitor's
records in the quarantine, older versions included. All other copies end by retention: the
report says when. It can be run again, and says then what came meanwhile.
` + atWork,
		Example: `  shopstream erase --env prod --shop shoes --visitor h1_mN3vBq0cT4y7R2zXk8LwPA --dry-run
  shopstream erase --env prod --shop shoes --visitor 5f2d… --report erasure.json`,
		Args: cobra.NoArgs,
	}
	open := deployedFlag(cmd)
	flags := cmd.Flags()
	shop := flags.String("shop", "", "the shop's id")
	who := flags.String("visitor", "", "the visitor's id: as the shop sent it, or as it is stored (h1_…)")
	dryRun := flags.Bool("dry-run", false, "count and report; write and delete nothing")
	path := flags.String("report", "", "write the evidence to this file, as JSON")
	for _, flag := range []string{"shop", "visitor"} {
		if err := cmd.MarkFlagRequired(flag); err != nil {
			panic(err) // the flag is defined above
		}
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		d, err := open(cmd.Context())
		if err != nil {
			return err
		}
		ids, err := d.visitor(cmd.Context(), *shop, *who)
		if err != nil {
			return err
		}
		var reports []erase.Report
		for _, id := range ids {
			report, err := d.eraser().Erase(cmd.Context(), erase.Tombstone{ShopID: *shop, VisitorID: id, ErasedAt: time.Now()}, *dryRun)
			if err != nil {
				return err
			}
			printErasure(os.Stdout, report)
			reports = append(reports, report)
		}
		if *path == "" {
			return nil
		}
		b, err := json.MarshalIndent(reports, "", "  ")
		if err != nil {
			return err
		}
		return os.WriteFile(*path, append(b, '\n'), 0o600)
	}
	return cmd
}

func (d deployed) eraser() erase.Eraser {
	return erase.Eraser{
		S3: ledger.NewS3(d.aws), DynamoDB: dynamodb.NewFromConfig(d.aws), Kinesis: kinesis.NewFromConfig(d.aws),
		Stores: erase.Stores{
			Raw: d.bucket("raw"), Quarantine: d.bucket("quarantine"), Online: d.name("online"),
			Streams: []string{d.name("gateway"), d.name("events")},
			Buckets: []string{d.bucket("failed"), d.bucket("landing"), d.bucket("transformed"), d.bucket("athena-results")},
		},
	}
}

// visitor returns the ids under which a shop's visitor is stored.
func (d deployed) visitor(ctx context.Context, shop, id string) ([]string, error) {
	items, err := (shops.Registry{Client: dynamodb.NewFromConfig(d.aws), Table: d.name("shops")}).Items(ctx, shop)
	if err != nil {
		return nil, err
	}
	if visitor.IsID(id) {
		return []string{id}, nil
	}
	secret, err := visitor.LoadSecret(ctx, secretsmanager.NewFromConfig(d.aws), d.name("visitors"))
	if err != nil {
		return nil, fmt.Errorf("%w; an id as it is stored (h1_…) needs no secret", err)
	}
	return storedIDs(secret, items[0], id)
}

// storedIDs are a visitor's of every version that the shop's ids had.
func storedIDs(secret []byte, shop event.Shop, id string) (ids []string, err error) {
	if len(shop.Salt) == 0 {
		return nil, fmt.Errorf("shop %q has no salt, so that nobody is known again: there is nothing to erase", shop.ID)
	}
	newest := max(shop.HashVersion, 1)
	for shop.HashVersion = 1; shop.HashVersion <= newest; shop.HashVersion++ {
		pseudonyms, err := visitor.NewPseudonyms(secret, shop)
		if err != nil {
			return nil, err
		}
		ids = append(ids, pseudonyms.Of([]byte(id)))
	}
	return ids, nil
}

func printErasure(w io.Writer, r erase.Report) {
	what := "erased"
	if r.DryRun {
		what = "would be erased"
	}
	fmt.Fprintf(w, "shop %s, visitor %s: all until %s %s\ntombstone: %s\n\n", r.ShopID, r.VisitorID, r.ErasedAt.Format(time.RFC3339), what, r.Object)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "STORE\tHOLDS\tERASED\tLAST COPY ENDS\tBY")
	for _, s := range r.Stores {
		ends := "never"
		if s.EndsAt != nil {
			ends = s.EndsAt.Format(time.DateOnly)
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\n", s.Name, s.Holds, s.Erased, ends, s.By)
	}
	table.Flush()
}
