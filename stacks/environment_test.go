package stacks

import (
	"strings"
	"testing"
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
	err := Environment{Name: "Prod!", Account: "12", Region: "europe", ReplicaRegion: "europe", Protect: true, DeleteData: true}.Validate()
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
		`EventsPerSecond must be 0.01 to 1e+07, got 0`,
		`Front must be "api" or "loadbalancer"`,
		`RetentionHours must be 24 to 8760, got 0`,
		`LogRetentionDays must be 1 to 365, got 0`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
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
