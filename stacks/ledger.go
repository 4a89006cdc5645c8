package stacks

import (
	"errors"

	"github.com/shopstream/shopstream/constructs/lake"
	"github.com/shopstream/shopstream/constructs/observe"
)

// defineLedger has what was accepted balanced against what is stored, hourly.
func (p *Pipeline) defineLedger() error {
	name := p.env.name("ledger")
	log, err := p.newLogGroup("ledger_log", "/aws/lambda/"+name, p.env.LogRetentionDays)
	if err != nil {
		return err
	}
	p.logs = append(p.logs, log)
	p.ledger, err = lake.NewLedger(p.Stack, "hourly_ledger", lake.LedgerProps{
		Name: name, Pipeline: p.env.Name, Code: p.workloads.Ledger, Key: p.Keys.Events, LogGroup: log,
		Workgroup: p.workgroup, Packs: p.packs, Receipts: p.receipts, Quarantined: p.quarantined,
	})
	return err
}

func (p *Pipeline) watchLedger(tier *observe.Tier) error {
	return errors.Join(
		tier.WatchLedger("ledger", p.ledger.Pipeline()),
		tier.WatchFunction("ledger", observe.FunctionProps{Name: p.ledger.Name(), TimeoutSeconds: lake.LedgerTimeoutSeconds, EverySeconds: 3600}),
	)
}
