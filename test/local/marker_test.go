package local

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/uuid"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/internal/ledger"
)

// marker is personal data that is planted at one place, and nowhere else.
type marker struct {
	where                                   string
	email, phone, card, iban, ip, ip6, name string
}

// markers makes them, each with data of its own.
type markers struct{ all []marker }

func (m *markers) at(where string) marker {
	n := len(m.all)
	k := marker{where: where, name: fmt.Sprintf("annabelle.mk%06d", n)}
	k.email = k.name + "@mail.example"
	k.phone = fmt.Sprintf("+4930%08d", 20_000_000+n)
	k.card = luhn(fmt.Sprintf("4%014d", 29_000_000+n))
	k.iban = iban(fmt.Sprintf("37040044%010d", 532_000_000+n))
	k.ip = fmt.Sprintf("93.%d.%d.%d", 100+n/10_000%100, 100+n/100%100, 100+n%100)
	k.ip6 = fmt.Sprintf("2001:db8:85a3:%x:8a2e:370:7334:%x", 0x1000+n, 0x2000+n)
	m.all = append(m.all, k)
	return k
}

// luhn appends the check digit of a card.
func luhn(digits string) string {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			d = d*2/10*1 + d*2%10
		}
		sum += d
	}
	return fmt.Sprint(digits, (10-sum%10)%10)
}

// iban returns a German account's number.
func iban(account string) string {
	rest := 0
	for _, digit := range account + "131400" { // D is 13, E is 14
		rest = (rest*10 + int(digit-'0')) % 97
	}
	return fmt.Sprintf("DE%02d%s", 98-rest, account)
}

// text holds all of it.
func (k marker) text() string {
	return fmt.Sprintf("mail %s or call %s, card %s, account %s, from %s and %s", k.email, k.phone, k.card, k.iban, k.ip, k.ip6)
}

// url holds all of it in each part.
func (k marker) url() string {
	all := []string{k.email, k.phone, k.card, k.iban, k.ip, k.ip6}
	var path, query strings.Builder
	for i, s := range all {
		path.WriteString("/" + url.PathEscape(s))
		fmt.Fprintf(&query, "&p%d=%s", i, url.QueryEscape(s))
	}
	return "https://shoes.example" + path.String() + "?utm_term=" + url.QueryEscape(k.text()) + query.String() + "#" + url.PathEscape(k.text())
}

// needles are by what it is found again.
func (k marker) needles() []string {
	return []string{k.name, k.phone[1:], k.card, k.iban, k.ip, k.ip6, url.QueryEscape(k.ip6)}
}

// foundIn says which marker a text holds, if any.
func (m *markers) foundIn(text string) (found []string) {
	for _, k := range m.all {
		for _, needle := range k.needles() {
			if strings.Contains(text, needle) {
				found = append(found, k.where+": "+needle)
			}
		}
	}
	return found
}

// field is one of the contract by its path.
type field struct {
	event.Field
	path string
}

// fieldsWithin are all fields, those that hold others before these.
func fieldsWithin(fields []event.Field, path string) (all []field) {
	for _, f := range fields {
		all = append(all, field{f, path + "/" + f.Name})
		all = append(all, fieldsWithin(f.Fields, path+"/"+f.Name)...)
	}
	return all
}

// whole is an event with every field of the contract, of which say may have
// its own value.
func whole(fields []event.Field, path string, say func(field) any) map[string]any {
	e := map[string]any{}
	for _, f := range fields {
		at := path + "/" + f.Name
		if value := say(field{f, at}); value != nil {
			e[f.Name] = value
			continue
		}
		switch f.Kind {
		case event.KindText, event.KindID:
			e[f.Name] = "plain"
		case event.KindURL:
			e[f.Name] = "https://shoes.example/"
		case event.KindUUIDv7:
			e[f.Name] = uuid.Must(uuid.NewV7()).String()
		case event.KindEnum:
			e[f.Name] = f.Values[0]
		case event.KindTime:
			e[f.Name] = time.Now().UTC()
		case event.KindCurrency:
			e[f.Name] = "EUR"
		case event.KindInteger, event.KindNumber:
			e[f.Name] = 1
		case event.KindObject:
			e[f.Name] = whole(f.Fields, at, say)
		case event.KindList:
			e[f.Name] = []any{whole(f.Fields, at, say)}
		case event.KindCustom:
			e[f.Name] = map[string]any{"note": "plain"}
		}
	}
	return e
}

