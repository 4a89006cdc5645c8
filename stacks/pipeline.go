package stacks

import (
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/capacity"
	"github.com/shopstream/shopstream/constructs/function"
	"github.com/shopstream/shopstream/constructs/ingest"
	"github.com/shopstream/shopstream/constructs/lake"
	"github.com/shopstream/shopstream/constructs/network"
	"github.com/shopstream/shopstream/constructs/observe"
	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/constructs/stream"
	"github.com/shopstream/shopstream/internal/asset"
	_ "github.com/shopstream/shopstream/internal/kernel" // a fast start, for whoever builds on the stacks too
)

// Workloads are the programs that a pipeline runs.
type Workloads struct {
	Heartbeat  asset.Function
	Ledger     asset.Function
	Preprocess asset.Function
	Scaler     asset.Function
	Tracker    asset.Tracker
}

// FindWorkloads finds what "make build" built for env.
func FindWorkloads(env Environment) (w Workloads, err error) {
	find := func(name string) asset.Function {
		found, missing := asset.FindFunction(name, env.platform())
		err = errors.Join(err, missing)
		return found
	}
	w.Preprocess = find("preprocess")
	if !env.Core {
		w.Heartbeat, w.Ledger, w.Scaler = find("heartbeat"), find("ledger"), find("scaler")
		var missing error
		w.Tracker, missing = asset.FindTracker()
		err = errors.Join(err, missing)
	}
	return w, err
}

// Pipeline is an environment's stack with what further tiers build on.
type Pipeline struct {
	Stack cdktf.TerraformStack
	Keys  Keys
	Zones Zones

	Gateway *stream.Stream // frames, from the collector
	Events  *stream.Stream // packs of valid events: what further readers read

	Online  *stream.OnlineTable // nil in a core
	Network *network.Network    // nil in a core
	Catalog *lake.Catalog       // nil in a core

	env       Environment
	plan      capacity.Plan
	workloads Workloads
	providers providers

	registry      *ingest.Registry
	identity      *ingest.Identity // nil in a core
	collector     *ingest.Collector
	visitorSecret *security.Secret
	failures      *stream.Failures
	preprocess    *stream.Preprocess
	delivery      *lake.Delivery

	collectorLog, preprocessLog *security.LogGroup
	logs                        []*security.LogGroup // of our programs, these among them

	// Nil in a core.
	front       *ingest.Front
	tracker     *ingest.Tracker
	topics      *observe.Topics
	scaler      *stream.Scaler // nil with OnDemand
	sender      *function.Function
	heartbeat   *observe.Heartbeat
	replicaKey  *security.Key // nil without Replicate
	copied      []*lake.Bucket
	workgroup   *lake.Workgroup
	packs       *lake.JSONTable
	quarantined *lake.JSONTable
	receipts    *lake.JSONTable
	ledger      *lake.Ledger
	table       *lake.IcebergTable
}

// New defines env's pipeline in a stack named after it. It reads like an
// event's way through the picture.
func New(app constructs.Construct, env Environment, workloads Workloads) (*Pipeline, error) {
	if err := env.Validate(); err != nil {
		return nil, err
	}
	plan, err := capacity.PlanFor(env.Traffic)
	if err != nil {
		return nil, fmt.Errorf("environment %q: %w", env.Name, err)
	}
	p := &Pipeline{env: env, plan: plan, workloads: workloads}
	p.Stack, p.providers = newBase(app, env)
	tiers := []func() error{
		p.defineKeys, p.defineZones, p.defineStreams,
		p.defineIdentity, p.defineCollector,
		p.definePreprocess,
		p.defineDelivery,
	}
	if !env.Core {
		tiers = append(tiers, p.defineOnlineTable, p.defineTopics, p.defineScaler, p.defineNetwork, p.defineFront, p.defineHeartbeat, p.defineTracker, p.defineShield, p.defineCatalog, p.defineLedger, p.definePeople, p.defineWatch)
	}
	for _, define := range tiers {
		if err := define(); err != nil {
			return nil, fmt.Errorf("environment %q: %w", env.Name, err)
		}
	}
	p.defineOutputs()
	return p, nil
}

// Check holds the stack to the guardrails.
func (p *Pipeline) Check() error { return checkGuardrails(p.Stack, p.env.Name, p.env.Protect) }

// Keys are one KMS key for each class of data.
type Keys struct {
	Transit *security.Key // frames and failed records: may hold personal data as it was typed, gone after 7 days
	Events  *security.Key // events behind preprocess, the registry and the ledger
	Logs    *security.Key
	Alerts  *security.Key // alarms; nil in a core
	Backups *security.Key // nil in a core
}

