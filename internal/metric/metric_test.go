package metric

import (
	"bytes"
	"testing"
	"time"
)

func TestWriteIsOneLineInTheEmbeddedMetricFormat(t *testing.T) {
	var log bytes.Buffer
	at := time.UnixMilli(1_700_000_000_123)
	if err := Write(&log, at, map[string]string{StreamName: "gateway"}, map[string]float64{OpenShards: 4, ShardChanges: 1}); err != nil {
		t.Fatal(err)
	}
	want := `{"OpenShards":4,"ShardChanges":1,"StreamName":"gateway","_aws":{"CloudWatchMetrics":[{"Namespace":"Shopstream",` +
		`"Dimensions":[["StreamName"]],"Metrics":[{"Name":"OpenShards"},{"Name":"ShardChanges"}]}],"Timestamp":1700000000123}}` + "\n"
	if log.String() != want {
		t.Errorf("got  %swant %s", log.String(), want)
	}
}
