package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/spf13/cobra"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/internal/emulator"
	"github.com/shopstream/shopstream/internal/ledger"
	"github.com/shopstream/shopstream/internal/process"
	"github.com/shopstream/shopstream/internal/traffic"
)

// The account and region of stacks.Local, which this program must not import:
// it would load jsii.
const (
	localAccount = "123456789012"
	localRegion  = "eu-west-1"
)

func demoCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Deploy the pipeline on this machine and take events through it",
		Long: `Demo starts an emulated AWS, has Terraform deploy the stack "local" onto it, sends
events to the collector, and then asks the data that lies in S3 what became of each.
It leaves a report in its folder and nothing else: no process, no other file.`,
		Example: `  shopstream demo
  shopstream demo --events 2019-Oct.csv
  shopstream demo --keep && shopstream ledger && shopstream demo stop
  shopstream demo --shop`,
		Args: cobra.NoArgs,
	}
	var d demo
	dir := demoDirFlag(cmd)
	simulation := simulationFlags(cmd)
	cmd.Flags().StringVar(&d.events, "events", "", "send this log of a real shop, in the REES46 format, instead of simulated shoppers")
	cmd.Flags().BoolVar(&d.keep, "keep", false, "leave all running; endpoints.json in the demo's folder says where")
	cmd.Flags().BoolVar(&d.shop, "shop", false, "also serve a shop whose pages carry the tracker, and leave all running as --keep does")
	cmd.Flags().StringVar(&d.listen, "listen", "127.0.0.1:0", "address of the collector; port 0 takes a free one")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if d.simulation, err = simulation(); err != nil {
			return err
		}
		if d.dir, d.root, err = demoDir(*dir); err != nil {
			return err
		}
		d.keep = d.keep || d.shop
		d.steps = newSteps(os.Stdout)
		return d.run(cmd.Context())
	}
	stop := &cobra.Command{
		Use:   "stop",
		Short: "Stop a demo that was kept",
		Args:  cobra.NoArgs,
	}
	stopDir := demoDirFlag(stop)
	stop.RunE = func(*cobra.Command, []string) error {
		at, _, err := demoDir(*stopDir)
		if err != nil {
			return err
		}
		return clear(at)
	}
	cmd.AddCommand(stop)
	return cmd
}

type demo struct {
	root, dir  string
	events     string
	keep       bool
	shop       bool
	listen     string
	simulation traffic.Simulation
	steps      *steps

	cancel    context.CancelCauseFunc // ends the run
	group     *process.Group
	aws       *emulator.AWS
	endpoints endpoints
	source    traffic.Source
	shops     []event.Shop
	log       *traffic.LogResult // nil for simulated shoppers
	sent      traffic.Sent
	statement ledger.Statement
}

// clear ends what runs in the demo's folder and removes what a run needs; the
// last report stays.
func clear(dir string) error {
	if err := process.Sweep(filepath.Join(dir, "run")); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(filepath.Join(dir, "run")), removeIfThere(filepath.Join(dir, "endpoints.json")))
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// run is the whole round. It checks all that can be wrong before it starts
// anything, and clears up whatever happens.
func (d *demo) run(ctx context.Context) (err error) {
	if err := errors.Join(missing(ctx, machine(d.root))...); err != nil {
		return fmt.Errorf("this machine lacks:\n%w\nshopstream doctor tells more", err)
	}
	if d.listen, err = emulator.Reserve(d.listen); err != nil {
		return err
	}
	if d.source, err = d.simulation.Source(); err != nil {
		return err
	}
	d.shops = d.source.Shops // shopstream simulate works with a kept demo, whatever that was sent
	if d.events != "" {
		file, err := os.Open(d.events)
		if err != nil {
			return err
		}
		defer file.Close()
		if d.source, d.log, err = traffic.Log(file); err != nil {
			return fmt.Errorf("%s: %w", d.events, err)
		}
		d.shops = append(d.shops, d.source.Shops...)
	}
	if err := clear(d.dir); err != nil {
		return err
	}
	if d.group, err = process.NewGroup(filepath.Join(d.dir, "run")); err != nil {
		return err
	}
	kept := false
	defer func() {
		if !kept {
			d.group.Stop()
			err = errors.Join(err, clear(d.dir))
		}
	}()

	ctx, d.cancel = context.WithCancelCause(ctx)
	defer d.cancel(nil)
	if err := d.start(ctx); err != nil {
		return causeOf(ctx, err)
	}
	if err := d.takeThrough(ctx); err != nil {
		return causeOf(ctx, err)
	}
	if err := d.tell(); err != nil {
		return err
	}
	if d.shop {
		if err := d.steps.run("open the shop", func(func(int, int)) error { return d.openShop(ctx) }); err != nil {
			return causeOf(ctx, err)
		}
	}
	if d.keep {
		kept = true
		return errors.Join(d.keepRunning(), d.verdict())
	}
	stack := d.stackDir()
	if err := d.steps.run("destroy the stack", func(func(int, int)) error { return d.aws.Destroy(ctx, stack) }); err != nil {
		return causeOf(ctx, err)
	}
	return d.verdict()
}