// planted are events that hold markers wherever the contract takes text, and
// then ones that break it with a marker at every one of its fields.
func (m *markers) planted(t *testing.T) (valid, broken []json.RawMessage) {
	t.Helper()
	encode := func(v any) json.RawMessage {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	texts := 0
	valid = append(valid, encode(whole(event.EventFields, "", func(f field) any {
		switch f.Kind {
		case event.KindText:
			texts++
			return m.at(f.path).text()
		case event.KindURL:
			texts++
			return m.at(f.path).url()
		case event.KindCustom:
			texts++
			return map[string]any{"note": m.at(f.path).text(), "link": m.at(f.path + " as a link").url(), "card": json.Number(m.at(f.path + " as a number").card)}
		}
		return nil
	})))
	if texts < 15 {
		t.Fatalf("got %d fields that take text, want those of the contract", texts)
	}
	for _, at := range fieldsWithin(event.EventFields, "") {
		k := m.at("broken " + at.path)
		broken = append(broken, encode(whole(event.EventFields, "", func(f field) any {
			switch {
			case f.path != at.path:
				return nil
			case f.Kind == event.KindID || f.Kind == event.KindUUIDv7: // of an id only an address is taken: the contract refuses its @
				return k.email
			case f.Kind == event.KindText, f.Kind == event.KindURL:
				return []any{k.text(), k.url()}
			case f.Kind == event.KindCustom:
				return map[string]any{k.email: 1, k.card: 1, "list": []any{k.text()}}
			}
			return k.text()
		})))
		if at.path == "/visitor_id" { // it is hashed before it is judged: such an event is valid
			valid, broken = append(valid, broken[len(broken)-1]), broken[:len(broken)-1]
		}
	}
	named := whole(event.EventFields, "", func(field) any { return nil })
	named[m.at("an unknown name").text()] = m.at("an unknown name's value").text()
	named["unknown"] = map[string]any{"card": json.Number(m.at("a number").card), "url": m.at("an unknown link").url()}
	return valid, append(broken,
		encode(named),
		json.RawMessage(fmt.Sprintf(`{"event_id":%q,"event_id":%q}`, m.at("a name twice").email, m.at("a name twice, again").email)))
}

// markers plants personal data in all that can be sent, and searches every
// store and every log for it.
func (f *faults) markers(t *testing.T) {
	m := &markers{}
	began := time.Now().Add(-time.Second)
	before := f.statement(t).Ledger
	f.register(t, event.Shop{ID: "marker"})
	valid, broken := m.planted(t)
	stream := len(m.all) // those in events, all of which reach the gateway stream, but for the visitor's
	f.plant(t, m, http.StatusAccepted, keyOf("marker"), append(slices.Clone(valid), broken...))
	f.plantRefused(t, m)
	poison := m.at("a poison record")
	client := kinesis.NewFromConfig(f.config())
	if _, err := client.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: &f.Outputs.GatewayStream, Data: []byte(poison.text()), PartitionKey: aws.String("000")}); err != nil {
		t.Fatal(err)
	}
	after := f.deployment.await(t, "all that was planted is stored", func(s ledger.Statement) bool {
		return s.FailedRecords > 0 && balancedAt(before.Accepted+int64(len(valid)+len(broken)))(s)
	}).Ledger
	if after.Delivered-before.Delivered != int64(len(valid)) || after.Quarantined-before.Quarantined != int64(len(broken)) {
		t.Errorf("got %+v, want %d more delivered and %d more quarantined than %+v", after, len(valid), len(broken), before)
	}

	var gateway strings.Builder
	for _, r := range f.records(t, client, f.Outputs.GatewayStream, began) {
		var frame event.Frame
		if err := frame.UnmarshalBinary(r.Data); err != nil {
			if !bytes.Contains(r.Data, []byte(poison.name)) {
				t.Errorf("a record of the gateway stream is no frame: %v; where the frame has changed, run make build", err)
			}
			gateway.Write(r.Data)
			continue
		}
		for _, e := range frame.Events {
			fmt.Fprintf(&gateway, "%s %s %s\n", e.Event, e.UserAgent, e.IP)
		}
	}
	for _, k := range m.all[:stream] {
		found := slices.ContainsFunc(k.needles(), func(needle string) bool { return strings.Contains(gateway.String(), needle) })
		if want := k.where != "broken /visitor_id"; found != want { // hashed before
			t.Errorf("the marker at %s is found in the gateway stream: %t, want %t", k.where, found, want)
		}
	}
	if !strings.Contains(gateway.String(), poison.name) {
		t.Error("the poison record is not found in the gateway stream")
	}
	failed := false
	sizes := map[string]int{}
	for where, text := range f.everyStore(t, client, began) {
		sizes[where] = len(text)
		found := m.foundIn(text)
		if strings.HasPrefix(where, "s3://"+f.Outputs.FailedBucket+"/") {
			failed = failed || len(found) > 0
			continue
		}
		if len(found) > 0 {
			t.Errorf("%s holds %d markers: %s", where, len(found), strings.Join(found[:min(len(found), 5)], "; "))
		}
	}
	if !failed {
		t.Error("the poison record is not found in failed/: the search does not work")
	}
	for _, must := range []string{
		"s3://" + f.Outputs.RawBucket, "s3://" + f.Outputs.QuarantineBucket, "s3://" + f.Outputs.LedgerBucket, "kinesis " + f.Outputs.EventsStream,
		"dynamodb " + f.Outputs.RegistryTable, "logs /aws/lambda/" + preprocess, "sqs ", "metrics of the collector", "metrics of CloudWatch", filepath.Base(f.collector.Log), "ministack.log", "moto.log",
	} {
		size := 0
		for where, n := range sizes {
			if strings.Contains(where, must) {
				size += n
			}
		}
		if size == 0 {
			t.Errorf("nothing was searched in %s", must)
		}
	}
	t.Logf("%d markers, %d events delivered, %d quarantined, %d places searched", len(m.all), len(valid), len(broken), len(sizes))
}