func (p *Pipeline) defineKeys() error {
	if _, err := security.NewBoundary(p.Stack, security.BoundaryProps{
		Prefix: p.env.name(""), Account: p.env.account(), Regions: []string{p.env.ReplicaRegion},
	}); err != nil {
		return err
	}
	for _, class := range []struct {
		name, description string
		key               **security.Key
	}{
		{"transit", "frames and failed records: may hold personal data as it was typed, gone after 7 days", &p.Keys.Transit},
		{"events", "events behind preprocess, the shops' registry and the ledger", &p.Keys.Events},
		{"logs", "logs", &p.Keys.Logs},
		{"alerts", "alarms on their way to people", &p.Keys.Alerts},
		{"backups", "backups of the shops' registry and the ledger", &p.Keys.Backups},
	} {
		if p.env.Core && (class.key == &p.Keys.Alerts || class.key == &p.Keys.Backups) {
			continue
		}
		key, err := security.NewKey(p.Stack, class.name+"_key", security.KeyProps{
			Alias: p.env.name(class.name), Description: class.description, Account: p.env.account(), Protect: p.env.Protect,
		})
		if err != nil {
			return err
		}
		*class.key = key
	}
	p.Keys.Logs.AllowLogs(p.env.account())
	return nil
}

// Zones are the buckets.
type Zones struct {
	Raw        *lake.Bucket // packs as they arrived
	Quarantine *lake.Bucket // events that break the contract
	Ledger     *lake.Bucket // receipts of frames
	Failed     *lake.Bucket // records that could not be processed

	// Nil in a core.
	Landing       *lake.Bucket // shops' own files: catalogues, orders
	Transformed   *lake.Bucket // tables
	AthenaResults *lake.Bucket
	Artifacts     *lake.Bucket // the tracker's releases, jobs' code
}

func (p *Pipeline) defineZones() (err error) {
	type zone struct {
		name   string
		props  lake.BucketProps
		bucket **lake.Bucket
	}
	zones := []zone{
		{"raw", p.rawProps(p.Keys.Events), &p.Zones.Raw},
		{"quarantine", lake.BucketProps{Key: p.Keys.Events, ExpireAfterDays: 90}, &p.Zones.Quarantine},
		{"ledger", lake.BucketProps{Key: p.Keys.Events, ExpireAfterDays: 400}, &p.Zones.Ledger},
		{"failed", lake.BucketProps{Key: p.Keys.Transit, ExpireAfterDays: stream.FailureRetentionDays}, &p.Zones.Failed},
	}
	var accessLogs *lake.AccessLogs
	if !p.env.Core {
		zones = append(zones,
			zone{"landing", lake.BucketProps{Key: p.Keys.Events, ExpireAfterDays: 90}, &p.Zones.Landing},
			zone{"transformed", lake.BucketProps{Key: p.Keys.Events}, &p.Zones.Transformed},
			zone{"athena-results", lake.BucketProps{Key: p.Keys.Events, ExpireAfterDays: 7}, &p.Zones.AthenaResults},
			zone{"artifacts", lake.BucketProps{Key: p.Keys.Events}, &p.Zones.Artifacts},
		)
		accessLogs, err = lake.NewAccessLogs(p.Stack, "access_logs", lake.AccessLogsProps{
			Name: p.env.bucketName("access-logs"), Account: p.env.account(), Protect: p.env.Protect, DeleteObjects: p.env.DeleteData,
		})
		if err != nil {
			return err
		}
	}
	for _, z := range zones {
		z.props.Name, z.props.AccessLogs = p.env.bucketName(z.name), accessLogs
		z.props.Protect, z.props.DeleteObjects = p.env.Protect, p.env.DeleteData
		if *z.bucket, err = lake.NewBucket(p.Stack, identifier(z.name), z.props); err != nil {
			return err
		}
	}
	if p.env.Replicate {
		return p.replicate()
	}
	return nil
}

// rawProps are those of the raw zone and of its copy. Tombstones stay: they hide
// what tables still hold.
func (p *Pipeline) rawProps(key *security.Key) lake.BucketProps {
	props := lake.BucketProps{Key: key, GlacierAfterDays: p.env.RawGlacierAfterDays, ExpireAfterDays: p.env.RawExpireAfterDays}
	if props.ExpireAfterDays != 0 {
		props.ExpirePrefixes = []string{"events/", "errors/"}
	}
	return props
}

