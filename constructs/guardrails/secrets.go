package guardrails

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	// secretName are attributes that hold a secret. Those that say where one
	// lies (secret_arn, password_length) end otherwise.
	secretName = regexp.MustCompile(`(?i)(^|[_-])(password|passwd|passphrase|secret|secret_string|secret_binary|secret_key|secret_access_key|private_key|access_key|access_key_id|auth_token|oauth_token|token|api_?key|credentials?|connection_string|client_secret)$`)
	// secretText is a secret whatever it is called.
	secretText = regexp.MustCompile(`\b(AKIA|ASIA)[0-9A-Z]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY|\bgh[pousr]_[A-Za-z0-9]{30,}|\bxox[abprs]-[A-Za-z0-9-]{10,}|\bsk_live_[A-Za-z0-9]{10,}|\bdp\.(st|pt|ct)\.[A-Za-z0-9._-]{20,}|\beyJ[A-Za-z0-9_-]{10,}\.eyJ|[a-z]+://[^/\s:@$]+:[^/\s:@$]+@`)
	// secretHome is where a secret may be named: its store, not its value.
	secretHome = regexp.MustCompile(`^\$\{aws_(secretsmanager_secret|ssm_parameter)\.[A-Za-z0-9_-]+\.(arn|id|name)\}$`)
	variableIn = regexp.MustCompile(`\bvar\.([A-Za-z_][A-Za-z0-9_-]*)`)
)

// secretMarks are what no secretText lacks: texts without any are passed over
// several times faster than the expression does it.
var secretMarks = []string{
	"AKIA", "ASIA", "PRIVATE KEY", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "xox", "sk_live_", "dp.st.", "dp.pt.", "dp.ct.", "eyJ", "://",
}

func holdsSecret(text string) bool {
	return slices.ContainsFunc(secretMarks, func(mark string) bool { return strings.Contains(text, mark) }) && secretText.MatchString(text)
}

// secrets finds secrets in the stack: it lies in a repository's artifacts, in
// plans and, in plain, in what describes the resource.
func secrets(s *stack) (found []finding) {
	for _, r := range s.providers {
		if r.body["endpoints"] == nil { // those of emulators take any
			found = append(found, s.secretsIn(r)...)
		}
	}
	for _, r := range s.resources {
		found = append(found, s.secretsIn(r)...)
	}
	for name, v := range s.variables {
		if text, is := v.Default.(string); is && text != "" && (v.Sensitive || secretName.MatchString(name) || holdsSecret(text)) {
			found = append(found, finding{&resource{kind: "var", name: name, path: s.name + "/" + name}, "a secret variable has a default", "take it out; whoever deploys sets TF_VAR_" + name})
		}
	}
	return found
}

func (s *stack) secretsIn(r *resource) (found []finding) {
	r.walk(func(path string, leaf any) {
		text, _ := leaf.(string)
		switch {
		case text == "":
		case holdsSecret(text):
			found = append(found, finding{r, path + " holds a secret", "keep it in Secrets Manager and name its ARN"})
		case strings.Contains(path, "environment") && secretName.MatchString(lastPart(path)):
			found = append(found, s.plainVariable(r, path, text)...)
		case r.kind+"."+path == "aws_api_gateway_api_key.value", r.kind+"."+path == "aws_ssm_parameter.value" && r.text("type") == "SecureString":
			found = append(found, s.secretValue(r, path, text)...)
		case secretName.MatchString(lastPart(path)) && !namesOnly.MatchString(path):
			found = append(found, s.secretValue(r, path, text)...)
		}
	})
	for _, v := range programVariables(r) {
		found = append(found, s.plainVariable(r, "environment."+v.Name, v.Value)...)
	}
	return found
}

// namesOnly are attributes that are named like secrets and hold names or limits.
var namesOnly = regexp.MustCompile(`(?i)(^|\.)(token_validity_units|default_tags|tags|identity_sources?)(\.|$)|^(dimensions|response_parameters|request_parameters)\.`)

// secretValue judges an attribute that holds a secret: a sensitive variable
// and another resource's attribute may stand there, text may not.
func (s *stack) secretValue(r *resource, path, text string) (found []finding) {
	if isToken(text) {
		for _, match := range variableIn.FindAllStringSubmatch(text, -1) {
			if !s.variables[match[1]].Sensitive {
				found = append(found, finding{r, fmt.Sprintf("%s is variable %s, which plans show", path, match[1]), "mark the variable as sensitive"})
			}
		}
		return found
	}
	if strings.HasPrefix(text, "arn:") {
		return nil
	}
	return []finding{{r, path + " is text", "take it from a sensitive variable, or name the secret's ARN"}}
}

// plainVariable judges a program's environment, which everybody who may
// describe the program can read.
func (s *stack) plainVariable(r *resource, path, text string) []finding {
	if !holdsSecret(text) && (!secretName.MatchString(lastPart(path)) || secretHome.MatchString(text) || strings.HasPrefix(text, "arn:")) {
		return nil
	}
	return []finding{{r, path + " holds a secret that whoever describes the program can read", "hand over the ARN of a secret and read that at the start"}}
}

type containerVariable struct{ Name, Value string }

type container struct {
	Environment      []containerVariable
	LogConfiguration struct {
		LogDriver string
		Options   map[string]string
	}
}

func containers(r *resource) (found []container) {
	if r.kind == "aws_ecs_task_definition" {
		// What can't be decoded has no log configuration, which log-retention reports.
		if err := json.Unmarshal([]byte(quoteless(r.text("container_definitions"))), &found); err != nil {
			return []container{{}}
		}
	}
	return found
}

// programVariables are those that stand as pairs of name and value.
func programVariables(r *resource) (found []containerVariable) {
	for _, c := range containers(r) {
		found = append(found, c.Environment...)
	}
	for _, v := range values(r.body, "environment?.environment_variable?") { // CodeBuild's
		if kind, _ := first(v, "type").(string); kind == "" || kind == "PLAINTEXT" {
			found = append(found, containerVariable{fmt.Sprint(first(v, "name")), fmt.Sprint(first(v, "value"))})
		}
	}
	return found
}