// causeOf prefers the reason for which ctx ended, such as a program that died,
// to what followed from it.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// watch cancels the run when a program ends before it.
func (d *demo) watch(ctx context.Context, programs ...*process.Process) {
	for _, p := range programs {
		go func() {
			select {
			case <-ctx.Done():
			case <-p.Done():
				d.cancel(fmt.Errorf("%s ended before the demo did: %w", p.Name, cmp.Or(p.Err(), errors.New("it was asked to"))))
			}
		}()
	}
}

func (d *demo) stackDir() string {
	return filepath.Join(d.dir, "run", "cdktf.out", "stacks", "local")
}

// start brings up emulated AWS, the stack and the collector.
func (d *demo) start(ctx context.Context) error {
	err := d.steps.run("synthesize the stack", func(func(int, int)) error {
		return d.group.Run(ctx, process.Command{
			Name: "synth", Args: []string{filepath.Join(d.root, "build", "infrastructure")}, Dir: d.root,
			Env: append(os.Environ(), "SHOPSTREAM_STACKS=local", "CDKTF_OUTDIR="+filepath.Join(d.dir, "run", "cdktf.out")),
		})
	})
	if err != nil {
		return err
	}
	err = d.steps.run("start emulated AWS", func(func(int, int)) (err error) {
		d.aws, err = emulator.Start(ctx, emulator.Options{
			Root: d.root, Dir: filepath.Join(d.dir, "run", "aws"), Region: localRegion, Account: localAccount, Group: d.group,
		})
		return err
	})
	if err != nil {
		return err
	}
	d.watch(ctx, d.aws.Programs()...)
	err = d.steps.run("terraform apply", func(report func(int, int)) error { return d.deploy(ctx, report) })
	if err != nil {
		return err
	}
	return d.steps.run("start the collector", func(func(int, int)) error {
		if err := d.register(ctx, d.shops...); err != nil {
			return err
		}
		collector, url, err := d.aws.RunCollector(ctx, filepath.Join(d.root, "build", "collector"), d.endpoints.Outputs.CollectorTaskDefinition, d.listen)
		if err != nil {
			return err
		}
		d.endpoints.Collector = url
		d.watch(ctx, collector)
		return nil
	})
}

func (d *demo) deploy(ctx context.Context, report func(done, total int)) error {
	total := 0
	if b, err := os.ReadFile(filepath.Join(d.stackDir(), "cdk.tf.json")); err == nil {
		var stack struct{ Resource map[string]map[string]any }
		if json.Unmarshal(b, &stack) == nil {
			for _, resources := range stack.Resource {
				total += len(resources)
			}
		}
	}
	applied := make(chan struct{})
	defer close(applied)
	go func() {
		for {
			select {
			case <-applied:
				return
			case <-time.After(250 * time.Millisecond):
				report(emulator.Created(filepath.Join(d.dir, "run", "terraform-apply.log")), total)
			}
		}
	}()
	outputs, err := d.aws.Deploy(ctx, d.stackDir())
	d.endpoints = endpoints{MiniStack: d.aws.MiniStack, Moto: d.aws.Moto, Region: d.aws.Region, Outputs: outputs}
	return err
}

// register writes shops into the registry.
func (d *demo) register(ctx context.Context, shops ...event.Shop) error {
	client := dynamodb.NewFromConfig(d.aws.Config())
	for _, shop := range shops {
		shop.Salt = event.NewSalt()
		item, err := attributevalue.MarshalMap(shop)
		if err != nil {
			return err
		}
		if _, err := client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &d.endpoints.Outputs.RegistryTable, Item: item}); err != nil {
			return fmt.Errorf("register shop %s: %w", shop.ID, err)
		}
	}
	return nil
}

