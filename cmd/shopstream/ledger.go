package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/spf13/cobra"

	"github.com/shopstream/shopstream/internal/asset"
	"github.com/shopstream/shopstream/internal/emulator"
	"github.com/shopstream/shopstream/internal/ledger"
)

// endpoints say where a kept demo answers.
type endpoints struct {
	Collector string           `json:"collector"`      // URL
	Shop      string           `json:"shop,omitempty"` // URL
	MiniStack string           `json:"ministack"`      // URL: S3, Kinesis, Lambda, …
	Moto      string           `json:"moto"`           // URL: every other service
	Region    string           `json:"region"`
	Outputs   emulator.Outputs `json:"outputs"` // the stack's
}

// reader reads a deployment's buckets.
func (e endpoints) reader(root, dir string) ledger.Reader {
	cfg := aws.Config{
		Region: e.Region, BaseEndpoint: &e.MiniStack,
		Credentials: credentials.NewStaticCredentialsProvider("emulated", "emulated", ""),
	}
	return ledger.Reader{
		S3: ledger.NewS3(cfg), DuckDB: filepath.Join(root, ".venv", "bin", "duckdb"), Dir: filepath.Join(dir, "run", "objects"),
		Raw: e.Outputs.RawBucket, Quarantine: e.Outputs.QuarantineBucket, Ledger: e.Outputs.LedgerBucket, Failed: e.Outputs.FailedBucket,
	}
}

func ledgerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: "Balance what was accepted against what is stored",
		Long: `Ledger counts what lies in the buckets of a demo that was kept (make demo KEEP=1):

  accepted = delivered + quarantined + duplicates + residue

It exits with 1 where residue is not 0, frames are missing or events lack a receipt.`,
		Args: cobra.NoArgs,
	}
	dir := demoDirFlag(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print the whole statement as JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		at, root, err := demoDir(*dir)
		if err != nil {
			return err
		}
		e, err := readEndpoints(at)
		if err != nil {
			return err
		}
		s, err := e.reader(root, at).Read(cmd.Context())
		if err != nil {
			return err
		}
		if *asJSON {
			out := json.NewEncoder(os.Stdout)
			out.SetIndent("", "  ")
			if err := out.Encode(s); err != nil {
				return err
			}
		} else {
			printLedger(os.Stdout, s.Ledger)
		}
		return s.Ledger.Err()
	}
	return cmd
}

func demoDirFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("dir", filepath.Join("build", "demo"), "the demo's folder, relative to the project's")
}

// demoDir returns the demo's folder and the project's.
func demoDir(dir string) (at, root string, err error) {
	if root, err = asset.Root(); err != nil {
		return "", "", err
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(root, dir)
	}
	return dir, root, nil
}

func readEndpoints(dir string) (endpoints, error) {
	var e endpoints
	b, err := os.ReadFile(filepath.Join(dir, "endpoints.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return e, fmt.Errorf("no demo is kept in %s; run make demo KEEP=1", dir)
	}
	if err != nil {
		return e, err
	}
	return e, json.Unmarshal(b, &e)
}

func printLedger(w io.Writer, l ledger.Ledger) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "accepted\t=\tdelivered\t+\tquarantined\t+\tduplicates\t+\tresidue\t")
	fmt.Fprintf(table, "%d\t=\t%d\t+\t%d\t+\t%d\t+\t%d\t\n", l.Accepted, l.Delivered, l.Quarantined, l.Duplicates, l.Residue)
	table.Flush()
}
