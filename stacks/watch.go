package stacks

import (
	"errors"

	"github.com/shopstream/shopstream/constructs/ingest"
	"github.com/shopstream/shopstream/constructs/lake"
	"github.com/shopstream/shopstream/constructs/observe"
	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/constructs/stream"
)

func (p *Pipeline) defineTopics() (err error) {
	p.topics, err = observe.NewTopics(p.Stack, "topics", observe.TopicsProps{
		Prefix: p.env.name(""), Account: p.env.account(), Key: p.Keys.Alerts,
		Page:   observe.Subscribers{Email: variable(p.Stack, "page_email", "Address that is told at once, day and night: a pager's.")},
		Ticket: observe.Subscribers{Email: variable(p.Stack, "ticket_email", "Address that is told of what can wait until morning.")},
	})
	return err
}

// defineShield protects what Shield Advanced can: an API of API Gateway is not
// among it, nor the load balancer behind one.
func (p *Pipeline) defineShield() error {
	if !p.env.Shield {
		return nil
	}
	props := security.ShieldProps{Name: p.env.name("shield"), Distribution: p.tracker, Subscribe: p.env.SubscribeShield}
	if p.env.Front == ingest.FrontLoadBalancer {
		props.LoadBalancer = p.front.LoadBalancer()
	}
	return security.NewShield(p.Stack, "shield", props)
}

// definePeople defines the human roles, where the values name who takes them.
func (p *Pipeline) definePeople() error {
	e := p.env.People
	if len(e.BreakGlass) == 0 {
		return nil
	}
	people, err := security.NewPeople(p.Stack, "people", security.PeopleProps{
		Prefix: p.env.name(""), Account: p.env.account(), Alerts: p.topics.Page, Edge: p.providers.edge,
		Operators: e.Operators, Analysts: e.Analysts, PrivacyOfficers: e.PrivacyOfficers, Redrivers: e.Redrivers, BreakGlass: e.BreakGlass,
	})
	if err != nil {
		return err
	}
	p.grantOperator(people.Operator)
	p.workgroup.GrantQuery(people.Analyst)
	p.table.GrantRead(people.Analyst)
	p.grantPrivacyOfficer(people.PrivacyOfficer)
	p.grantRedrive(people.Redrive)
	return nil
}

func (p *Pipeline) grantOperator(role *security.Role) {
	for _, log := range p.logs {
		log.GrantRead(role)
	}
	for _, key := range []*security.Key{p.Keys.Transit, p.Keys.Events, p.Keys.Logs, p.Keys.Alerts, p.Keys.Backups} {
		key.GrantDescribe(role)
	}
	p.failures.GrantRedrive(role)
	p.registry.GrantManage(role)
}

// grantPrivacyOfficer grants what "shopstream erase" does and reports, too.
func (p *Pipeline) grantPrivacyOfficer(role *security.Role) {
	p.workgroup.GrantQuery(role)
	p.table.GrantWrite(role)
	p.quarantined.GrantRead(role)
	p.registry.GrantList(role)
	p.visitorSecret.GrantRead(role)
	p.Zones.Raw.GrantWrite(role, "erasures/")
	p.Zones.Quarantine.GrantErase(role)
	p.Online.GrantErase(role)
	p.Gateway.GrantDescribe(role)
	p.Events.GrantDescribe(role)
	ending := []*lake.Bucket{p.Zones.Raw, p.Zones.Failed, p.Zones.Landing, p.Zones.Transformed, p.Zones.AthenaResults}
	for _, bucket := range append(ending, p.copied...) {
		bucket.GrantDescribe(role)
	}
}

// grantRedrive grants what "shopstream replay" does.
func (p *Pipeline) grantRedrive(role *security.Role) {
	p.Zones.Raw.GrantRead(role, "events/")
	p.Zones.Quarantine.GrantRead(role, "events/")
	p.failures.GrantReceive(role)
	for _, to := range []*stream.Stream{p.Gateway, p.Events} {
		to.GrantDescribe(role)
		to.GrantWrite(role)
	}
}

func (p *Pipeline) watch(tier string) (*observe.Tier, error) {
	return observe.NewTier(p.Stack, "watch_"+tier, observe.TierProps{Name: tier, Topics: p.topics})
}