// replicate copies buckets to another region, with a key of that region.
func (p *Pipeline) replicate() error {
	account := security.Account{ID: p.env.Account, Region: p.env.ReplicaRegion}
	key, err := security.NewKey(p.Stack, "replica_key", security.KeyProps{
		Alias: p.env.name("replica"), Description: "copies of events in another region", Account: account,
		Protect: p.env.Protect, Provider: p.providers.replica,
	})
	if err != nil {
		return err
	}
	p.replicaKey = key
	accessLogs, err := lake.NewAccessLogs(p.Stack, "replica_access_logs", lake.AccessLogsProps{
		Name: p.env.name("access-logs") + "-" + account.ID + "-" + account.Region, Account: account,
		Protect: p.env.Protect, DeleteObjects: p.env.DeleteData, Provider: p.providers.replica,
	})
	if err != nil {
		return err
	}
	for _, zone := range []struct {
		name   string
		source *lake.Bucket
		props  lake.BucketProps
	}{
		{"raw", p.Zones.Raw, p.rawProps(key)},
		{"transformed", p.Zones.Transformed, lake.BucketProps{Key: key}},
	} {
		zone.props.Name, zone.props.AccessLogs = p.env.name(zone.name)+"-"+account.ID+"-"+account.Region, accessLogs
		zone.props.Protect, zone.props.DeleteObjects, zone.props.Provider = p.env.Protect, p.env.DeleteData, p.providers.replica
		copied, err := lake.NewBucket(p.Stack, zone.name+"_copy", zone.props)
		if err != nil {
			return err
		}
		p.copied = append(p.copied, copied)
		if err := lake.NewReplica(p.Stack, zone.name+"_replica", lake.ReplicaProps{
			Name: p.env.name(zone.name + "-replica"), Source: zone.source, Destination: copied,
		}); err != nil {
			return err
		}
	}
	return nil
}

func (p *Pipeline) defineStreams() (err error) {
	gatewayShards, eventsShards := p.plan.GatewayShards, p.plan.EventsShards
	if p.env.OnDemand {
		gatewayShards, eventsShards = 0, 0
	}
	p.Gateway, err = stream.New(p.Stack, "gateway", stream.Props{
		Name: p.env.name("gateway"), Key: p.Keys.Transit, Shards: gatewayShards, RetentionHours: p.env.RetentionHours, Protect: p.env.Protect,
	})
	if err != nil {
		return err
	}
	p.Events, err = stream.New(p.Stack, "events", stream.Props{
		Name: p.env.name("events"), Key: p.Keys.Events, Shards: eventsShards, RetentionHours: p.env.RetentionHours, Protect: p.env.Protect,
	})
	return err
}

func (p *Pipeline) defineOnlineTable() (err error) {
	props := stream.OnlineTableProps{Name: p.env.name("online"), Key: p.Keys.Events, Protect: p.env.Protect}
	if p.env.Replicate {
		props.ReplicaRegion, props.ReplicaKey = p.env.ReplicaRegion, p.replicaKey
	}
	p.Online, err = stream.NewOnlineTable(p.Stack, "online", props)
	return err
}

func (p *Pipeline) defineIdentity() (err error) {
	if p.env.Core {
		return nil
	}
	p.identity, err = ingest.NewIdentity(p.Stack, "identity", ingest.IdentityProps{
		Name: p.env.name("servers"), Account: p.env.account(), Integrators: p.env.Integrators, Protect: p.env.Protect,
	})
	if err != nil {
		return err
	}
	token := p.identity.TokenURL()
	p.output("token_url", "Where integrators' servers ask for a token.", &token)
	for _, name := range p.env.Integrators {
		p.output("client_id_"+name, "Names the servers of "+name+" to token_url, and to the shops' registry.", p.identity.ClientID(name))
	}
	return nil
}

func (p *Pipeline) defineCollector() error {
	var err error
	p.registry, err = ingest.NewRegistry(p.Stack, "registry", ingest.RegistryProps{
		Name: p.env.name("shops"), Key: p.Keys.Events, Protect: p.env.Protect,
	})
	if err != nil {
		return err
	}
	p.visitorSecret, err = security.NewSecret(p.Stack, "visitor_secret", security.SecretProps{
		Name: p.env.name("visitors"), Description: "What visitor ids are made with: with another one everybody is somebody else.", Key: p.Keys.Events,
		DeleteAtOnce: p.env.DeleteData, Protect: p.env.Protect,
		Value: secretVariable(p.Stack, "visitor_secret", "What visitor ids are made with: at least 32 random characters, never another value."),
	})
	if err != nil {
		return err
	}
	log, err := p.newLogGroup("collector_log", "/shopstream/"+p.env.Name+"/collector", p.env.LogRetentionDays)
	if err != nil {
		return err
	}
	props := ingest.CollectorProps{
		Name: p.env.name("collector"), Account: p.env.account(), Gateway: p.Gateway, Registry: p.registry, Secret: p.visitorSecret, LogGroup: log,
		Image: p.collectorImage(),
		CPU:   p.plan.CollectorCPU, MemoryMiB: p.plan.CollectorMemoryMiB,
	}
	if !p.env.Core {
		props.Repository, props.Front, props.Identity = CollectorRepository, p.env.Front, p.identity
	}
	p.collectorLog, p.logs = log, append(p.logs, log)
	p.collector, err = ingest.NewCollector(p.Stack, "collector", props)
	return err
}

