// Package metric writes a function's metrics as lines of its log, in
// CloudWatch's embedded metric format: CloudWatch Logs takes them from there,
// so that a function needs no right and no call to publish them. It also names
// them, for those who write and those who watch.
package metric

import (
	"encoding/json"
	"io"
	"maps"
	"slices"
	"time"
)

// Namespace is that of the metrics that our own programs publish.
const Namespace = "Shopstream"

// What the shard scaler says of a stream, which the dimension StreamName names.
const (
	StreamName    = "StreamName"
	OpenShards    = "OpenShards"
	ShardChanges  = "ShardChanges"  // changes of the shard count that AWS took
	ShardsRefused = "ShardsRefused" // 1: the stream needs more shards and gets none
)

// What the ledger says of the pipeline that the dimension Pipeline names, in
// events but for FrameGaps, of the last closed hours.
const (
	Pipeline    = "Pipeline"
	Accepted    = "Accepted"
	Delivered   = "Delivered"   // distinct
	Quarantined = "Quarantined" // distinct
	Duplicates  = "Duplicates"
	Residue     = "Residue"     // accepted and nowhere
	FrameGaps   = "FrameGaps"   // frames that are missing in a sequence
	Unreceipted = "Unreceipted" // stored, and nobody says that they were accepted
)

// Write writes values, which are of the moment at and have the dimensions.
func Write(w io.Writer, at time.Time, dimensions map[string]string, values map[string]float64) error {
	type name struct{ Name string }
	type directive struct {
		Namespace  string
		Dimensions [][]string
		Metrics    []name
	}
	d := directive{Namespace: Namespace, Dimensions: [][]string{slices.Sorted(maps.Keys(dimensions))}}
	line := map[string]any{}
	for key, value := range dimensions {
		line[key] = value
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		d.Metrics = append(d.Metrics, name{key})
		line[key] = values[key]
	}
	line["_aws"] = map[string]any{"Timestamp": at.UnixMilli(), "CloudWatchMetrics": []directive{d}}
	return json.NewEncoder(w).Encode(line)
}
