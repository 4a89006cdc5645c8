package stacks

import (
	"strings"
	"testing"

	"github.com/shopstream/shopstream/constructs/ingest"
)

func TestEnvironments(t *testing.T) {
	for _, env := range []Environment{Local, LocalWide, Dev, Staging, Prod} {
		t.Run(env.Name+" is valid", func(t *testing.T) {
			if err := env.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAnInvalidEnvironmentTellsAllItsProblemsAtOnce(t *testing.T) {
	err := Environment{Name: "Prod!", Account: "12", Region: "europe", ReplicaRegion: "europe", Protect: true, DeleteData: true, SubscribeShield: true}.Validate()
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{
		`environment "Prod!"`,
		`Name must be 1 to 10 lower case letters, digits and hyphens, starting with a letter, got "Prod!"`,
		`Account must be 12 digits, got "12"`,
		`Region must be a region such as eu-west-1, got "europe"`,
		`ReplicaRegion must differ from Region`,
		`DeleteData must be false where Protect is true`,
		`SubscribeShield needs Shield`,
		`EventsPerSecond must be 0.01 to 1e+07, got 0`,
		`Front must be one of api, loadbalancer, got ""`,
		`MonthlyUSD is required`,
		`RetentionHours must be 24 to 8760, got 0`,
		`LogRetentionDays must be one of 1, 3, 5, 7, 14, 30, 60, 90, 180, 365, got 0`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

func TestEveryFieldOfAnEnvironmentIsChecked(t *testing.T) {
	for field, c := range map[string]struct {
		change func(*Environment)
		want   string
	}{
		"a front that there is not":           {func(e *Environment) { e.Front = "cdn" }, `Front must be one of api, loadbalancer, got "cdn"`},
		"a public front without a name":       {func(e *Environment) { e.Front = ingest.FrontLoadBalancer }, `Domain is required where Front is "loadbalancer"`},
		"a name without a certificate":        {func(e *Environment) { e.Domain.Name = "c.example.com" }, "Domain needs both Name and CertificateARN, or neither"},
		"a front's certificate of elsewhere":  {func(e *Environment) { e.Domain = domain("us-east-1") }, "CertificateARN of Domain must be of ACM in eu-west-1"},
		"a tracker's certificate of the home": {func(e *Environment) { e.TrackerDomain = domain("eu-west-1") }, "CertificateARN of TrackerDomain must be of ACM in us-east-1"},
		"more NAT gateways than zones":        {func(e *Environment) { e.NATGateways = 9 }, "NATGateways must be 0 to 3, got 9"},
		"an endpoint that there is not":       {func(e *Environment) { e.InterfaceEndpoints = []string{"Kinesis!"} }, `got "Kinesis!"`},
		"a deployment that there is not":      {func(e *Environment) { e.Deployment = "x" }, `Deployment must be one of rolling, bluegreen, got "x"`},
		"an integrator's name":                {func(e *Environment) { e.Integrators = []string{"ERP!"} }, `got "ERP!"`},
		"a schedule without a time":           {func(e *Environment) { e.Schedules = []ingest.Schedule{{Name: "sale"}} }, `When of schedule "sale" must be`},
		"a limit below nothing":               {func(e *Environment) { e.ScanLimitGiB = -1 }, "ScanLimitGiB must be 0 to 102400, got -1"},
		"people of one kind alone":            {func(e *Environment) { e.People.Operators = []string{"arn:aws:iam::123456789012:user/a"} }, "People.BreakGlass is required"},
		"somebody who can take no role":       {func(e *Environment) { e.People.Analysts = []string{"ana"} }, `People.Analysts must hold ARNs`},
		"a budget below nothing":              {func(e *Environment) { e.MonthlyUSD = -1 }, "MonthlyUSD must be 0 to 100000000, got -1"},
		"a buffer that Firehose has not":      {func(e *Environment) { e.DeliveryBufferSeconds = 5000 }, "DeliveryBufferSeconds must be 0 to 900, got 5000"},
		"an age that S3 does not take":        {func(e *Environment) { e.RawGlacierAfterDays = 3 }, "RawGlacierAfterDays must be 30 to 3650, got 3"},
		"an end before Glacier is paid off":   {func(e *Environment) { e.RawExpireAfterDays = 179 }, "RawExpireAfterDays must be 180 to 3650, got 179"},
		"an end that S3 does not take":        {func(e *Environment) { e.RawGlacierAfterDays, e.RawExpireAfterDays = 0, 29 }, "RawExpireAfterDays must be 30 to 3650, got 29"},
		"redrivers who are nobody":            {func(e *Environment) { e.People.Analysts = []string{"arn:aws:iam::123456789012:user/a"} }, "People.Redrivers is required"},
		"days that CloudWatch does not take":  {func(e *Environment) { e.LogRetentionDays = 45 }, "LogRetentionDays must be one of"},
		"streams that forget before failures": {func(e *Environment) { e.RetentionHours = 144 }, "RetentionHours must be over 144 where Protect is true"},
	} {
		t.Run(field, func(t *testing.T) {
			env := Prod
			c.change(&env)
			if err := env.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

func domain(region string) ingest.Domain {
	return ingest.Domain{Name: "c.example.com", CertificateARN: "arn:aws:acm:" + region + ":123456789012:certificate/a"}
}

func TestWhatIsProtectedIsKeptAWeekForReplay(t *testing.T) {
	for _, env := range []Environment{Staging, Prod} {
		if !env.Protect || env.RetentionHours != 168 {
			t.Errorf("%s: got Protect %v and %d hours, want 168", env.Name, env.Protect, env.RetentionHours)
		}
	}
}

func TestAnAccountsNameMayBeLongerThanAnEnvironments(t *testing.T) {
	for name, valid := range map[string]bool{"sixteen-letters-": true, "seventeen-letters": false, "Dev": false} {
		account := DevAccount
		account.Name = name
		if err := account.Validate(); (err == nil) != valid {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestSelect(t *testing.T) {
	valid := func() error { return nil }
	all := []Definition{{Name: "dev", Validate: valid}, {Name: "prod", Validate: valid}}
	given := func(value string) func(string) (string, bool) {
		return func(string) (string, bool) { return value, true }
	}
	for name, c := range map[string]struct {
		lookup func(string) (string, bool)
		want   string
	}{
		"takes all without a list":     {func(string) (string, bool) { return "", false }, "dev prod"},
		"takes none from an empty one": {given(""), ""},
		"takes those that are named":   {given("prod"), "prod"},
		"takes spaces for commas":      {given("prod, dev"), "prod dev"},
	} {
		t.Run(name, func(t *testing.T) {
			selected, err := Select(all, c.lookup)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, env := range selected {
				names = append(names, env.Name)
			}
			if got := strings.Join(names, " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	t.Run("names every unknown one", func(t *testing.T) {
		_, err := Select(all, given("x,y"))
		if err == nil || !strings.Contains(err.Error(), `"x"`) || !strings.Contains(err.Error(), `"y"; known are dev, prod`) {
			t.Errorf("got %v", err)
		}
	})
}
