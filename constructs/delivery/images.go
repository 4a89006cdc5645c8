package delivery

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/ecrlifecyclepolicy"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/ecrrepository"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// ImagesProps configures Images.
type ImagesProps struct {
	Name          string        // required; unique in the account and region, such as shopstream/collector
	Key           *security.Key // required; encrypts every layer
	Keep          int           // newest images that are kept, 2 to 1000; older ones can't be rolled back to; default 100
	Protect       bool          // whether Terraform refuses to destroy it; default false
	DeleteObjects bool          // whether destroying it deletes its images, which needs Protect to be false; default false
}

func (p ImagesProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Required("Key", p.Key != nil),
		check.Between("Keep", p.Keep, 2, 1000),
		check.That(!p.Protect || !p.DeleteObjects, "DeleteObjects must be false where Protect is true"),
	)
}

// Images is an ECR repository. Its tags never move, and each image is scanned
// for known weaknesses when it arrives.
//
//	Images
//	├── this        aws_ecr_repository
//	└── lifecycle   aws_ecr_lifecycle_policy
type Images struct {
	repository ecrrepository.EcrRepository
}

// NewImages defines Images in scope.
func NewImages(scope constructs.Construct, id string, p ImagesProps) (*Images, error) {
	p.Keep = cmp.Or(p.Keep, 100)
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("images %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	repository := ecrrepository.NewEcrRepository(scope, jsii.String("this"), &ecrrepository.EcrRepositoryConfig{
		Name:                       &p.Name,
		ForceDelete:                &p.DeleteObjects,
		ImageTagMutability:         jsii.String("IMMUTABLE"),
		ImageScanningConfiguration: &ecrrepository.EcrRepositoryImageScanningConfiguration{ScanOnPush: true},
		EncryptionConfiguration: []*ecrrepository.EcrRepositoryEncryptionConfiguration{{
			EncryptionType: jsii.String("KMS"), KmsKey: p.Key.ARN(),
		}},
		Lifecycle: &cdktf.TerraformResourceLifecycle{PreventDestroy: &p.Protect},
	})
	ecrlifecyclepolicy.NewEcrLifecyclePolicy(scope, jsii.String("lifecycle"), &ecrlifecyclepolicy.EcrLifecyclePolicyConfig{
		Repository: repository.Name(), Policy: p.lifecycle(),
	})
	return &Images{repository}, nil
}

// lifecycle forgets untagged images, which an upload that broke off leaves,
// and the oldest of the others.
func (p ImagesProps) lifecycle() *string {
	type selection struct {
		TagStatus   string `json:"tagStatus"`
		CountType   string `json:"countType"`
		CountUnit   string `json:"countUnit,omitempty"`
		CountNumber int    `json:"countNumber"`
	}
	type rule struct {
		Priority    int               `json:"rulePriority"`
		Description string            `json:"description"`
		Selection   selection         `json:"selection"`
		Action      map[string]string `json:"action"`
	}
	expire := map[string]string{"type": "expire"}
	b, err := json.Marshal(map[string]any{"rules": []rule{
		{1, "untagged", selection{TagStatus: "untagged", CountType: "sinceImagePushed", CountUnit: "days", CountNumber: 7}, expire},
		{2, "old", selection{TagStatus: "any", CountType: "imageCountMoreThan", CountNumber: p.Keep}, expire},
	}})
	if err != nil {
		panic(err) // texts and numbers always marshal
	}
	return jsii.String(string(b))
}

// URL is a token: what an image's name begins with.
func (i *Images) URL() *string { return i.repository.RepositoryUrl() }
