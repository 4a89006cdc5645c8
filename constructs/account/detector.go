package account

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/guarddutydetector"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/guarddutydetectorfeature"

	"github.com/shopstream/shopstream/internal/check"
)

// Frequency is how often GuardDuty tells a finding again.
type Frequency string

// GuardDuty's words.
const (
	FifteenMinutes Frequency = "FIFTEEN_MINUTES"
	OneHour        Frequency = "ONE_HOUR"
	SixHours       Frequency = "SIX_HOURS"
)

// DetectorProps configures a Detector.
type DetectorProps struct {
	Frequency Frequency // default OneHour
	Features  []string  // protections beyond the basic ones, in GuardDuty's words; default S3_DATA_EVENTS and LAMBDA_NETWORK_LOGS
}

func (p DetectorProps) validate() error {
	errs := []error{check.OneOf("Frequency", p.Frequency, FifteenMinutes, OneHour, SixHours)}
	for _, feature := range p.Features {
		errs = append(errs, check.OneOf("Features", feature, "S3_DATA_EVENTS", "LAMBDA_NETWORK_LOGS", "RUNTIME_MONITORING", "RDS_LOGIN_EVENTS"))
	}
	return errors.Join(errs...)
}

// Detector looks for attackers in what the account and region log.
//
//	Detector
//	├── this      aws_guardduty_detector
//	└── FEATURE   aws_guardduty_detector_feature
type Detector struct{}

// NewDetector defines a Detector in scope.
func NewDetector(scope constructs.Construct, id string, p DetectorProps) (*Detector, error) {
	p.Frequency = cmp.Or(p.Frequency, OneHour)
	if p.Features == nil {
		p.Features = []string{"S3_DATA_EVENTS", "LAMBDA_NETWORK_LOGS"}
	}
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("detector %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	detector := guarddutydetector.NewGuarddutyDetector(scope, jsii.String("this"), &guarddutydetector.GuarddutyDetectorConfig{
		Enable: true, FindingPublishingFrequency: jsii.String(string(p.Frequency)),
	})
	for _, feature := range p.Features {
		guarddutydetectorfeature.NewGuarddutyDetectorFeature(scope, &feature, &guarddutydetectorfeature.GuarddutyDetectorFeatureConfig{
			DetectorId: detector.Id(), Name: &feature, Status: jsii.String("ENABLED"),
		})
	}
	return &Detector{}, nil
}