// collectorImage is by digest where it is pulled: a tag may be another image
// tomorrow. Emulated, the collector is a process.
func (p *Pipeline) collectorImage() *string {
	var byDigest []*cdktf.TerraformVariableValidationConfig
	if !p.env.Emulated {
		byDigest = append(byDigest, &cdktf.TerraformVariableValidationConfig{
			Condition:    `${can(regex("@sha256:[0-9a-f]{64}$", var.collector_image))}`,
			ErrorMessage: jsii.String("collector_image must be an image by digest, REGISTRY/NAME@sha256:…: run make image and set what it prints."),
		})
	}
	return variable(p.Stack, "collector_image", "The collector's image by digest, REGISTRY/NAME@sha256:….", byDigest...)
}

// CollectorRepository is the ECR repository of the collector's images.
const CollectorRepository = "shopstream/collector"

func (p *Pipeline) definePreprocess() error {
	var err error
	p.failures, err = stream.NewFailures(p.Stack, "failures", stream.FailuresProps{
		Name: p.env.name("failures"), Account: p.env.account(), Key: p.Keys.Transit, Bucket: p.Zones.Failed,
	})
	if err != nil {
		return err
	}
	log, err := p.newLogGroup("preprocess_log", "/aws/lambda/"+p.env.name("preprocess"), p.env.LogRetentionDays)
	if err != nil {
		return err
	}
	p.preprocessLog, p.logs = log, append(p.logs, log)
	p.preprocess, err = stream.NewPreprocess(p.Stack, "preprocess", stream.PreprocessProps{
		Name: p.env.name("preprocess"), Code: p.workloads.Preprocess, Key: p.Keys.Events, LogGroup: log,
		Gateway: p.Gateway, Events: p.Events, Quarantine: p.Zones.Quarantine, Ledger: p.Zones.Ledger, Failures: p.failures,
		Concurrency: p.plan.PreprocessConcurrency, ParallelizationFactor: p.plan.ParallelizationFactor, Lanes: p.plan.Lanes,
	})
	return err
}

func (p *Pipeline) defineDelivery() error {
	log, err := p.newLogGroup("delivery_log", "/aws/kinesisfirehose/"+p.env.name("raw"), p.env.LogRetentionDays)
	if err != nil {
		return err
	}
	p.delivery, err = lake.NewDelivery(p.Stack, "delivery", lake.DeliveryProps{
		Name: p.env.name("raw"), Source: p.Events, Destination: p.Zones.Raw, LogGroup: log,
		BufferingSeconds: p.env.DeliveryBufferSeconds, BufferingMiB: p.plan.DeliveryBufferMiB,
	})
	return err
}

func (p *Pipeline) defineOutputs() {
	p.output("gateway_stream", "Takes frames from the collector.", p.Gateway.Name())
	p.output("events_stream", "Takes packs from preprocess.", p.Events.Name())
	p.output("raw_bucket", "Packs as they arrived.", p.Zones.Raw.ID())
	p.output("quarantine_bucket", "Events that break the contract.", p.Zones.Quarantine.ID())
	p.output("ledger_bucket", "Receipts of frames.", p.Zones.Ledger.ID())
	p.output("failed_bucket", "Records that could not be processed.", p.Zones.Failed.ID())
	p.output("failure_queue", "Messages about records that could not be processed.", p.failures.QueueURL())
	p.output("registry_table", "Shops by publishable key.", p.registry.Name())
	p.output("collector_task_definition", "The collector's task definition.", p.collector.TaskDefinition())
}

func (p *Pipeline) output(name, description string, value *string) {
	output(p.Stack, name, description, value)
}

func (p *Pipeline) newLogGroup(id, name string, days int) (*security.LogGroup, error) {
	return security.NewLogGroup(p.Stack, id, security.LogGroupProps{Name: name, Key: p.Keys.Logs, RetentionDays: days})
}
