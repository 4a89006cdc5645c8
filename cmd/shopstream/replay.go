package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/shopstream/shopstream/internal/erase"
	"github.com/shopstream/shopstream/internal/ledger"
	"github.com/shopstream/shopstream/internal/putrecords"
	"github.com/shopstream/shopstream/internal/replay"
)

// replaying is what the command was asked for.
type replaying struct {
	from, to   string
	shop       string
	reason     string
	quarantine bool
	failed     bool
	dryRun     bool
	rate       float64
	checkpoint string
}

func replayCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Let stored events enter the pipeline again",
		Long: `Replay takes hours of the raw bucket to the events stream, in packs that are marked as
replayed. With --quarantine or --reason it takes rejected events to the gateway instead, to
be judged by the contract of today; with --failed the records that the failures queue names.

What enters twice is known as the same: tables and the ledger stay as they are. It takes a
share of the stream's capacity (--rate), leaves erased visitors out, and goes on where it
was broken off when the same command is run again. Hours are those of arrival, of rejected
events those in which they were sent; an hour that has begun by --to is taken whole.
` + atWork,
		Example: `  shopstream replay --env prod --from 2026-11-20T08 --to 2026-11-20T11 --dry-run
  shopstream replay --env prod --from 2026-11-20 --to 2026-11-21 --shop shoes --reason unknown_field
  shopstream replay --env prod --failed`,
		Args: cobra.NoArgs,
	}
	open := deployedFlag(cmd)
	var r replaying
	flags := cmd.Flags()
	flags.StringVar(&r.from, "from", "", "the first hour, in UTC: 2026-11-20, 2026-11-20T08 or a time of RFC 3339")
	flags.StringVar(&r.to, "to", "", "the end, likewise")
	flags.StringVar(&r.shop, "shop", "", "this shop's events alone")
	flags.StringVar(&r.reason, "reason", "", "events of the quarantine that were rejected for this alone, such as unknown_field")
	flags.BoolVar(&r.quarantine, "quarantine", false, "rejected events instead of raw packs")
	flags.BoolVar(&r.failed, "failed", false, "records that preprocess could not process, as long as the failures queue names them")
	flags.BoolVar(&r.dryRun, "dry-run", false, "count alone")
	flags.Float64Var(&r.rate, "rate", 0.25, "share of what the stream's shards take, over 0 to 1")
	flags.StringVar(&r.checkpoint, "checkpoint", "", "file that says how far it came; default one for each replay in shopstream/ of XDG_STATE_HOME")
	for _, flag := range []string{"from", "to", "shop", "reason", "quarantine", "checkpoint"} {
		cmd.MarkFlagsMutuallyExclusive("failed", flag)
	}
	cmd.MarkFlagsRequiredTogether("from", "to")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		selection, err := r.selection()
		if err != nil {
			return err
		}
		d, err := open(cmd.Context())
		if err != nil {
			return err
		}
		if r.failed {
			return d.redrive(cmd.Context(), r)
		}
		return d.replay(cmd.Context(), r, selection)
	}
	return cmd
}

// selection is all but the bucket.
func (r replaying) selection() (s replay.Selection, err error) {
	if r.rate <= 0 || r.rate > 1 {
		return s, fmt.Errorf("--rate must be a share over 0 to 1, got %v", r.rate)
	}
	if r.failed {
		return s, nil
	}
	if r.from == "" {
		return s, errors.New("--from and --to are required, or --failed")
	}
	s = replay.Selection{Zone: replay.Raw, Shop: r.shop, Reason: r.reason}
	if r.quarantine || r.reason != "" {
		s.Zone = replay.Quarantine
	}
	var fromErr, toErr error
	s.From, fromErr = parseHour("--from", r.from)
	s.To, toErr = parseHour("--to", r.to)
	if err := errors.Join(fromErr, toErr); err != nil {
		return s, err
	}
	return s, s.Validate()
}

func parseHour(flag, text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", "2006-01-02T15", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%s must be a time in UTC such as 2026-11-20, 2026-11-20T08 or 2026-11-20T08:30:00Z, got %q", flag, text)
}

// stream is the environment's, at a share of its capacity; nil where nothing
// is to be written.
func (d deployed) stream(ctx context.Context, what string, r replaying) (replay.Stream, error) {
	if r.dryRun {
		return nil, nil
	}
	name := d.name(what)
	found, err := kinesis.NewFromConfig(d.aws).DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &name})
	if err != nil {
		return nil, fmt.Errorf("there is no stream %s to write to; is the environment deployed, and are the credentials its own? %s", name, reason(err))
	}
	shards := int(aws.ToInt32(found.StreamDescriptionSummary.OpenShardCount))
	return replay.NewPaced(putrecords.Writer{Client: putrecords.NewClient(d.aws), Stream: name}, max(shards, 1), r.rate), nil
}

