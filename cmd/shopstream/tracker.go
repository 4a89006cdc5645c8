package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/spf13/cobra"

	"github.com/shopstream/shopstream/internal/asset"
	"github.com/shopstream/shopstream/internal/release"
)

func trackerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tracker",
		Short: "Release the tracker to shops, and take a release back",
		Long: `Tracker puts releases into the bucket that shops' pages load the script from: t/VERSION/s.js
stays as it is for good, t/1/s.js is the current one, for five minutes. ` + atWork,
		Example: `  shopstream tracker promote --env prod
  shopstream tracker rollback 1.0.0 --env prod`,
		Args: cobra.NoArgs,
	}
	open := deployedFlag(cmd)
	bucket := cmd.PersistentFlags().String("bucket", "", "the bucket of releases; default the environment's artifacts")
	releases := func(ctx context.Context) (release.Releases, error) {
		d, err := open(ctx)
		return release.Releases{Client: s3.NewFromConfig(d.aws, func(o *s3.Options) { o.UsePathStyle = d.env == "local" }), Bucket: cmp.Or(*bucket, d.bucket("artifacts"))}, err
	}
	cmd.AddCommand(promoteCommand(releases), rollbackCommand(releases))
	return cmd
}

type openReleases func(context.Context) (release.Releases, error)

func promoteCommand(open openReleases) *cobra.Command {
	return &cobra.Command{
		Use:   "promote",
		Short: "Release what make build built, and make it the current release",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			tracker, err := asset.FindTracker()
			if err != nil {
				return err
			}
			root, err := asset.Root()
			if err != nil {
				return err
			}
			releases, err := open(cmd.Context())
			if err != nil {
				return err
			}
			if err := releases.Promote(cmd.Context(), asset.TrackerDir(root), tracker); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "t/%s/s.js is current\n%s\n", tracker.Version, tracker.Integrity)
			return nil
		},
	}
}

func rollbackCommand(open openReleases) *cobra.Command {
	return &cobra.Command{
		Use:   "rollback VERSION",
		Short: "Make an older release the current one",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			releases, err := open(cmd.Context())
			if err != nil {
				return err
			}
			if err := releases.Rollback(cmd.Context(), args[0]); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "t/%s/s.js is current\n", args[0])
			return nil
		},
	}
}
