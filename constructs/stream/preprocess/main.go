// Command preprocess is the Lambda function between the two streams: it reads
// frames from the gateway stream, checks each event against the contract,
// scrubs personal data, enriches, writes valid ones as packs to the events
// stream and the others, with their reason, to the quarantine. It may be called
// again with the same frames at any time: everything it writes is known by the
// frame's id.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/constructs/stream/preprocess/sift"
	"github.com/shopstream/shopstream/internal/putrecords"
)

func main() {
	f, err := newFunction(context.Background(), os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	lambda.Start(f.handle)
}

func newFunction(ctx context.Context, getenv func(string) string) (*function, error) {
	var errs []error
	required := func(name string) string {
		value := getenv(name)
		if value == "" {
			errs = append(errs, fmt.Errorf("environment variable %s is required", name))
		}
		return value
	}
	f := &function{name: getenv("AWS_LAMBDA_FUNCTION_NAME"), quarantine: required("QUARANTINE_BUCKET"), ledger: required("LEDGER_BUCKET")}
	stream := required("EVENTS_STREAM")
	lanes, err := strconv.Atoi(required("LANES"))
	if getenv("LANES") != "" && (err != nil || lanes < 1 || event.VirtualPartitions%lanes != 0) {
		errs = append(errs, fmt.Errorf("environment variable LANES must divide %d evenly, got %q", event.VirtualPartitions, getenv("LANES")))
	}
	f.lanes = lanes
	f.sifter, f.metrics, f.now = sift.New(getenv("AWS_LAMBDA_FUNCTION_VERSION")), os.Stdout, time.Now
	cfg, err := config.LoadDefaultConfig(ctx)
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	f.events = putrecords.Writer{Client: putrecords.NewClient(cfg), Stream: stream}
	f.s3 = s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = cfg.BaseEndpoint != nil })
	return f, nil
}