// frontRing is what watches the front, and the alarms at which a deployment of
// the collector goes back.
type frontRing struct {
	tier     *observe.Tier
	rollback []*string
}

func (p *Pipeline) watchFront(front *ingest.Front) (ring frontRing, err error) {
	if ring.tier, err = p.watch("ingest"); err != nil {
		return ring, err
	}
	ring.rollback, err = ring.tier.WatchLoadBalancer("front", observe.LoadBalancerProps{Dimension: front.LoadBalancer().LoadBalancerDimension()})
	if err != nil {
		return ring, err
	}
	if api := front.API(); api != nil {
		err = ring.tier.WatchAPI("api", observe.APIProps{Name: api.APIName(), Stage: api.StageName()})
	}
	return ring, errors.Join(err,
		ring.tier.WatchFirewall("firewall", observe.FirewallProps{WebACL: front.Firewall().WebACLName()}),
		ring.tier.WatchLog("collector", observe.LogProps{Group: p.collectorLog.Name()}),
		ring.tier.WatchTable("shops", observe.TableProps{Name: p.registry.Name()}),
	)
}

// defineWatch watches streams and lake, and keeps what can be restored.
func (p *Pipeline) defineWatch() error {
	streams, err := p.watch("stream")
	if err != nil {
		return err
	}
	lake, err := p.watch("lake")
	if err != nil {
		return err
	}
	err = errors.Join(
		streams.WatchStream("gateway", observe.StreamProps{Name: p.Gateway.Name(), RetentionHours: p.env.RetentionHours, Beats: true}),
		streams.WatchStream("events", observe.StreamProps{Name: p.Events.Name(), RetentionHours: p.env.RetentionHours, Beats: true}),
		streams.WatchFunction("preprocess", observe.FunctionProps{Name: p.preprocess.Name(), TimeoutSeconds: stream.PreprocessTimeoutSeconds, BehindSeconds: p.plan.IteratorAgeSeconds}),
		streams.WatchLog("preprocess_log", observe.LogProps{Group: p.preprocessLog.Name()}),
		streams.WatchQueue("failures", observe.QueueProps{Name: p.failures.QueueName(), DeadLetters: p.failures.DeadLettersName(), RetentionHours: stream.FailureRetentionHours}),
		streams.WatchTable("online", observe.TableProps{Name: p.Online.Name()}),
		p.watchScaler(streams), p.watchHeartbeat(streams),
		lake.WatchDelivery("raw", observe.DeliveryProps{Name: p.delivery.Name(), Function: p.preprocess.Name(), Beats: true}),
		p.watchLedger(lake),
		lake.WatchBucket("quarantine", observe.BucketProps{Bucket: p.Zones.Quarantine.ID(), Rejects: true}),
	)
	if err != nil {
		return err
	}
	err = observe.NewBudget(p.Stack, "budget", observe.BudgetProps{
		Name: p.env.name("budget"), Account: p.env.account(), MonthlyUSD: p.env.MonthlyUSD, Topic: p.topics.Ticket, DenyRoles: p.spenders(),
	})
	if err != nil {
		return err
	}
	backup, err := observe.NewBackup(p.Stack, "backup", p.backupProps())
	if err != nil {
		return err
	}
	return lake.WatchBackup("backup", backup)
}

// spenders are the roles that a spent budget stops: bootstrap's, which applies
// the stack, and analysts. What takes events goes on, and the scaler, which
// also takes shards back.
func (p *Pipeline) spenders() []string {
	if !p.env.ActOverBudget {
		return nil
	}
	roles := []string{p.env.name("ci-apply")}
	if len(p.env.People.Analysts) > 0 {
		roles = append(roles, p.env.name("analyst"))
	}
	return roles
}

func (p *Pipeline) backupProps() observe.BackupProps {
	props := observe.BackupProps{
		Name: p.env.name("backup"), Account: p.env.account(), Key: p.Keys.Backups, Topic: p.topics.Ticket,
		Tables: []*string{p.registry.ARN()}, Buckets: []*string{p.Zones.Ledger.ARN()}, Sources: []*security.Key{p.Keys.Events},
		Protect: p.env.Protect, DeleteBackups: p.env.DeleteData,
	}
	if p.env.Replicate {
		props.Replica, props.ReplicaRegion, props.ReplicaKey = p.providers.replica, p.env.ReplicaRegion, p.replicaKey
	}
	return props
}
