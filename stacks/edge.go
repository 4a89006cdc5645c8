package stacks

import (
	"cmp"
	"strings"

	"github.com/aws/jsii-runtime-go"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/constructs/ingest"
	"github.com/shopstream/shopstream/constructs/lake"
	"github.com/shopstream/shopstream/constructs/network"
	"github.com/shopstream/shopstream/constructs/observe"
	"github.com/shopstream/shopstream/constructs/security"
)

// addressLogDays is how long logs are kept that hold shoppers' addresses.
const addressLogDays = 7

func (p *Pipeline) defineNetwork() error {
	log, err := p.newLogGroup("flow_log", "/shopstream/"+p.env.Name+"/network", addressLogDays)
	if err != nil {
		return err
	}
	p.Network, err = network.New(p.Stack, "network", network.Props{
		Name: p.env.name("network"), Account: p.env.account(), LogGroup: log,
		NATGateways: p.env.NATGateways, InterfaceEndpoints: p.env.InterfaceEndpoints,
	})
	return err
}

// defineFront puts the front before the collector, and the collector's tasks
// behind it.
func (p *Pipeline) defineFront() error {
	firewallLog, err := p.newLogGroup("firewall_log", "aws-waf-logs-"+p.env.name("edge"), addressLogDays)
	if err != nil {
		return err
	}
	var accessLog *security.LogGroup
	if p.env.Front == ingest.FrontAPI {
		if accessLog, err = p.newLogGroup("api_log", "/shopstream/"+p.env.Name+"/api", p.env.LogRetentionDays); err != nil {
			return err
		}
	}
	front, err := ingest.NewFront(p.Stack, "front", ingest.FrontProps{
		Kind: p.env.Front, Name: p.env.name("edge"), Account: p.env.account(), Network: p.Network, Identity: p.identity,
		FirewallLog: firewallLog, Domain: p.env.Domain, BlueGreen: p.env.Deployment == ingest.BlueGreen, Protect: p.env.Protect,
		API: ingest.APIProps{
			LogGroup: accessLog,
			Browsers: ingest.Throttle{RequestsPerSecond: p.plan.RequestsPerSecond, Burst: 2 * p.plan.RequestsPerSecond},
		},
		Firewall: ingest.FirewallProps{RequestsPerAddress: p.plan.RequestsPerAddress},
	})
	if err != nil {
		return err
	}
	p.front = front
	ring, err := p.watchFront(front)
	if err != nil {
		return err
	}
	service, err := ingest.NewService(p.Stack, "service", p.serviceProps(ring))
	if err != nil {
		return err
	}
	err = ring.tier.WatchService("collector", observe.ServiceProps{
		Cluster: p.collector.ClusterName(), Name: service.ServiceName(),
		MinTasks: p.plan.CollectorTasks, MaxTasks: p.plan.CollectorTasksMax,
	})
	if err != nil {
		return err
	}
	p.output("collector_url", "Where trackers and servers send events.", front.URL())
	if p.env.Domain.Name != "" {
		p.output("collector_dns_name", "What the record of "+p.env.Domain.Name+" points to.", front.DNSName())
	}
	return nil
}

func (p *Pipeline) serviceProps(ring frontRing) ingest.ServiceProps {
	props := ingest.ServiceProps{
		Name: p.env.name("collector"), Account: p.env.account(), Collector: p.collector, Network: p.Network,
		LoadBalancer: p.front.LoadBalancer(), Deployment: cmp.Or(p.env.Deployment, ingest.Rolling), RollbackAlarms: ring.rollback,
		MinTasks: p.plan.CollectorTasks, MaxTasks: p.plan.CollectorTasksMax, Schedules: p.env.Schedules,
	}
	if props.Deployment == ingest.Rolling {
		props.RequestsPerTask = 60 * p.plan.RequestsPerSecond / p.plan.CollectorTasks
	}
	return props
}

func (p *Pipeline) defineTracker() (err error) {
	p.tracker, err = ingest.NewTracker(p.Stack, "tracker", ingest.TrackerProps{
		Name: p.env.name("tracker"), Account: p.env.account(), Files: p.Zones.Artifacts, Domain: p.env.TrackerDomain, Protect: p.env.Protect,
	})
	if err != nil {
		return err
	}
	p.output("tracker_url", "Where shops take the tracker from.", p.tracker.URL())
	release := p.workloads.Tracker
	p.output("tracker_release", "The script of this deployment, once it is promoted.", jsii.String(*p.tracker.URL()+"t/"+release.Version+"/s.js"))
	p.output("tracker_integrity", "The integrity of that script's tag.", jsii.String(release.Integrity))
	if p.env.TrackerDomain.Name != "" {
		p.output("tracker_dns_name", "What the record of "+p.env.TrackerDomain.Name+" points to.", p.tracker.DNSName())
	}
	return nil
}

// defineCatalog describes what the zones hold, and lets people query it.
func (p *Pipeline) defineCatalog() (err error) {
	p.Catalog, err = lake.NewCatalog(p.Stack, "catalog", lake.CatalogProps{
		Name: strings.ReplaceAll(p.env.name("lake"), "-", "_"), Description: "What shoppers did.", Account: p.env.account(),
	})
	if err != nil {
		return err
	}
	for _, t := range []struct {
		props lake.JSONTableProps
		table **lake.JSONTable
	}{
		{lake.JSONTableProps{Name: "packs", Description: "Packs as they arrived.", Bucket: p.Zones.Raw, Prefix: "events/", Row: event.Pack{}, DateKey: "arrival_date", HourKey: "arrival_hour"}, &p.packs},
		{lake.JSONTableProps{Name: "quarantined", Description: "Events that break the contract.", Bucket: p.Zones.Quarantine, Prefix: "events/", Row: event.Quarantined{}, Days: 90}, &p.quarantined},
		{lake.JSONTableProps{Name: "receipts", Description: "Frames that were taken whole.", Bucket: p.Zones.Ledger, Prefix: "receipts/", Row: event.Receipt{}}, &p.receipts},
	} {
		t.props.Catalog = p.Catalog
		if *t.table, err = lake.NewJSONTable(p.Stack, t.props.Name, t.props); err != nil {
			return err
		}
	}
	p.table, err = lake.NewIcebergTable(p.Stack, "stored_events", lake.IcebergTableProps{
		Name: "events", Catalog: p.Catalog, Bucket: p.Zones.Transformed, Row: event.Stored{}, Optimizer: p.env.name("optimizer"), Protect: p.env.Protect,
	})
	if err != nil {
		return err
	}
	glue, err := lake.NewSecurityConfiguration(p.Stack, "glue", lake.SecurityConfigurationProps{
		Name: p.env.name("glue"), Key: p.Keys.Events, LogsKey: p.Keys.Logs,
	})
	if err != nil {
		return err
	}
	err = lake.NewCrawler(p.Stack, "crawler", lake.CrawlerProps{
		Name: p.env.name("crawler"), Catalog: p.Catalog, Bucket: p.Zones.Quarantine, Prefix: "events/", Security: glue,
	})
	if err != nil {
		return err
	}
	p.workgroup, err = lake.NewWorkgroup(p.Stack, "workgroup", lake.WorkgroupProps{
		Name: p.env.name("analysts"), Catalog: p.Catalog, Results: p.Zones.AthenaResults, ScanLimitGiB: p.env.ScanLimitGiB, DeleteAll: p.env.DeleteData,
	})
	return err
}
