package ingest

import (
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"

	"github.com/shopstream/shopstream/constructs/network"
	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// FrontKind is what stands between the internet and the collector.
type FrontKind string

// The kinds of fronts.
const (
	FrontAPI          FrontKind = "api"          // a REST API checks tokens, keys and rates
	FrontLoadBalancer FrontKind = "loadbalancer" // a public load balancer, for high volume; the collector checks tokens
)

// Validate reports a kind that there is not.
func (k FrontKind) Validate(field string) error {
	return check.OneOf(field, k, FrontAPI, FrontLoadBalancer)
}

// FrontProps configures a Front.
type FrontProps struct {
	Kind        FrontKind          // required; another one replaces the load balancer
	Name        string             // required; unique in the account and region, at most 26 characters; another one replaces the load balancer
	Account     security.Account   // required
	Network     *network.Network   // required
	Identity    *Identity          // required
	FirewallLog *security.LogGroup // required; its name starts with aws-waf-logs-; holds shoppers' addresses
	Domain      Domain             // required with "loadbalancer"; default with "api" the name that AWS gives
	BlueGreen   bool               // whether CodeDeploy deploys the collector; default false
	Protect     bool               // whether AWS and Terraform refuse to destroy its load balancers; default false

	API      APIProps      // what "api" lets through, and its LogGroup; Front fills in the rest
	Firewall FirewallProps // requests per address; Front fills in the rest
}

func (p FrontProps) validate() error {
	errs := []error{
		p.Kind.Validate("Kind"),
		check.Required("Name", p.Name != ""),
		check.Required("Account", p.Account.ID != "" && p.Account.Region != ""),
		check.Required("Network", p.Network != nil),
		check.Required("Identity", p.Identity != nil),
		check.Required("FirewallLog", p.FirewallLog != nil),
		p.Domain.Validate("Domain", p.Account.Region),
	}
	switch p.Kind {
	case FrontAPI:
		errs = append(errs, check.Required("API.LogGroup", p.API.LogGroup != nil))
	case FrontLoadBalancer:
		errs = append(errs, check.Required("Domain", p.Domain.Name != ""))
	}
	return errors.Join(errs...)
}

// Front is where shoppers' browsers and shops' servers knock.
//
//	Front
//	├── load_balancer   LoadBalancer, internal with "api"
//	├── link            Link, with "api"
//	├── api             API, with "api"
//	└── firewall        Firewall before the API, or the load balancer
type Front struct {
	domain       Domain
	loadBalancer *LoadBalancer
	api          *API
	firewall     *Firewall
}

// NewFront defines a Front in scope.
func NewFront(scope constructs.Construct, id string, p FrontProps) (*Front, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("front %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	f := &Front{domain: p.Domain}
	if err := f.define(scope, p); err != nil {
		return nil, fmt.Errorf("front %q: %w", id, err)
	}
	return f, nil
}

func (f *Front) define(scope constructs.Construct, p FrontProps) (err error) {
	f.loadBalancer, err = NewLoadBalancer(scope, "load_balancer", LoadBalancerProps{
		Name: p.Name, Network: p.Network, Internal: p.Kind == FrontAPI, CertificateARN: p.Domain.CertificateARN,
		BlueGreen: p.BlueGreen, Protect: p.Protect,
	})
	if err != nil {
		return err
	}
	var guarded Guarded = f.loadBalancer
	if p.Kind == FrontAPI {
		link, err := NewLink(scope, "link", LinkProps{Name: p.Name, Network: p.Network, LoadBalancer: f.loadBalancer, Protect: p.Protect})
		if err != nil {
			return err
		}
		p.API.Name, p.API.Account, p.API.Link, p.API.Identity, p.API.Domain = p.Name, p.Account, link, p.Identity, p.Domain
		if f.api, err = NewAPI(scope, "api", p.API); err != nil {
			return err
		}
		guarded = f.api
	}
	p.Firewall.Name, p.Firewall.Account, p.Firewall.Guards, p.Firewall.LogGroup = p.Name, p.Account, guarded, p.FirewallLog
	f.firewall, err = NewFirewall(scope, "firewall", p.Firewall)
	return err
}

// LoadBalancer leads to the collector.
func (f *Front) LoadBalancer() *LoadBalancer { return f.loadBalancer }

// API is nil with "loadbalancer".
func (f *Front) API() *API { return f.api }

// Firewall stands before all else.
func (f *Front) Firewall() *Firewall { return f.firewall }

// URL is what EventsPath and the others are appended to.
func (f *Front) URL() *string {
	if f.api != nil {
		return f.api.URL()
	}
	url := "https://" + f.domain.Name
	return &url
}

// DNSName is a token: what the record of the Domain points to; nil without one.
func (f *Front) DNSName() *string {
	if f.api != nil {
		return f.api.DNSName()
	}
	return f.loadBalancer.DNSName()
}