func (d deployed) replay(ctx context.Context, r replaying, s replay.Selection) error {
	s.Bucket = d.bucket(string(s.Zone))
	to := "events"
	if s.Zone == replay.Quarantine {
		to = "gateway"
	}
	stream, err := d.stream(ctx, to, r)
	if err != nil {
		return err
	}
	client := ledger.NewS3(d.aws)
	tombstones, err := erase.Load(ctx, client, d.bucket("raw"))
	if err != nil {
		return err
	}
	state, err := statePath(r.checkpoint, d.env, s)
	if err != nil {
		return err
	}
	line := newProgressLine(os.Stderr)
	run := replay.Replay{Selection: s, S3: client, Stream: stream, Hidden: tombstones.Hides, State: state, Progress: line.show}
	done, err := run.Run(ctx)
	line.end(done)
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted; the same command goes on behind %s", humanize.Comma(int64(done.Objects))+" objects")
	}
	if err != nil {
		return err
	}
	b, err := json.Marshal(done)
	if err != nil {
		return err
	}
	fmt.Println(string(b))
	return nil
}

// statePath is the file of one replay: another selection has another.
func statePath(path, env string, s replay.Selection) (string, error) {
	if path != "" {
		return path, nil
	}
	dir := os.Getenv("XDG_STATE_HOME")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("%w; name a file with --checkpoint", err)
		}
		dir = filepath.Join(home, ".local", "state")
	}
	b, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "shopstream", fmt.Sprintf("replay-%s-%.8x.json", env, sha256.Sum256(b))), nil
}

// progressLine tells a person how far a replay is: on a terminal in one line
// that changes, else in one every ten seconds.
type progressLine struct {
	out      io.Writer
	terminal bool
	begun    time.Time
	told     time.Time
	first    *replay.Progress // what was there when this run began
}

func newProgressLine(out *os.File) *progressLine {
	return &progressLine{out: out, terminal: term.IsTerminal(int(out.Fd())), begun: time.Now()}
}

func (l *progressLine) show(p replay.Progress) {
	if l.first == nil {
		first := p
		l.first = &first
		if p.Resumed {
			fmt.Fprintf(l.out, "goes on behind %d objects\n", p.Objects-1)
		}
	}
	every := 10 * time.Second
	if l.terminal {
		every = 200 * time.Millisecond
	}
	if time.Since(l.told) < every {
		return
	}
	l.told = time.Now()
	if l.terminal {
		fmt.Fprintf(l.out, "\r\033[K%s", l.text(p))
	} else {
		fmt.Fprintln(l.out, l.text(p))
	}
}

func (l *progressLine) text(p replay.Progress) string {
	took := time.Since(l.begun)
	var left []string
	if done := p.Bytes - l.first.Bytes; done > 0 {
		left = append(left, fmt.Sprintf("%s left", (time.Duration(float64(took)*float64(p.TotalBytes-p.Bytes)/float64(done))).Round(time.Second)))
	}
	perSecond := float64(p.Events-l.first.Events) / max(took.Seconds(), 0.001)
	return strings.Join(append([]string{
		fmt.Sprintf("%s of %s objects", humanize.Comma(int64(p.Objects)), humanize.Comma(int64(p.TotalObjects))),
		fmt.Sprintf("%s events", humanize.Comma(int64(p.Events))),
		fmt.Sprintf("%.0f/s", perSecond),
	}, left...), ", ")
}

func (l *progressLine) end(p replay.Progress) {
	if l.first == nil {
		return
	}
	start := ""
	if l.terminal {
		start = "\r\033[K"
	}
	fmt.Fprintln(l.out, start+l.text(p))
}

// redrive lets the failures queue's records enter the gateway again.
func (d deployed) redrive(ctx context.Context, r replaying) error {
	queue, name := sqs.NewFromConfig(d.aws), d.name("failures")
	found, err := queue.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name})
	if err != nil {
		return fmt.Errorf("there is no queue %s; is the environment deployed, and are the credentials its own? %s", name, reason(err))
	}
	if r.dryRun {
		waiting, err := queue.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
			QueueUrl: found.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameApproximateNumberOfMessages},
		})
		if err != nil {
			return fmt.Errorf("look at queue %s: %w", name, err)
		}
		fmt.Printf("{\"messages\":%s}\n", cmp.Or(waiting.Attributes["ApproximateNumberOfMessages"], "0"))
		return nil
	}
	stream, err := d.stream(ctx, "gateway", r)
	if err != nil {
		return err
	}
	run := replay.Redrive{S3: ledger.NewS3(d.aws), SQS: queue, Queue: *found.QueueUrl, Stream: stream, Progress: func(replay.Redriven) {}}
	done, err := run.Run(ctx)
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted after %d objects; the same command goes on", done.Objects)
	}
	if b, encodeErr := json.Marshal(done); encodeErr == nil {
		fmt.Println(string(b))
	}
	return err
}
