package guardrails

import (
	"strings"
	"testing"
)

func TestException(t *testing.T) {
	fail, pass := read(t, "alarmed", "fail.json"), read(t, "alarmed", "pass.json")
	found := func(t *testing.T, stackJSON []byte, e Exception) (rules []string) {
		t.Helper()
		violations, err := Find(stackJSON, Options{Exceptions: []Exception{e}})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range violations {
			if v.Path == "test/bad_none" && v.Rule == Alarmed || v.Rule == ExceptionFresh {
				rules = append(rules, v.Rule)
			}
		}
		return rules
	}
	for name, c := range map[string]struct {
		stack []byte
		e     Exception
		want  string
	}{
		"excuses a construct":                                 {fail, Exception{Alarmed, "test/bad_none", "tried by hand"}, ""},
		"excuses a construct in any stack":                    {fail, Exception{Alarmed, "*/bad_none", "tried by hand"}, ""},
		"needs a reason":                                      {fail, Exception{Alarmed, "test/bad_none", ""}, "alarmed exception-fresh"},
		"is for one rule":                                     {fail, Exception{Tagged, "test/bad_none", "tried by hand"}, "alarmed exception-fresh"},
		"is for one path":                                     {fail, Exception{Alarmed, "test/bad_non", "tried by hand"}, "alarmed exception-fresh"},
		"of another stack says nothing":                       {fail, Exception{Alarmed, "prod/bad_none", "tried by hand"}, "alarmed"},
		"excuses any construct with such a name":              {fail, Exception{Alarmed, "*/bad_*", "tried by hand"}, ""},
		"is not for what lies deeper":                         {fail, Exception{Alarmed, "*", "tried by hand"}, "alarmed"},
		"is stale where the construct is in order":            {pass, Exception{Alarmed, "test/by_ref", "tried by hand"}, "exception-fresh"},
		"is stale where there is no such construct":           {pass, Exception{Alarmed, "test/other", "tried by hand"}, "exception-fresh"},
		"for any stack is not stale where one is in order":    {pass, Exception{Alarmed, "*/by_ref", "tried by hand"}, ""},
		"from protection is not stale where nothing protects": {pass, Exception{DeletionProtected, "test/by_ref", "rebuilt from the lake"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(found(t, c.stack, c.e), " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	t.Run("that covers nothing in any stack is found", func(t *testing.T) {
		used, unused := Exception{Alarmed, "*/bad_none", "tried by hand"}, Exception{Alarmed, "*/gone", "tried by hand"}
		got, err := Unused([]Exception{used, unused}, pass, fail)
		if err != nil || len(got) != 1 || got[0] != unused {
			t.Errorf("got %v, %v, want %v", got, err, unused)
		}
	})
}

func TestCheckTellsThePathTheRuleAndTheMend(t *testing.T) {
	err := Check(read(t, "dead-letters", "fail.json"), Options{})
	want := "test/bad_none breaks dead-letters: it has no dead-letter queue in this stack; set redrive_policy to one with deadLetterTargetArn and maxReceiveCount"
	if err == nil || !strings.Contains(err.Error(), want+"\n") {
		t.Errorf("got %v, want %q in it", err, want)
	}
}

func TestProtectionIsAskedForWhereTheEnvironmentProtects(t *testing.T) {
	for _, protect := range []bool{true, false} {
		violations, err := Find(read(t, DeletionProtected, "fail.json"), Options{Protect: protect})
		if err != nil {
			t.Fatal(err)
		}
		asked := false
		for _, v := range violations {
			asked = asked || v.Rule == DeletionProtected
		}
		if asked != protect {
			t.Errorf("Protect %v: got %v", protect, asked)
		}
	}
}

func TestWhatIsNoStackIsNotInOrder(t *testing.T) {
	for _, text := range []string{"", "{}", "[]", `{"resource": 1}`, `{"format_version": "1.2"}`} {
		if err := Check([]byte(text), Options{}); err == nil {
			t.Errorf("%q: got no error", text)
		}
	}
}

func TestStatefulAndMoved(t *testing.T) {
	stack := []byte(`{"provider": {"aws": {}}, "resource": {
		"aws_kinesis_stream": {"now": {}}, "aws_sqs_queue": {"queue": {}}, "aws_glue_catalog_table": {"view": {}}},
		"moved": [{"from": "aws_kinesis_stream.first", "to": "aws_kinesis_stream.then"}, {"from": "aws_kinesis_stream.then", "to": "aws_kinesis_stream.now"}, {"from": "aws_kinesis_stream.lost", "to": "aws_kinesis_stream.nowhere"}]}`)
	addresses, err := Stateful(stack)
	if err != nil || strings.Join(addresses, " ") != "aws_kinesis_stream.now" {
		t.Errorf("got %v, %v, want the stream alone", addresses, err)
	}
	moved, err := Moved(stack)
	if err != nil || len(moved) != 2 || moved["aws_kinesis_stream.first"] != "aws_kinesis_stream.now" || moved["aws_kinesis_stream.then"] != "aws_kinesis_stream.now" {
		t.Errorf("got %v, %v, want both moves to the stream that is there", moved, err)
	}
}
