package stacks

import (
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/ingest"
	"github.com/shopstream/shopstream/constructs/lake"
	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/constructs/stream"
	"github.com/shopstream/shopstream/internal/asset"
	_ "github.com/shopstream/shopstream/internal/kernel" // a fast start, for whoever builds on the stacks too
)

// Workloads are the programs that a pipeline runs.
type Workloads struct {
	Preprocess asset.Function
}

// FindWorkloads finds what "make build" built for env.
func FindWorkloads(env Environment) (w Workloads, err error) {
	w.Preprocess, err = asset.FindFunction("preprocess", env.platform())
	return w, err
}

// New defines env's pipeline in a stack named after it. It reads like an
// event's way: keys, zones, streams, collector, preprocess, delivery.
func New(app constructs.Construct, env Environment, workloads Workloads) (cdktf.TerraformStack, error) {
	if err := env.Validate(); err != nil {
		return nil, err
	}
	stack := newBase(app, env)
	if err := pipeline(stack, env, workloads); err != nil {
		return nil, fmt.Errorf("environment %q: %w", env.Name, err)
	}
	return stack, nil
}

func pipeline(stack cdktf.TerraformStack, env Environment, workloads Workloads) error {
	k, err := newKeys(stack, env)
	if err != nil {
		return err
	}
	zones, err := newZones(stack, env, k)
	if err != nil {
		return err
	}
	registry, err := ingest.NewRegistry(stack, "registry", ingest.RegistryProps{
		Name: env.name("shops"), Key: k.events, Protect: env.Protect,
	})
	if err != nil {
		return err
	}
	gateway, err := stream.New(stack, "gateway", stream.Props{
		Name: env.name("gateway"), Key: k.transit, Shards: env.GatewayShards, RetentionHours: env.RetentionHours, Protect: env.Protect,
	})
	if err != nil {
		return err
	}
	events, err := stream.New(stack, "events", stream.Props{
		Name: env.name("events"), Key: k.events, Shards: env.EventsShards, RetentionHours: env.RetentionHours, Protect: env.Protect,
	})
	if err != nil {
		return err
	}

	collectorLog, err := newLogGroup(stack, env, k, "collector_log", "/shopstream/"+env.Name+"/collector")
	if err != nil {
		return err
	}
	collector, err := ingest.NewCollector(stack, "collector", ingest.CollectorProps{
		Name: env.name("collector"), Account: env.account(), Gateway: gateway, Registry: registry, LogGroup: collectorLog,
		Image: variable(stack, "collector_image", "The collector's image by digest, REGISTRY/NAME@sha256:…."),
		CPU:   env.CollectorCPU, MemoryMiB: env.CollectorMemoryMiB,
	})
	if err != nil {
		return err
	}

	failures, err := stream.NewFailures(stack, "failures", stream.FailuresProps{
		Name: env.name("failures"), Account: env.account(), Key: k.transit, Bucket: zones.failed,
	})
	if err != nil {
		return err
	}
	preprocessLog, err := newLogGroup(stack, env, k, "preprocess_log", "/aws/lambda/"+env.name("preprocess"))
	if err != nil {
		return err
	}
	_, err = stream.NewPreprocess(stack, "preprocess", stream.PreprocessProps{
		Name: env.name("preprocess"), Code: workloads.Preprocess, Key: k.events, LogGroup: preprocessLog,
		Gateway: gateway, Events: events, Quarantine: zones.quarantine, Ledger: zones.ledger, Failures: failures,
		Concurrency: env.PreprocessConcurrency,
	})
	if err != nil {
		return err
	}

	deliveryLog, err := newLogGroup(stack, env, k, "delivery_log", "/aws/kinesisfirehose/"+env.name("raw"))
	if err != nil {
		return err
	}
	_, err = lake.NewDelivery(stack, "delivery", lake.DeliveryProps{
		Name: env.name("raw"), Source: events, Destination: zones.raw, LogGroup: deliveryLog, BufferingSeconds: env.DeliveryBufferSeconds,
	})
	if err != nil {
		return err
	}

	output(stack, "gateway_stream", "Takes frames from the collector.", gateway.Name())
	output(stack, "events_stream", "Takes packs from preprocess.", events.Name())
	output(stack, "raw_bucket", "Packs as they arrived.", zones.raw.ID())
	output(stack, "quarantine_bucket", "Events that break the contract.", zones.quarantine.ID())
	output(stack, "ledger_bucket", "Receipts of frames.", zones.ledger.ID())
	output(stack, "failed_bucket", "Records that could not be processed.", zones.failed.ID())
	output(stack, "failure_queue", "Messages about records that could not be processed.", failures.QueueURL())
	output(stack, "registry_table", "Shops by publishable key.", registry.Name())
	output(stack, "collector_task_definition", "The collector's task definition.", collector.TaskDefinition())
	return nil
}

// keys are one KMS key per class of data.
type keys struct{ transit, events, logs *security.Key }

func newKeys(stack cdktf.TerraformStack, env Environment) (k keys, err error) {
	for _, class := range []struct {
		name, description string
		key               **security.Key
	}{
		{"transit", "frames and failed records: may hold personal data as it was typed, gone after 7 days", &k.transit},
		{"events", "events behind preprocess, the shops' registry and the ledger", &k.events},
		{"logs", "logs", &k.logs},
	} {
		*class.key, err = security.NewKey(stack, class.name+"_key", security.KeyProps{
			Alias: env.name(class.name), Description: class.description, Account: env.account(), Protect: env.Protect,
		})
		if err != nil {
			return k, err
		}
	}
	k.logs.AllowLogs(env.account())
	return k, nil
}

// zones are the buckets.
type zones struct{ raw, quarantine, ledger, failed *lake.Bucket }

func newZones(stack cdktf.TerraformStack, env Environment, k keys) (z zones, err error) {
	for _, zone := range []struct {
		name   string
		props  lake.BucketProps
		bucket **lake.Bucket
	}{
		{"raw", lake.BucketProps{Key: k.events, GlacierAfterDays: env.RawGlacierAfterDays}, &z.raw},
		{"quarantine", lake.BucketProps{Key: k.events, ExpireAfterDays: 90}, &z.quarantine},
		{"ledger", lake.BucketProps{Key: k.events, ExpireAfterDays: 400}, &z.ledger},
		{"failed", lake.BucketProps{Key: k.transit, ExpireAfterDays: 7}, &z.failed},
	} {
		zone.props.Name = env.bucketName(zone.name)
		zone.props.Protect, zone.props.DeleteObjects = env.Protect, env.DeleteData
		if *zone.bucket, err = lake.NewBucket(stack, zone.name, zone.props); err != nil {
			return z, err
		}
	}
	return z, nil
}

func newLogGroup(stack cdktf.TerraformStack, env Environment, k keys, id, name string) (*security.LogGroup, error) {
	return security.NewLogGroup(stack, id, security.LogGroupProps{Name: name, Key: k.logs, RetentionDays: env.LogRetentionDays})
}
