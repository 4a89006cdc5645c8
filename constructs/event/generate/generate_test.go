package main

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/shopstream/shopstream/constructs/event"
)

var root = filepath.Join("..", "..", "..")

func TestWhatIsGeneratedIsFresh(t *testing.T) {
	all, err := files(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		got, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(f.path)))
		if err != nil || !bytes.Equal(got, f.content) {
			t.Errorf("%s does not match the contract (%v); run make generate", f.path, err)
		}
	}
}

// generated decodes the generated file of a name into T.
func generated[T any](t *testing.T, name string) (v T) {
	t.Helper()
	all, err := files(root)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(f file) bool { return strings.HasSuffix(f.path, "/"+name) })
	if err := json.Unmarshal(all[i].content, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

type columnsFile struct{ Tables []tableColumns }

func TestEveryColumnOfATableIsTypedInEachDialect(t *testing.T) {
	glue := regexp.MustCompile(`^(string|int|bigint|double|boolean|date|timestamp|map<string,string>|(struct|array)<.+>)$`)
	spark := regexp.MustCompile(`^(STRING|INT|BIGINT|DOUBLE|BOOLEAN|DATE|TIMESTAMP|MAP<STRING, STRING>|(STRUCT|ARRAY)<.+>)$`)
	redshift := regexp.MustCompile(`^(VARCHAR\(([1-9]\d*)\)|INTEGER|BIGINT|DOUBLE PRECISION|BOOLEAN|DATE|TIMESTAMPTZ|SUPER)$`)
	tables := generated[columnsFile](t, "columns.json").Tables
	if len(tables) != 4 {
		t.Fatalf("%d tables", len(tables))
	}
	for _, table := range tables {
		names := map[string]bool{}
		for _, c := range table.Columns {
			if !glue.MatchString(c.Glue) || !spark.MatchString(c.Spark) || !redshift.MatchString(c.Redshift) || names[c.Name] {
				t.Errorf("%s: column %+v", table.Name, c)
			}
			if size := redshift.FindStringSubmatch(c.Redshift); size != nil && size[2] != "" {
				if n, _ := strconv.Atoi(size[2]); n > 65535 {
					t.Errorf("%s: %s is longer than Redshift allows: %d bytes", table.Name, c.Name, n)
				}
			}
			if c.Description == "" && table.Name != "receipts" {
				t.Errorf("%s: %s needs a comment in event.go", table.Name, c.Name)
			}
			names[c.Name] = true
		}
		for _, key := range table.Key {
			i := slices.IndexFunc(table.Columns, func(c column) bool { return c.Name == key })
			if i < 0 || table.Columns[i].Nullable {
				t.Errorf("%s: the key %s is no column or may be null", table.Name, key)
			}
		}
	}
}

func TestAnItemsRowHasTheItemAndItsEvent(t *testing.T) {
	table := generated[columnsFile](t, "columns.json").Tables[1]
	var names []string
	for _, c := range table.Columns {
		names = append(names, c.Name)
	}
	for _, want := range []string{"shop_id", "event_id", "event_date", "item_position", "item_id", "price", "currency"} {
		if !slices.Contains(names, want) {
			t.Errorf("items have the columns %v, not %s", names, want)
		}
	}
}

// rule is one of DQDL on a column or some.
var rule = regexp.MustCompile(`^([A-Z][A-Za-z]+)((?: "[a-z_]+")*)`)

func TestTheRulesetsNameRulesAndColumnsThatExist(t *testing.T) {
	for _, table := range tables[:2] {
		flat := map[string]bool{}
		for _, c := range event.Columns(table.row) {
			flat[c.Name] = c.Redshift != "SUPER"
		}
		text := string(ruleset(table))
		var complete []string
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		for _, line := range lines[2 : len(lines)-1] {
			parts := rule.FindStringSubmatch(strings.TrimSpace(line))
			if parts == nil || !slices.Contains(ruleTypes, parts[1]) {
				t.Fatalf("%s: AWS Glue has no rule %q", table.name, line)
			}
			for _, name := range strings.Fields(parts[2]) {
				if name = strings.Trim(name, `"`); !flat[name] {
					t.Errorf("%s: %q is no column that DQDL can check", table.name, name)
				}
				if parts[1] == "IsComplete" {
					complete = append(complete, name)
				}
			}
		}
		for _, c := range event.Columns(table.row) {
			if flat[c.Name] && !c.Nullable != slices.Contains(complete, c.Name) {
				t.Errorf("%s: completeness of %s is checked: %t", table.name, c.Name, c.Nullable)
			}
		}
		if lines[1] != "Rules = [" || lines[len(lines)-1] != "]" || !strings.Contains(text, "RowCount > 0,") || !strings.Contains(text, `IsPrimaryKey "shop_id" "event_id"`) {
			t.Errorf("%s has the ruleset\n%s", table.name, text)
		}
	}
}

func TestTheRulesetsHoldTheContractsBounds(t *testing.T) {
	items := string(ruleset(tables[1]))
	for _, want := range []string{
		`ColumnValues "price" > 0,`, `ColumnValues "price" <= 1000000000000,`, `ColumnValues "currency" matches "^[A-Z]{3}$",`,
		"ColumnValues \"quantity\" <= 1000000 where \"`quantity` is not null\",", `ColumnLength "item_id" <= 1024,`, `ColumnLength "item_id" >= 1,`,
		`ColumnValues "trust" in ["browser", "server"],`,
	} {
		if !strings.Contains(items, want) {
			t.Errorf("no rule %s in\n%s", want, items)
		}
	}
}

func TestAFeaturesInputIsAColumn(t *testing.T) {
	tables := generated[columnsFile](t, "columns.json").Tables
	inputs := generated[struct{ Inputs []input }](t, "features.json").Inputs
	var names []string
	for _, in := range inputs {
		names = append(names, in.Table+"."+in.Column)
		table := tables[slices.IndexFunc(tables, func(c tableColumns) bool { return c.Name == in.Table })]
		outer, inner, nested := strings.Cut(in.Column, ".")
		i := slices.IndexFunc(table.Columns, func(c column) bool { return c.Name == outer })
		if i < 0 || in.Description == "" {
			t.Errorf("%+v is no column of %s", in, in.Table)
			continue
		}
		if c := table.Columns[i]; nested && !strings.Contains(c.Spark, inner+": "+in.Spark) || !nested && (c.Spark != in.Spark || c.Nullable != in.Nullable) {
			t.Errorf("%+v is %+v in %s", in, c, in.Table)
		}
	}
	for _, want := range []string{"events.type", "events.event_time", "events.shop_id", "events.visitor_id", "events.session_id", "events.order.value", "items.price", "items.item_category", "items.item_brand"} {
		if !slices.Contains(names, want) {
			t.Errorf("features are made of %v, not of %s", names, want)
		}
	}
}

// TestEveryRuleIsExplained reads which rules the checks name.
func TestEveryRuleIsExplained(t *testing.T) {
	found := map[string]bool{}
	word := regexp.MustCompile(`^[a-z0-9_]+$`)
	note := func(e ast.Expr) {
		if literal, ok := e.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if text, _ := strconv.Unquote(literal.Value); word.MatchString(text) {
				found[text] = true
			}
		}
	}
	sources, err := filepath.Glob(filepath.Join("..", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		if strings.HasSuffix(source, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), source, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit: // Problem{pointer, rule, message} or Problem{Rule: rule}
				if of, ok := n.Type.(*ast.Ident); !ok || of.Name != "Problem" {
					return true
				}
				for i, e := range n.Elts {
					if pair, ok := e.(*ast.KeyValueExpr); ok && pair.Key.(*ast.Ident).Name == "Rule" {
						note(pair.Value)
					} else if !ok && i == 1 {
						note(e)
					}
				}
			case *ast.CallExpr: // checker.add(rule, …)
				if method, ok := n.Fun.(*ast.SelectorExpr); ok && method.Sel.Name == "add" && len(n.Args) > 1 {
					note(n.Args[0])
				}
			}
			return true
		})
	}
	if len(found) < 10 {
		t.Fatalf("found only the rules %v", found)
	}
	explained := map[string]bool{}
	for _, r := range rules {
		explained[r.name] = true
		if !found[r.name] {
			t.Errorf("docs/event.md explains the rule %s, which nothing checks; take it out of generate/reference.go", r.name)
		}
	}
	for name := range found {
		if !explained[name] {
			t.Errorf("docs/event.md does not explain the rule %s; add it to generate/reference.go", name)
		}
	}
}

func TestAReleaseThatBreaksTheReleasedOneIsRefused(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, filepath.FromSlash(released), "1.json")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	release := func(t *testing.T) ([]file, error) { t.Helper(); return withRelease(folder, nil) }

	first, err := release(t)
	if err != nil || len(first) != 1 || first[0].path != released+strconv.Itoa(event.SchemaVersion)+".json" {
		t.Fatalf("the first release is %v: %v", first, err)
	}
	if err := os.WriteFile(path, first[0].content, 0o644); err != nil {
		t.Fatal(err)
	}
	if again, err := release(t); err != nil || !bytes.Equal(again[0].content, first[0].content) {
		t.Fatalf("releasing the same again: %v", err)
	}
	wider := bytes.Replace(first[0].content, []byte(`"length": 4096`), []byte(`"length": 5000`), 1)
	if err := os.WriteFile(path, wider, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = release(t)
	if err == nil || !strings.Contains(err.Error(), "event.page.url was of at most 5000 and is of at most 4096: breaks tracker, preprocess, lake") || !strings.Contains(err.Error(), "raise SchemaVersion") {
		t.Errorf("error is %v", err)
	}
}
