package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/spf13/cobra"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/internal/shops"
)

func shopsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "shops",
		Short: "Onboard shops and keep their registry",
		Long: `Shops writes the registry, of which collectors take notice within a minute: no change to
a shop is a deploy. ` + atWork,
		Example: `  shopstream shops add shoes --origin https://shoes.example --env prod
  shopstream shops list --env prod`,
		Args: cobra.NoArgs,
	}
	open := deployedFlag(cmd)
	table := cmd.PersistentFlags().String("table", "", "the registry's table; default shopstream-ENV-shops")
	registry := func(ctx context.Context) (shops.Registry, error) {
		d, err := open(ctx)
		return shops.Registry{Client: dynamodb.NewFromConfig(d.aws), Table: cmp.Or(*table, d.name("shops"))}, err
	}
	cmd.AddCommand(addShopCommand(registry), listShopsCommand(registry), disableShopCommand(registry), rotateKeyCommand(registry), bindClientCommand(registry))
	return cmd
}

type openRegistry func(context.Context) (shops.Registry, error)

func addShopCommand(open openRegistry) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add SHOP",
		Short: "Register a shop and print its publishable key",
		Long: `Add registers a shop under an id that is new and stays for ever. It makes the publishable
key, which it prints, and the salt of the shop's visitor ids, which nobody sees.`,
		Args: cobra.ExactArgs(1),
	}
	var s event.Shop
	flags := cmd.Flags()
	flags.StringArrayVar(&s.Origins, "origin", nil, "origin that the shop's pages are served from, such as https://shop.example; repeatable; default any")
	flags.IntVar(&s.EventsPerSecond, "events-per-second", 100, "more are answered with 429; 1 to 1000000")
	flags.StringArrayVar(&s.ClientIDs, "client", nil, "Cognito client whose server may send for the shop; repeatable")
	never := flags.Bool("consent-never", false, "know nobody again, whatever is sent")
	flags.StringArrayVar(&s.KeepParameters, "keep-parameter", nil, "parameter that the shop's URLs keep besides the usual ones; repeatable")
	flags.IntVar(&s.RetentionDays, "retention-days", 0, "how long its events are kept; default as long as the lake keeps any")
	flags.BoolVar(&s.Backfill, "backfill", false, "the key imports history: events count as received when their batch was sent")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if s.ID = args[0]; *never {
			s.Consent = event.ConsentNever
		}
		registry, err := open(cmd.Context())
		if err != nil {
			return err
		}
		added, err := registry.Add(cmd.Context(), s)
		if err != nil {
			return err
		}
		fmt.Println(added.Key)
		return nil
	}
	return cmd
}

func listShopsCommand(open openRegistry) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "Show every shop and its keys", Args: cobra.NoArgs}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		registry, err := open(cmd.Context())
		if err != nil {
			return err
		}
		all, err := registry.List(cmd.Context())
		if err != nil {
			return err
		}
		printShops(os.Stdout, all)
		return nil
	}
	return cmd
}

func printShops(w io.Writer, all []event.Shop) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SHOP\tKEY\tSTATE\tEVENTS/S\tORIGINS\tCLIENTS\tCONSENT")
	for _, s := range all {
		state := "on"
		switch {
		case s.Disabled:
			state = "off"
		case s.Backfill:
			state = "on, imports history"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", s.ID, s.Key, state, s.EventsPerSecond,
			cmp.Or(strings.Join(s.Origins, " "), "any"), cmp.Or(strings.Join(s.ClientIDs, " "), "none"), cmp.Or(string(s.Consent), "asked"))
	}
	table.Flush()
}

func disableShopCommand(open openRegistry) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "disable SHOP",
		Short: "Refuse a shop's events, or take them again",
		Long: `Disable switches all of a shop's keys off: within a minute, collectors answer 403. What it
sent before stays. --undo switches them on again.`,
		Args: cobra.ExactArgs(1),
	}
	undo := cmd.Flags().Bool("undo", false, "take the shop's events again")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		registry, err := open(cmd.Context())
		if err != nil {
			return err
		}
		return registry.SetDisabled(cmd.Context(), args[0], !*undo)
	}
	return cmd
}

func rotateKeyCommand(open openRegistry) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate-key SHOP",
		Short: "Give a shop another publishable key and print it",
		Long: `Rotate-key adds a key to a shop. The old one stays valid, because pages with it lie in
caches and apps: once the shop has changed its pages and nothing arrives under the old key,
take it away with --drop-old KEY. A shop's visitors stay the same under every key.`,
		Example: `  shopstream shops rotate-key shoes --env prod
  shopstream shops rotate-key shoes --drop-old pk_… --env prod`,
		Args: cobra.ExactArgs(1),
	}
	old := cmd.Flags().String("drop-old", "", "take this key away, and make none")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		registry, err := open(cmd.Context())
		if err != nil {
			return err
		}
		if *old != "" {
			return registry.DropKey(cmd.Context(), args[0], *old)
		}
		s, err := registry.RotateKey(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		fmt.Println(s.Key)
		return nil
	}
	return cmd
}

func bindClientCommand(open openRegistry) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bind-client SHOP CLIENT",
		Short: "Let an integrator's server send for a shop",
		Long: `Bind-client adds the id of a Cognito client to a shop: events that its server sends with
its token count as the server's own word. Binding it twice changes nothing.`,
		Args: cobra.ExactArgs(2),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		registry, err := open(cmd.Context())
		if err != nil {
			return err
		}
		return registry.BindClient(cmd.Context(), args[0], args[1])
	}
	return cmd
}
