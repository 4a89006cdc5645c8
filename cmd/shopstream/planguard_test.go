package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var planFixtures = filepath.Join("..", "..", "constructs", "guardrails", "testdata", "plan")

func TestPlanGuardTellsAllFindingsAtOnce(t *testing.T) {
	var out strings.Builder
	findings, err := planGuard{}.judge(filepath.Join(planFixtures, "fail.json"), nil, &out)
	if err != nil || findings < 15 {
		t.Fatalf("got %d findings, %v, want at least 15", findings, err)
	}
	for _, want := range []string{
		"✗ aws_kinesis_stream.bad_destroyed: the plan destroys what holds data (data-kept)\n    move it with a moved block, or name it with --destroy-data\n",
		"✗ aws_sqs_queue.bad_star: ",
		"✗ aws_sqs_queue.bad_unknown: policy is unknown until apply",
		"the plan is refused: ",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got\n%s\nwant %q in it", out.String(), want)
		}
	}
}

func TestPlanGuardReadsItsInput(t *testing.T) {
	in, err := os.Open(filepath.Join(planFixtures, "pass.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var out strings.Builder
	if findings, err := (planGuard{}).judge("-", in, &out); err != nil || findings != 0 || out.String() != "" {
		t.Errorf("got %d findings, %v, %q, want none", findings, err, out.String())
	}
}

// The test binary is the command, started again.
func TestPlanGuardExits(t *testing.T) {
	if plan := os.Getenv("PLAN_GUARD"); plan != "" {
		cmd := planGuardCommand()
		cmd.SetArgs(strings.Split(plan, " "))
		if err := cmd.Execute(); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	pass, fail, unknown := filepath.Join(planFixtures, "pass.json"), filepath.Join(planFixtures, "fail.json"), filepath.Join(planFixtures, "unknown.json")
	for name, c := range map[string]struct {
		args []string
		want int
	}{
		"0 for a plan that may be applied":         {[]string{pass}, 0},
		"2 for one that is refused":                {[]string{fail}, 2},
		"2 for a name that the plan doesn't touch": {[]string{pass, "--destroy-data", "aws_kinesis_stream.events"}, 2},
		"2 for one that destroys all and more":     {[]string{fail, "--destroy-all"}, 2},
		"2 for a policy that the stack opens":      {[]string{unknown, "--stack", filepath.Join(planFixtures, "unknown_stack.json")}, 2},
		"1 for one that isn't there":               {[]string{"nowhere.json"}, 1},
		"1 for one that is no plan":                {[]string{"planguard.go"}, 1},
		"1 for a stack that isn't there":           {[]string{pass, "--stack", "nowhere.json"}, 1},
		"1 without a plan":                         {[]string{"--public", "x"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestPlanGuardExits$")
			cmd.Env = append(os.Environ(), "PLAN_GUARD="+strings.Join(c.args, " "))
			out, _ := cmd.CombinedOutput() // the exit status is looked at
			if got := cmd.ProcessState.ExitCode(); got != c.want {
				t.Errorf("got %d, want %d\n%s", got, c.want, out)
			}
		})
	}
}