// deliveryTimeout bounds the wait for accepted events to lie in S3.
const deliveryTimeout = 90 * time.Second

// takeThrough sends the events and waits until the stored data accounts for
// every one that the collector acknowledged.
func (d *demo) takeThrough(ctx context.Context) error {
	sender := traffic.Sender{Collector: d.endpoints.Collector}
	if d.log != nil {
		sender.Connections = 1 // a log's order is its shoppers' order
	}
	err := d.steps.run("send events", func(report func(int, int)) (err error) {
		d.sent, err = sender.Send(ctx, d.source, func(s traffic.Sent) { report(s.Acknowledged, 0) })
		if err == nil && d.log != nil && d.log.Err != nil {
			err = fmt.Errorf("%s: %w", d.events, d.log.Err)
		}
		return err
	})
	if err != nil {
		return err
	}
	reader := d.endpoints.reader(d.root, d.dir)
	return d.steps.run("wait for delivery to S3, query it", func(report func(int, int)) error {
		for deadline := time.Now().Add(deliveryTimeout); ; {
			var err error
			if d.statement, err = reader.Read(ctx); err != nil {
				return err
			}
			l := d.statement.Ledger
			report(int(l.Delivered+l.Quarantined+l.Duplicates), d.sent.Acknowledged)
			if int(l.Accepted) >= d.sent.Acknowledged && l.Err() == nil || time.Now().After(deadline) {
				return nil // the verdict tells
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(500 * time.Millisecond):
			}
		}
	})
}

// verdict is an error where the ledger does not balance, or does not hold what
// the collector acknowledged.
func (d *demo) verdict() error {
	l := d.statement.Ledger
	var errs []error
	if l.Accepted < int64(d.sent.Acknowledged) { // more is no loss: an answer may have been lost on its way
		errs = append(errs, fmt.Errorf("the collector acknowledged %d events, the ledger knows of %d", d.sent.Acknowledged, l.Accepted))
	}
	if len(d.sent.Refused) > 0 {
		errs = append(errs, fmt.Errorf("the collector refused events: %v", d.sent.Refused))
	}
	return errors.Join(append(errs, l.Err())...)
}

// tell prints the outcome and writes it to ledger.json and report.html.
func (d *demo) tell() error {
	s := d.statement
	fmt.Println()
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "hop\twhat lies there\tevents\t")
	fmt.Fprintf(table, "collector\tanswered 202\t%d\t\n", d.sent.Acknowledged)
	fmt.Fprintf(table, "gateway stream\t%d frames\t%d\t\n", s.Hops.Frames, s.Hops.FrameEvents)
	fmt.Fprintf(table, "events stream, S3 raw\t%d packs in %d objects\t%d\t\n", s.Hops.Packs, s.Hops.RawObjects, s.Hops.RawEvents)
	fmt.Fprintf(table, "S3 quarantine\t%d objects\t%d\t\n", s.Hops.QuarantineObjects, s.Hops.QuarantineEvents)
	fmt.Fprintf(table, "S3 failed\t%d records\t\t\n", s.FailedRecords)
	table.Flush()
	fmt.Println()
	printLedger(os.Stdout, s.Ledger)
	fmt.Println()
	columns(os.Stdout, s)
	if d.log != nil {
		fmt.Printf("\n%s: %d complete rows, %d skipped\n", filepath.Base(d.events), d.log.Rows, len(d.log.Skipped))
		for i, row := range d.log.Skipped {
			if i == 10 {
				fmt.Printf("  and %d more\n", len(d.log.Skipped)-i)
				break
			}
			fmt.Printf("  line %d %s\n", row.Line, row.Reason)
		}
	}
	if err := d.writeReport(); err != nil {
		return err
	}
	fmt.Printf("\n%s\n", filepath.Join(d.dir, "report.html"))
	return nil
}

// keepRunning leaves everything as it is and says where.
func (d *demo) keepRunning() error {
	b, err := json.MarshalIndent(d.endpoints, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(d.dir, "endpoints.json")
	if err := os.WriteFile(path, append(b, '\n'), 0o600); err != nil {
		return err
	}
	if err := d.group.Keep(); err != nil {
		return err
	}
	if d.shop {
		fmt.Printf("\nshop: %s\n", d.endpoints.Shop)
	}
	fmt.Printf("\nkept running: %s\ncollector: %s\nask again: build/shopstream ledger\nstop: make demo-stop\n", path, d.endpoints.Collector)
	return nil
}
