package stacks

import (
	"errors"

	"github.com/aws/jsii-runtime-go"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/constructs/function"
	"github.com/shopstream/shopstream/constructs/ingest"
	"github.com/shopstream/shopstream/constructs/observe"
	"github.com/shopstream/shopstream/constructs/stream"
)

// defineScaler gives both streams the shards that they need, where AWS doesn't.
func (p *Pipeline) defineScaler() error {
	if p.env.OnDemand {
		return nil
	}
	log, err := p.newLogGroup("scaler_log", "/aws/lambda/"+p.env.name("scaler"), p.env.LogRetentionDays)
	if err != nil {
		return err
	}
	p.logs = append(p.logs, log)
	p.scaler, err = stream.NewScaler(p.Stack, "scaler", stream.ScalerProps{
		Name: p.env.name("scaler"), Code: p.workloads.Scaler, Key: p.Keys.Events, LogGroup: log, Topic: p.topics.Ticket,
		Streams: []stream.Scaled{
			{Stream: p.Gateway, Min: p.plan.GatewayShardsMin, Max: p.plan.GatewayShardsMax},
			{Stream: p.Events, Min: p.plan.EventsShardsMin, Max: p.plan.EventsShardsMax},
		},
	})
	return err
}

func (p *Pipeline) watchScaler(tier *observe.Tier) error {
	if p.scaler == nil {
		return nil
	}
	return errors.Join(
		tier.WatchShards("gateway", observe.ShardsProps{Stream: p.Gateway.Name(), Scaler: p.scaler}),
		tier.WatchShards("events", observe.ShardsProps{Stream: p.Events.Name(), Scaler: p.scaler}),
		tier.WatchFunction("scaler", observe.FunctionProps{Name: p.scaler.Name(), TimeoutSeconds: stream.ScalerTimeoutSeconds}),
	)
}

// senderTimeoutSeconds leaves the sender the time in which it gives up by itself.
const senderTimeoutSeconds = 15

// defineHeartbeat sends one event a minute to the front, for a shop of its own.
func (p *Pipeline) defineHeartbeat() error {
	name := p.env.name("heartbeat-sender")
	shop := event.Shop{Key: p.env.name("heartbeat"), ID: event.HeartbeatShop, EventsPerSecond: 1}
	if err := p.registry.DefineShop(p.Stack, "heartbeat_shop", shop); err != nil {
		return err
	}
	log, err := p.newLogGroup("heartbeat_sender_log", "/aws/lambda/"+name, p.env.LogRetentionDays)
	if err != nil {
		return err
	}
	p.logs = append(p.logs, log)
	p.sender, err = function.New(p.Stack, "heartbeat_sender", function.Props{
		Name: name, Description: "Sends an event of the heartbeat's shop to the front.",
		Code: p.workloads.Heartbeat, Key: p.Keys.Events, LogGroup: log,
		MemoryMiB: 128, TimeoutSeconds: senderTimeoutSeconds, Concurrency: 1,
		Environment: map[string]*string{
			"COLLECTOR_URL": jsii.String(*p.front.URL() + ingest.EventsPath),
			"SHOP_KEY":      &shop.Key,
		},
	})
	if err != nil {
		return err
	}
	p.sender.TryOnce()
	p.heartbeat, err = observe.NewHeartbeat(p.Stack, "heartbeat", observe.HeartbeatProps{Name: p.env.name("heartbeat"), Sender: p.sender})
	return err
}

func (p *Pipeline) watchHeartbeat(tier *observe.Tier) error {
	return errors.Join(
		tier.WatchHeartbeat("heartbeat", p.heartbeat),
		tier.WatchFunction("heartbeat_sender", observe.FunctionProps{Name: p.sender.Name(), TimeoutSeconds: senderTimeoutSeconds}),
	)
}
