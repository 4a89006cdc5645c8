package stacks

import (
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/account"
	"github.com/shopstream/shopstream/constructs/lake"
	"github.com/shopstream/shopstream/constructs/security"
)

// NewAccount defines the stack account-NAME: what an account has one of, for
// all environments that live in it. An administrator applies it.
func NewAccount(app constructs.Construct, a AccountSettings) (cdktf.TerraformStack, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	stack, _ := newBase(app, a.stack("account"))
	// Config reads every type there is: audit comes before the boundary, which
	// would blind it.
	for _, part := range []func(cdktf.TerraformStack, AccountSettings) error{audit, gatewayLogs, costs, detector, dataLake} {
		if err := part(stack, a); err != nil {
			return nil, fmt.Errorf("account %q: %w", a.Name, err)
		}
	}
	return stack, nil
}

// audit is what remembers who did what: the trail and Config.
func audit(stack cdktf.TerraformStack, a AccountSettings) error {
	if !a.Manage.Trail && !a.Manage.Recorder {
		return nil
	}
	key, err := security.NewKey(stack, "audit_key", security.KeyProps{
		Alias: a.name("audit"), Description: "who did what in the account", Account: a.account(), Protect: a.Protect,
	})
	if err != nil {
		return err
	}
	logs, err := lake.NewAccessLogs(stack, "access_logs", lake.AccessLogsProps{
		Name: a.bucketName("access-logs"), Account: a.account(), ExpireAfterDays: 400, Protect: a.Protect, DeleteObjects: a.DeleteData,
	})
	if err != nil {
		return err
	}
	if a.Manage.Trail {
		if err := trail(stack, a, key, logs); err != nil {
			return err
		}
	}
	if !a.Manage.Recorder {
		return nil
	}
	_, err = account.NewRecorder(stack, "recorder", account.RecorderProps{
		Name: a.name("config-" + a.Region), Bucket: a.bucketName("config"), Key: key, RetentionDays: a.TrailDays,
		Protect: a.Protect, DeleteObjects: a.DeleteData, AccessLogs: logs,
	})
	return err
}

// trail watches the buckets of the environments, but for access logs, whose
// writes are as many as all other requests.
func trail(stack cdktf.TerraformStack, a AccountSettings, key *security.Key, logs *lake.AccessLogs) error {
	var watched, unwatched []string
	for _, name := range a.Environments {
		watched = append(watched, "shopstream-"+name+"-")
		unwatched = append(unwatched, "shopstream-"+name+"-access-logs-", "shopstream-"+name+"-copy-logs-")
	}
	_, err := account.NewTrail(stack, "trail", account.TrailProps{
		Name: a.name("trail"), Account: a.account(), Bucket: a.bucketName("trail"), Key: key, RetentionDays: a.TrailDays,
		Watched: watched, Unwatched: unwatched, Protect: a.Protect, DeleteObjects: a.DeleteData, AccessLogs: logs,
	})
	return err
}

func gatewayLogs(stack cdktf.TerraformStack, a AccountSettings) error {
	if !a.Manage.GatewayLogs {
		return nil
	}
	boundary, err := security.NewBoundary(stack, security.BoundaryProps{Prefix: a.name(""), Account: a.account(), Regions: []string{a.ReplicaRegion}})
	if err != nil {
		return err
	}
	_, err = account.NewGatewayLogs(stack, "gateway_logs", account.GatewayLogsProps{Name: a.name("gateway-logs-" + a.Region), Boundary: boundary})
	return err
}

func costs(stack cdktf.TerraformStack, a AccountSettings) error {
	if !a.Payer {
		return nil
	}
	_, err := account.NewCosts(stack, "costs", account.CostsProps{
		Name: "shopstream", Environments: a.Environments, AnomalyUSD: a.AnomalyUSD, Tags: a.BillTags,
		Email: variable(stack, "cost_email", "The address that is told of anomalies in the bill."),
	})
	return err
}

func detector(stack cdktf.TerraformStack, a AccountSettings) error {
	if !a.Manage.Detector {
		return nil
	}
	account.NewDetector(stack, "detector")
	return nil
}

func dataLake(stack cdktf.TerraformStack, a AccountSettings) error {
	if !a.Manage.DataLake {
		return nil
	}
	_, err := account.NewDataLake(stack, "data_lake", account.DataLakeProps{Admins: a.GrantAdmins})
	return err
}
