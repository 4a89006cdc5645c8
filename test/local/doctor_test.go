package local

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func TestDoctorKnowsWhatAnEnvironmentLacks(t *testing.T) {
	r := newReady(t)
	all, ok := r.doctor(t, "dev", signedIn)
	if good := signed(all, "✓"); !ok || len(good) != len(all) || len(good) < 15 {
		t.Fatalf("where everything is there, got %v", all)
	}
	if got := all["credentials"]; got != "✓ arn:aws:sts::123456789012:user/moto in eu-west-1" {
		t.Errorf("credentials: got %q", got)
	}
	const bootstrap = "; deploy the account's bootstrap stack (docs/first-deploy.md, step 1)"
	const pushed = "; run make image ENV=dev and set what it prints"
	image := strings.Split(r.image, "@")[0]
	type lack struct {
		breakIt, mendIt func()
		credentials     []string
		row, want       string
		unknown         []string // rows that can't be looked at without it
	}
	setting := func(name, value string) (breakIt, mendIt func()) {
		was := r.settings[name]
		return func() { r.settings[name] = value }, func() { r.settings[name] = was }
	}
	inAccount := []string{"API Gateway requests a second", "API Gateway's log role", "Fargate vCPUs", "Kinesis shards", "Lambda executions at once",
		"collector's image", "elastic IP addresses", "images' repository", "state bucket", "state bucket's encryption", "state bucket's versions"}
	const versions, encryption = "state bucket's versions", "state bucket's encryption"
	lacks := map[string]lack{
		"no credentials": {credentials: []string{"NONE="}, row: "credentials", want: "✗ none can be used (", unknown: inAccount},
		"credentials that have expired": {
			breakIt: func() { r.token = http.StatusForbidden }, mendIt: func() { r.token = 0 },
			row: "credentials", want: "✗ eu-west-1 refuses them (Refused: no); sign in to account 123456789012, such as by aws sso login, and set AWS_PROFILE", unknown: inAccount,
		},
		"credentials of another account": {
			breakIt: func() { r.stack(t, "dev", "111122223333") }, mendIt: func() { r.stack(t, "dev", emulatedAccount) },
			row: "credentials", want: "✗ they are of account 123456789012, dev lives in 111122223333; sign in to account 111122223333, such as by aws sso login, and set AWS_PROFILE", unknown: inAccount,
		},
		"no state bucket": {
			breakIt: func() {
				if _, err := r.s3.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: aws.String(stateBucket)}); err != nil {
					t.Fatal(err)
				}
			}, mendIt: func() { r.bucket(t) },
			row: "state bucket", want: "✗ " + stateBucket + " is not there" + bootstrap, unknown: []string{encryption, versions},
		},
		"no versions": {
			breakIt: func() { r.versions(t, s3types.BucketVersioningStatusSuspended) }, mendIt: func() { r.versions(t, s3types.BucketVersioningStatusEnabled) },
			row: versions, want: "✗ they are not kept, so a broken state is lost" + bootstrap,
		},
		"encryption by S3's own key": {
			breakIt: func() { r.encryption(t, s3types.ServerSideEncryptionAes256) }, mendIt: func() { r.encryption(t, s3types.ServerSideEncryptionAwsKms) },
			row: encryption, want: "✗ it is not by a KMS key, and states hold secrets" + bootstrap,
		},
		"no encryption": {
			breakIt: func() {
				if _, err := r.s3.DeleteBucketEncryption(t.Context(), &s3.DeleteBucketEncryptionInput{Bucket: aws.String(stateBucket)}); err != nil {
					t.Fatal(err)
				}
			}, mendIt: func() { r.encryption(t, s3types.ServerSideEncryptionAwsKms) },
			row: encryption, want: "✗ it is not by a KMS key, and states hold secrets" + bootstrap,
		},
		"no repository": {
			breakIt: func() {
				if _, err := r.ecr.DeleteRepository(t.Context(), &ecr.DeleteRepositoryInput{RepositoryName: aws.String(repository), Force: true}); err != nil {
					t.Fatal(err)
				}
			}, mendIt: func() { r.repository(t) },
			row: "images' repository", want: "✗ shopstream/collector is not there" + bootstrap, unknown: []string{"collector's image"},
		},
		"no log role": {
			breakIt: func() { r.logRole(t, "") }, mendIt: func() { r.logRole(t, "arn:aws:iam::"+emulatedAccount+":role/logs") },
			row: "API Gateway's log role", want: "✗ there is none, and the API's stage logs; set Manage.GatewayLogs in stacks/accounts.go and deploy the account's stack (docs/first-deploy.md, step 2)",
		},
	}
	for name, c := range map[string]struct {
		setting, value, row, want string
		unknown                   []string
	}{
		"no setting":     {"page_email", "", "TF_VAR_page_email", "✗ not set; set it (docs/settings.md): Address that is told at once, day and night: a pager's.", nil},
		"no image named": {"collector_image", "", "TF_VAR_collector_image", "✗ not set; set it (docs/settings.md): ", []string{"collector's image", "images' repository"}},
		"an image by tag": {"collector_image", image + ":latest", "collector's image",
			`✗ TF_VAR_collector_image is no image in ECR by digest, got "` + image + `:latest"` + pushed, []string{"images' repository"}},
		"an image elsewhere": {"collector_image", strings.Replace(r.image, emulatedAccount, "111122223333", 1), "collector's image",
			"✗ it is in account 111122223333 and eu-west-1, and tasks may pull from 123456789012 and eu-west-1 alone" + pushed, []string{"images' repository"}},
		"an image that was not pushed": {"collector_image", image + "@sha256:" + strings.Repeat("0", 64), "collector's image",
			"✗ sha256:" + strings.Repeat("0", 64) + " is not there" + pushed, nil},
	} {
		breakIt, mendIt := setting(c.setting, c.value)
		lacks[name] = lack{breakIt: breakIt, mendIt: mendIt, row: c.row, want: c.want, unknown: c.unknown}
	}
	for code, q := range map[string][2]string{
		"L-B99A9384": {"Lambda executions at once", "lambda"}, "L-0918CF54": {"Kinesis shards", "kinesis"}, "L-0263D0A3": {"elastic IP addresses", "ec2"},
		"L-3032A538": {"Fargate vCPUs", "fargate"}, "L-8A5B8E43": {"API Gateway requests a second", "apigateway"},
	} {
		needed, _, _ := strings.Cut(strings.TrimPrefix(all[q[0]], "✓ "), " of ")
		need, err := strconv.ParseFloat(needed, 64)
		if err != nil || need < 1 {
			t.Fatalf("%s: got %q", q[0], all[q[0]])
		}
		lacks["a low quota of "+q[0]] = lack{
			breakIt: func() { r.quotas[code] = need - 1 }, mendIt: func() { r.quotas[code] = need },
			row: q[0], want: fmt.Sprintf("✗ the quota is %v, need %v; run aws service-quotas request-service-quota-increase --region eu-west-1 --service-code %s --quota-code %s --desired-value %v", need-1, need, q[1], code, need),
		}
	}
	for name, c := range lacks {
		t.Run(name, func(t *testing.T) {
			if c.breakIt != nil {
				c.breakIt()
				defer c.mendIt()
			}
			credentials := signedIn
			if c.credentials != nil {
				credentials = c.credentials
			}
			rows, ok := r.doctor(t, "dev", credentials)
			if got := signed(rows, "✗"); ok || !slices.Equal(got, []string{c.row}) || !strings.HasPrefix(rows[c.row], c.want) {
				t.Errorf("got %v, %q, want %q\nsucceeded: %v", got, rows[c.row], c.want, ok)
			}
			if got := signed(rows, "?"); !slices.Equal(got, c.unknown) {
				t.Errorf("not looked at: got %v, want %v", got, c.unknown)
			}
		})
	}
	t.Run("what may not be looked at is told, and lacks nothing", func(t *testing.T) {
		r.quotas["L-B99A9384"] = -1
		defer delete(r.quotas, "L-B99A9384")
		rows, ok := r.doctor(t, "dev", signedIn)
		if got := rows["Lambda executions at once"]; !ok || got != "? not checked: AccessDeniedException: no" {
			t.Errorf("got %q, succeeded: %v", got, ok)
		}
	})
	t.Run("where AWS doesn't answer, nothing in it is known", func(t *testing.T) {
		r.token = http.StatusServiceUnavailable
		defer func() { r.token = 0 }()
		rows, ok := r.doctor(t, "dev", signedIn)
		if got := signed(rows, "?"); !ok || len(got) != len(inAccount)+1 || rows["credentials"] != "? not checked: Refused: no" {
			t.Errorf("got %v, succeeded: %v", rows, ok)
		}
	})
	t.Run("mended, nothing is lacking", func(t *testing.T) {
		if rows, ok := r.doctor(t, "dev", signedIn); !ok {
			t.Errorf("got %v", rows)
		}
	})
	t.Run("an account's stacks need what applies to them", func(t *testing.T) {
		for stack, want := range map[string][]string{
			"bootstrap-dev": {"credentials"}, "account-dev": {"credentials", "state bucket", encryption, versions},
		} {
			rows, ok := r.doctor(t, stack, signedIn)
			if got := signed(rows, "✓"); !ok || !slices.Equal(got, want) || len(rows) != len(want) {
				t.Errorf("%s: got %v, want %v", stack, rows, want)
			}
		}
	})
	t.Run("nothing is changed", func(t *testing.T) {
		for operation := range r.asked {
			method, name, _ := strings.Cut(operation, " ")
			reads := method == http.MethodGet || method == http.MethodHead || strings.HasPrefix(name, "Get") || strings.HasPrefix(name, "Describe")
			if !reads {
				t.Errorf("it asked %s", operation)
			}
		}
		if len(r.asked) < 6 {
			t.Errorf("got %v", r.asked)
		}
	})
}
