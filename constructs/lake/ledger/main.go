// Command ledger is the Lambda function that balances every hour what was
// accepted in the last closed hours against what is stored of it, as "shopstream
// ledger" does for all of them. It has Athena count, and publishes the numbers.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/athena"
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
	f := &function{metrics: os.Stdout, now: time.Now, wait: time.Second}
	var errs []error
	for name, setting := range map[string]*string{"DATABASE": &f.database, "WORKGROUP": &f.workgroup, "PIPELINE": &f.pipeline} {
		if *setting = getenv(name); *setting == "" {
			errs = append(errs, fmt.Errorf("environment variable %s is required", name))
		}
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	f.athena = athena.NewFromConfig(cfg)
	return f, nil
}
