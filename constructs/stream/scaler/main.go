// Command scaler is the Lambda function that gives streams more shards when
// they fill up and takes some away when half are enough. It is called every
// minute and by alarms; all that it decides by it reads itself, so that a call
// may be lost, come twice or come late.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/sns"
)

func main() {
	s, err := newScaler(context.Background(), os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	lambda.Start(s.handle)
}

func newScaler(ctx context.Context, getenv func(string) string) (*scaler, error) {
	s := &scaler{topic: getenv("TOPIC_ARN"), metrics: os.Stdout, now: time.Now}
	var errs []error
	if s.topic == "" {
		errs = append(errs, errors.New("environment variable TOPIC_ARN is required"))
	}
	if err := json.Unmarshal([]byte(getenv("STREAMS")), &s.targets); err != nil || len(s.targets) == 0 {
		errs = append(errs, fmt.Errorf(`environment variable STREAMS must be a list such as [{"Stream":"gateway","Min":1,"Max":8}], got %q`, getenv("STREAMS")))
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	s.kinesis, s.cloudwatch, s.sns = kinesis.NewFromConfig(cfg), cloudwatch.NewFromConfig(cfg), sns.NewFromConfig(cfg)
	return s, nil
}