// plant sends events with markers in all headers too, and wants an answer.
func (f *faults) plant(t *testing.T, m *markers, status int, shop string, events []json.RawMessage) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"v": 1, "shop": shop, "sent_at": time.Now().UTC(), "batch_id": uuid.NewString(), "seq": 0, "events": events})
	if err != nil {
		t.Fatal(err)
	}
	f.plantBody(t, m, http.MethodPost, "/v1/events", status, body)
}

func (f *faults) plantBody(t *testing.T, m *markers, method, path string, status int, body []byte) {
	t.Helper()
	at := "a header of a request that is answered with " + fmt.Sprint(status)
	request, err := http.NewRequestWithContext(t.Context(), method, f.Collector+path+"?email="+url.QueryEscape(m.at("the query").text())+"&shop="+url.QueryEscape(m.at("a query's shop").email), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"User-Agent", "Cookie", "X-Custom"} {
		request.Header.Set(name, m.at(name+", "+at).text())
	}
	request.Header.Set("Authorization", "Bearer "+m.at("Authorization, "+at).email)
	request.Header.Set("Referer", m.at("Referer, "+at).url())
	request.Header.Set("Origin", "https://"+m.at("Origin, "+at).name+".example")
	request.Header.Set("X-Forwarded-For", m.at("X-Forwarded-For, "+at).ip)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(response.Body) // for the message
	if response.StatusCode != status {
		t.Errorf("%s %s: got %d %s, want %d", method, path, response.StatusCode, answer, status)
	}
}

// plantRefused sends what is refused whole.
func (f *faults) plantRefused(t *testing.T, m *markers) {
	t.Helper()
	e := func(where string) []json.RawMessage {
		return []json.RawMessage{json.RawMessage(fmt.Sprintf("{%q:%q}", m.at(where+", its name").text(), m.at(where).text()))}
	}
	f.plant(t, m, http.StatusUnauthorized, fmt.Sprintf("pk_%s", m.at("a wrong shop key").card), e("an event of an unknown shop"))
	f.plant(t, m, http.StatusBadRequest, m.at("an address as a shop key").email, e("an event of no shop"))
	for _, body := range []string{
		`{"v":1,"shop":"pk_marker","sent_at":"%s","batch_id":"2f5c1f6e-54a4-4c0f-8b4e-0a3a5a1f1c11","seq":0,"events":[{}]}`,
		`{"v":1,"shop":"pk_marker","sent_at":"2026-03-01T12:00:00Z","batch_id":"%s","seq":0,"events":[{}]}`,
		`{"v":1,"shop":"pk_marker","sent_at":"2026-03-01T12:00:00Z","batch_id":"2f5c1f6e-54a4-4c0f-8b4e-0a3a5a1f1c11","seq":0,"events":["%s"]}`,
		`{"v":1,"%s":1}`, `%s`, `{"v":1,"shop":"%s`,
	} {
		f.plantBody(t, m, http.MethodPost, "/v1/events", http.StatusBadRequest, fmt.Appendf(nil, body, m.at("a body such as "+body).text()))
	}
	f.plantBody(t, m, http.MethodPost, "/v1/server/events", http.StatusUnauthorized, []byte(m.at("a server's body").text()))
	f.plantBody(t, m, http.MethodGet, "/v1/config", http.StatusUnauthorized, nil)
	f.plantBody(t, m, http.MethodGet, "/v1/"+url.PathEscape(m.at("a path").text()), http.StatusNotFound, nil)
}

