package stacks

import (
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/delivery"
	"github.com/shopstream/shopstream/constructs/security"
)

// NewBootstrap defines the stack bootstrap-NAME, which an account needs before
// any other: where states and images lie, and what GitHub's jobs may do. An
// administrator applies it; docs/first-deploy.md tells how its own state gets
// into the bucket that it makes.
func NewBootstrap(app constructs.Construct, a AccountSettings) (cdktf.TerraformStack, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	stack, _ := newBase(app, a.stack("bootstrap"))
	if err := bootstrap(stack, a); err != nil {
		return nil, fmt.Errorf("account %q: %w", a.Name, err)
	}
	return stack, nil
}

func bootstrap(stack cdktf.TerraformStack, a AccountSettings) error {
	state, err := delivery.NewState(stack, "state", delivery.StateProps{Account: a.account(), Protect: a.Protect, DeleteObjects: a.DeleteData})
	if err != nil {
		return err
	}
	state.Keep(a.stack("bootstrap").Name)
	state.Keep(a.stack("account").Name)

	key, err := security.NewKey(stack, "images_key", security.KeyProps{
		Alias: "shopstream-account-images", Description: "images of our programs", Account: a.account(), Protect: a.Protect,
	})
	if err != nil {
		return err
	}
	images, err := delivery.NewImages(stack, "collector_images", delivery.ImagesProps{
		Name: CollectorRepository, Key: key, Keep: a.KeepImages, Protect: a.Protect, DeleteObjects: a.DeleteData,
	})
	if err != nil {
		return err
	}

	github, err := delivery.NewGitHub(stack, "github", delivery.GitHubProps{Account: a.account(), Manage: a.Manage.GitHub})
	if err != nil {
		return err
	}
	for _, name := range a.Environments {
		ci, err := delivery.NewCI(stack, "ci_"+name, delivery.CIProps{
			Account: a.account(), Stack: name, Regions: []string{a.ReplicaRegion}, GitHub: github, State: state, Repository: a.Repository,
			Artifacts: []string{"shopstream-" + name + "-artifacts-*"},
		})
		if err != nil {
			return err
		}
		output(stack, name+"_plan_role", "What GitHub's jobs become to plan "+name+".", ci.PlanARN())
		output(stack, name+"_apply_role", "What GitHub's jobs become to apply "+name+".", ci.ApplyARN())
	}
	output(stack, "state_bucket", "Holds the states of the account's stacks.", state.BucketID())
	output(stack, "collector_repository", "Takes the collector's image.", images.URL())
	return nil
}
