package test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/shopstream/shopstream/stacks"
	"github.com/shopstream/shopstream/test/synth"
)

// readAll reads the files below the repository's folders whose names end so, by path.
func readAll(t *testing.T, suffix string, folders ...string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join("..", folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if entry.IsDir() && entry.Name() == "node_modules" {
				return fs.SkipDir
			}
			if entry.IsDir() || !strings.HasSuffix(path, suffix) {
				return nil
			}
			text, err := os.ReadFile(path)
			texts[path] = string(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return texts
}

var (
	codeBlock  = regexp.MustCompile("(?ms)^```.*?^```")
	codeSpan   = regexp.MustCompile("`[^`\n]+`")
	linkTarget = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading    = regexp.MustCompile(`(?m)^#+ (.+)$`)
	noAnchor   = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are those that GitHub gives a page's headings.
func anchors(page string) (found []string) {
	for _, h := range heading.FindAllStringSubmatch(codeBlock.ReplaceAllString(page, ""), -1) {
		found = append(found, strings.ReplaceAll(noAnchor.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-"))
	}
	return found
}

func TestEveryLinkInTheDocsLeadsSomewhere(t *testing.T) {
	pages := readAll(t, ".md", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs")
	links := 0
	for path, page := range pages {
		text := codeSpan.ReplaceAllString(codeBlock.ReplaceAllString(page, ""), "code")
		for _, link := range linkTarget.FindAllStringSubmatch(text, -1) {
			if strings.Contains(link[1], "://") {
				continue
			}
			links++
			file, anchor, _ := strings.Cut(link[1], "#")
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s leads nowhere", path, link[1])
			} else if anchor != "" && !slices.Contains(anchors(pages[target]), anchor) {
				t.Errorf("%s: %s leads to no heading of %s", path, link[1], target)
			}
		}
	}
	if len(pages) < 20 || links < 100 {
		t.Errorf("got %d pages with %d links, want all", len(pages), links)
	}
}

func TestAnAnchorIsGitHubsOfAHeading(t *testing.T) {
	got := anchors("# 1. The way, `here`\n\n```sh\n# no heading\n```\n\n### quarantine record_2\n")
	if want := []string{"1-the-way-here", "quarantine-record_2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTheArchitecturePageNamesEveryConstructAndATestOfIt(t *testing.T) {
	const path = "../docs/architecture.md"
	page := readAll(t, ".md", "docs/architecture.md")[path]

	constructor := regexp.MustCompile(`(?m)^func (New[A-Za-z]*)\(\w+ (?:constructs\.Construct|cdktf\.TerraformStack), `)
	missing := map[string]bool{} // constructors, as package.Name
	for file, source := range readAll(t, ".go", "constructs") {
		for _, found := range constructor.FindAllStringSubmatch(source, -1) {
			missing[filepath.Base(filepath.Dir(file))+"."+found[1]] = true
		}
	}
	tests := map[string]bool{}
	for _, source := range readAll(t, "_test.go", "cmd", "constructs", "internal", "stacks", "test") {
		for _, found := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(source, -1) {
			tests[found[1]] = true
		}
	}
	if len(missing) < 40 || len(tests) < 200 {
		t.Fatalf("got %d constructors and %d tests, want all", len(missing), len(tests))
	}

	known := make(map[string]bool, len(missing))
	for name := range missing {
		known[name] = true
	}
	named := regexp.MustCompile("`([a-z]+)\\.(New\\w*)`\\]\\(\\.\\./constructs/([a-z]+)/")
	inTable := regexp.MustCompile("`(Test\\w+)`")
	for _, row := range regexp.MustCompile(`(?m)^\|.*New.*\|$`).FindAllString(page, -1) {
		for _, found := range named.FindAllStringSubmatch(row, -1) {
			name := found[1] + "." + found[2]
			if !known[name] || found[1] != found[3] {
				t.Errorf("there is no %s in constructs/%s", name, found[3])
			}
			delete(missing, name)
		}
		provers := inTable.FindAllStringSubmatch(row, -1)
		if len(provers) == 0 {
			t.Errorf("no test proves %s", row)
		}
		for _, found := range provers {
			if !tests[found[1]] {
				t.Errorf("there is no %s", found[1])
			}
		}
	}
	for name := range missing {
		t.Errorf("%s does not name %s", path, name)
	}
}

// attended is prod, with people who take its roles.
func attended() stacks.Environment {
	env := stacks.Prod
	env.People = everything.People
	return env
}

// command is one of AWS's CLI in a runbook.
type command struct {
	page, role         string
	service, operation string
	arguments          string // the shell's, variables filled in
}

var (
	roleInText  = regexp.MustCompile(`(?i)\bas (operator|reader|privacy officer|redrive|break-glass)\b`)
	awsCommand  = regexp.MustCompile(`\baws ([a-z0-9-]+) ([a-z0-9-]+)([^\n|]*)`)
	plainOrCode = regexp.MustCompile("`[^`]+`|[^`]+")
)

// inProd are the variables that the runbooks set first; F is what an alarm tells.
var inProd = strings.NewReplacer("${P//-/_}", "shopstream_prod", "$P", "shopstream-prod", "$ENV", "prod", "$F", "shopstream-prod-preprocess",
	"$ACCOUNT", stacks.Prod.Account, "$AWS_REGION", stacks.Prod.Region, `"`, "", "'", "")

// commands are those of all runbooks, each with the role that its paragraph
// names, or a comment before it.
func commands(t *testing.T) (found []command) {
	t.Helper()
	for page, text := range readAll(t, ".md", "docs/runbooks") {
		role, block := "operator", false
		take := func(text string, code bool) {
			if named := roleInText.FindAllStringSubmatch(text, -1); named != nil {
				role = strings.ToLower(named[len(named)-1][1])
			}
			if !code {
				return
			}
			for _, c := range awsCommand.FindAllStringSubmatch(text, -1) {
				found = append(found, command{page, role, c[1], c[2], inProd.Replace(c[3])})
			}
		}
		for _, line := range strings.Split(strings.ReplaceAll(text, "\\\n", " "), "\n") {
			switch {
			case strings.HasPrefix(line, "```"):
				block = !block
			case block:
				take(line, true)
			case line != "":
				role = "operator"
				for _, part := range plainOrCode.FindAllString(line, -1) {
					take(strings.Trim(part, "`"), strings.HasPrefix(part, "`"))
				}
			}
		}
	}
	if len(found) < 40 {
		t.Fatalf("got %d commands, want those of all runbooks", len(found))
	}
	return found
}

// actions are those of commands that are called otherwise.
var actions = map[string]string{
	"logs tail":                  "logs:FilterLogEvents",
	"s3api list-object-versions": "s3:ListBucketVersions",
}

// action is what a role needs for the command.
func (c command) action() string {
	if action, ok := actions[c.service+" "+c.operation]; ok {
		return action
	}
	var name strings.Builder
	for _, word := range strings.Split(c.operation, "-") {
		name.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return strings.TrimSuffix(c.service, "api") + ":" + name.String()
}

// TestEveryCommandOfTheRunbooksIsAllowedToItsRole goes by actions, and by log
// groups. What else they may be done to is the matrix's matter.
func TestEveryCommandOfTheRunbooksIsAllowedToItsRole(t *testing.T) {
	template := synth.Decode(t, newStack(t, attended()))
	granted := func(role string) map[string]bool { // actions and resources
		all := map[string]bool{"sts:GetCallerIdentity": true} // needs no grant
		for _, grant := range synth.Grants(t, template.Resource, "people_"+role+"_policy") {
			all[grant.Resource] = true
			for _, action := range grant.Actions {
				all[action] = true
			}
		}
		return all
	}
	operator, officer, redrive := granted("operator"), granted("privacy_officer"), granted("redrive")
	reads := regexp.MustCompile(`:(Describe|Filter|Get|List|Lookup)|:StartQuery$`)
	may := map[string]func(action string) bool{
		"operator":        func(action string) bool { return operator[action] },
		"privacy officer": func(action string) bool { return officer[action] },
		"redrive":         func(action string) bool { return redrive[action] },
		"reader":          reads.MatchString,
		"break-glass":     func(string) bool { return true },
	}
	logs := map[string]bool{} // those that operators don't read
	for id, log := range resources[struct{ Name string }](t, template, "aws_cloudwatch_log_group") {
		logs[log.Name] = !operator["${aws_cloudwatch_log_group."+id+".arn}:*"]
	}
	if !logs["aws-waf-logs-shopstream-prod-edge"] || logs["/shopstream/prod/collector"] {
		t.Errorf("got %v", logs)
	}
	for _, c := range commands(t) {
		log, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(c.arguments), "--log-group-name "), " ")
		if !may[c.role](c.action()) || c.role == "operator" && logs[log] {
			t.Errorf("%s: %s may not aws %s %s%s", c.page, c.role, c.service, c.operation, c.arguments)
		}
		if c.role != "operator" && operator[c.action()] && c.service != "logs" {
			t.Errorf("%s: aws %s %s needs no %s: operator may do it", c.page, c.service, c.operation, c.role)
		}
	}
}

// optionNames says which resource's attribute an option of a command names,
// and nothing of those that name more, less or what is not there yet.
var optionNames = map[string]string{
	"--alarm-name-prefix":       "",
	"--backup-vault-name":       "aws_backup_vault.name",
	"--by-backup-vault-name":    "aws_backup_vault.name",
	"--budget-name":             "aws_budgets_budget.name",
	"--bucket":                  "aws_s3_bucket.bucket",
	"--cluster":                 "aws_ecs_cluster.name",
	"--dashboard-name":          "aws_cloudwatch_dashboard.dashboard_name",
	"--delivery-stream-name":    "aws_kinesis_firehose_delivery_stream.name",
	"--dimensions":              "",
	"--function-name":           "aws_lambda_function.function_name",
	"--group-name":              "aws_scheduler_schedule_group.name",
	"--iam-role-arn":            "aws_iam_role.name",
	"--key-id":                  "aws_kms_alias.name",
	"--log-group-name":          "aws_cloudwatch_log_group.name",
	"--name":                    "aws_scheduler_schedule.name",
	"--query":                   "",
	"--query-execution-context": "aws_glue_catalog_database.name",
	"--queue-name":              "aws_sqs_queue.name",
	"--resource-id":             "",
	"--services":                "aws_ecs_service.name",
	"--source-table-name":       "aws_dynamodb_table.name",
	"--stream-name":             "aws_kinesis_stream.name",
	"--table-name":              "aws_dynamodb_table.name",
	"--target-table-name":       "",
	"--work-group":              "aws_athena_workgroup.name",
	"tail":                      "aws_cloudwatch_log_group.name",
}

// TestEveryNameInTheRunbooksIsOneOfProd holds options to the type of resource
// that they name, and other text to any resource.
func TestEveryNameInTheRunbooksIsOneOfProd(t *testing.T) {
	template := synth.Decode(t, newStack(t, attended()))
	names := map[string]bool{} // TYPE.ATTRIBUTE=VALUE, and VALUE alone
	for kind, all := range template.Resource {
		for _, raw := range all {
			var attributes map[string]any
			if err := json.Unmarshal(raw, &attributes); err != nil {
				t.Fatal(err)
			}
			for attribute, value := range attributes {
				if value, ok := value.(string); ok {
					names[kind+"."+attribute+"="+value], names[value] = true, true
				}
			}
		}
	}

	ours := regexp.MustCompile(`(--[a-z-]+|\btail) +(?:Database=|arn:aws:iam::[0-9]+:role/)?([^\s)]*shopstream[-_]prod[^\s)]*|/shopstream/[^\s)]+)`)
	options := 0
	file := regexp.MustCompile(`file://(constructs/\S+)`)
	for _, c := range commands(t) {
		if query := file.FindStringSubmatch(c.arguments); query != nil {
			if _, err := os.Stat("../" + query[1]); err != nil {
				t.Errorf("%s: %v", c.page, err)
			}
		}
		for _, option := range ours.FindAllStringSubmatch(c.operation+c.arguments, -1) {
			kind, ok := optionNames[option[1]]
			options++
			if !ok {
				t.Errorf("%s: say in optionNames what %s of aws %s %s names", c.page, option[1], c.service, c.operation)
			} else if kind != "" && !names[kind+"="+option[2]] {
				t.Errorf("%s: %s of prod is no %s", c.page, option[2], kind)
			}
		}
	}
	if options < 25 {
		t.Errorf("got %d names in commands, want all", options)
	}

	inText := regexp.MustCompile(`\$P'?-[a-z][a-z-]*[a-z](?:-\$ACCOUNT-\$AWS_REGION)?`)
	for page, text := range readAll(t, ".md", "docs/runbooks") {
		for _, found := range inText.FindAllString(text, -1) {
			if name := inProd.Replace(found); !names[strings.TrimSuffix(name, "-restored")] {
				t.Errorf("%s: nothing of prod is named %s", page, name)
			}
		}
	}
}
