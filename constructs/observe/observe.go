// Package observe is the tier that watches the others: metrics that they and
// AWS publish become alarms and dashboards, from one definition each. Alarms
// go to two topics, which people read. It also keeps what must be there when
// an alarm rings: backups, a budget, a heartbeat.
package observe

import (
	"regexp"
	"time"

	"github.com/shopstream/shopstream/internal/check"
	"github.com/shopstream/shopstream/internal/metric"
)

// The objectives, from which the alarms' thresholds derive.
const (
	BadAnswersPercent = 0.05 // of all requests to the collector, at most
	AnswerWithin      = 150 * time.Millisecond
	RawWithin         = 5 * time.Minute  // from the collector's answer to the raw zone
	TablesWithin      = 75 * time.Minute // from the collector's answer to the tables
	FeaturesWithin    = 10 * time.Second // from the collector's answer to the online features
)

// Namespace is that of the metrics that our own programs publish. What differs
// between pipelines in one account is in their Pipeline dimension.
const Namespace = metric.Namespace

var idFormat = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// checkID holds an id to what an alarm's name may begin with.
func checkID(id string) error {
	return check.That(idFormat.MatchString(id), "id must be 1 to 40 lower case letters, digits and underscores, starting with a letter, got %q", id)
}