// everyStore is the text of all stores and logs, but for the gateway stream.
func (f *faults) everyStore(t *testing.T, client *kinesis.Client, began time.Time) map[string]string {
	t.Helper()
	all := map[string]string{}
	f.everyObject(t, all)
	streams, err := client.ListStreams(t.Context(), &kinesis.ListStreamsInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, stream := range streams.StreamNames {
		if stream == f.Outputs.GatewayStream {
			continue
		}
		for i, r := range f.records(t, client, stream, began.Add(-time.Hour)) {
			all[fmt.Sprintf("kinesis %s record %d", stream, i)] = string(r.Data) + *r.PartitionKey
		}
	}
	f.everyItem(t, all)
	f.everyMessage(t, all)
	f.everyLog(t, all)
	response, err := http.Get("http://" + variable(f.env, "METRICS_LISTEN") + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	metrics, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	all["metrics of the collector"] = string(metrics)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.MiniStack+"/", strings.NewReader("Action=ListMetrics&Version=2010-08-01"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	all["metrics of CloudWatch"] = f.answer(t, request, "monitoring")
	return all
}

// everyObject adds every version of every object of every bucket.
func (f *faults) everyObject(t *testing.T, all map[string]string) {
	t.Helper()
	client := ledger.NewS3(f.config())
	buckets, err := client.ListBuckets(t.Context(), &s3.ListBucketsInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, bucket := range buckets.Buckets {
		pages := s3.NewListObjectVersionsPaginator(client, &s3.ListObjectVersionsInput{Bucket: bucket.Name})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range page.Versions {
				object, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket.Name, Key: v.Key, VersionId: v.VersionId})
				if err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(object.Body)
				object.Body.Close()
				if err != nil {
					t.Fatal(err)
				}
				all[fmt.Sprintf("s3://%s/%s version %s", *bucket.Name, *v.Key, aws.ToString(v.VersionId))] = *v.Key + fmt.Sprint(object.Metadata) + plain(t, b)
			}
		}
	}
}

// plain is what an object says: unzipped, and with the records of one that
// failed.
func plain(t *testing.T, b []byte) string {
	t.Helper()
	if bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if b, err = io.ReadAll(unzipped); err != nil {
			t.Fatal(err)
		}
	}
	text := string(b)
	var failed struct{ Payload string }
	var payload struct {
		Records []struct{ Kinesis struct{ Data []byte } }
	}
	if json.Unmarshal(b, &failed) == nil && json.Unmarshal([]byte(failed.Payload), &payload) == nil {
		for _, r := range payload.Records {
			text += string(r.Kinesis.Data)
		}
	}
	return text
}

func (f *faults) everyItem(t *testing.T, all map[string]string) {
	t.Helper()
	client := dynamodb.NewFromConfig(f.config())
	tables, err := client.ListTables(t.Context(), &dynamodb.ListTablesInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables.TableNames {
		items, err := client.Scan(t.Context(), &dynamodb.ScanInput{TableName: &table})
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(items.Items)
		if err != nil {
			t.Fatal(err)
		}
		all["dynamodb "+table] = string(text)
	}
}

func (f *faults) everyMessage(t *testing.T, all map[string]string) {
	t.Helper()
	client := sqs.NewFromConfig(f.config())
	queues, err := client.ListQueues(t.Context(), &sqs.ListQueuesInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, queue := range queues.QueueUrls {
		all["sqs "+queue] = queue
		for {
			out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &queue, MaxNumberOfMessages: 10, VisibilityTimeout: 30})
			if err != nil {
				t.Fatal(err)
			}
			for _, message := range out.Messages {
				all["sqs "+queue] += fmt.Sprint(*message.Body, message.Attributes)
			}
			if len(out.Messages) == 0 {
				break
			}
		}
	}
}

// everyLog adds log events, and what all programs printed.
func (f *faults) everyLog(t *testing.T, all map[string]string) {
	t.Helper()
	var groups struct {
		LogGroups []struct{ LogGroupName string }
	}
	if err := json.Unmarshal([]byte(f.logs(t, "DescribeLogGroups", struct{}{})), &groups); err != nil {
		t.Fatal(err)
	}
	for _, group := range groups.LogGroups {
		all["logs "+group.LogGroupName] = f.logs(t, "FilterLogEvents", map[string]any{"logGroupName": group.LogGroupName, "limit": 10_000})
	}
	printed, err := filepath.Glob(filepath.Join(f.dir, "run", "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(printed, f.collector.Log) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[path] = string(b)
	}
}

func (f *faults) logs(t *testing.T, action string, in any) string {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.MiniStack+"/", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", "Logs_20140328."+action)
	return f.answer(t, request, "logs")
}
