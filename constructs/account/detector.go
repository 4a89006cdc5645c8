package account

import (
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/guarddutydetector"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/guarddutydetectorfeature"
)

// features are GuardDuty's protections beyond the basic ones.
var features = []string{"S3_DATA_EVENTS", "LAMBDA_NETWORK_LOGS"}

// Detector looks for attackers in what the account and region log.
//
//	Detector
//	├── this      aws_guardduty_detector
//	└── FEATURE   aws_guardduty_detector_feature
type Detector struct{}

// NewDetector defines a Detector in scope.
func NewDetector(scope constructs.Construct, id string) *Detector {
	scope = constructs.NewConstruct(scope, &id)
	detector := guarddutydetector.NewGuarddutyDetector(scope, jsii.String("this"), &guarddutydetector.GuarddutyDetectorConfig{
		Enable: true, FindingPublishingFrequency: jsii.String("ONE_HOUR"),
	})
	for _, feature := range features {
		guarddutydetectorfeature.NewGuarddutyDetectorFeature(scope, &feature, &guarddutydetectorfeature.GuarddutyDetectorFeatureConfig{
			DetectorId: detector.Id(), Name: &feature, Status: jsii.String("ENABLED"),
		})
	}
	return &Detector{}
}
