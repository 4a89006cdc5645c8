package event

import (
	"crypto/sha256"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestAnIDHoldsItsTimeAndIsAUUIDv7(t *testing.T) {
	for i, at := range []time.Time{noon, time.UnixMilli(0), time.UnixMilli(1<<48 - 1), noon.Add(999 * time.Microsecond), noon.In(time.FixedZone("", 3600))} {
		id := NewID(at, sha256.Sum256([]byte{byte(i)}))
		u, err := uuid.Parse(id)
		if err != nil || u.Version() != 7 || u.Variant() != uuid.RFC4122 || u.String() != id {
			t.Errorf("%s: version %d, variant %s: %v", id, u.Version(), u.Variant(), err)
		}
		if got, err := IDTime(id); err != nil || !got.Equal(at.Truncate(time.Millisecond)) || got.Location() != time.UTC {
			t.Errorf("%s holds %s, want %s: %v", id, got, at, err)
		}
	}
	if _, err := IDTime(uuid.Must(uuid.NewV7()).String()); err != nil {
		t.Errorf("another library's UUIDv7 is refused: %v", err)
	}
}

func TestAnIDIsTheSameForTheSameTimeAndSeedOnly(t *testing.T) {
	if got, want := NewID(noon, sha256.Sum256([]byte("a"))), "019cae6b-6600-7a97-8112-ca1bbdcafac2"; got != want {
		t.Errorf("id is %s, want %s for ever", got, want)
	}
	seen := map[string]bool{}
	for i := range 10_000 {
		seen[NewID(noon, sha256.Sum256(fmt.Append(nil, i)))] = true
	}
	if len(seen) != 10_000 {
		t.Errorf("10000 seeds give %d ids", len(seen))
	}
	if NewID(noon, [32]byte{}) == NewID(noon.Add(time.Millisecond), [32]byte{}) {
		t.Error("another time gives the same id")
	}
}

func TestAVirtualPartitionNeverChanges(t *testing.T) {
	for _, c := range []struct {
		shop, visitor, event string
		want                 int
	}{
		{"shop-01", "visitor-000001", "e1", 127},
		{"shop-01", "visitor-000002", "e1", 50},
		{"shop-01", "", "019caea0-4e00-7000-8000-000000000000", 35},
		{"", "", "", 223},
	} {
		if got := VirtualPartition(c.shop, c.visitor, c.event); got != c.want {
			t.Errorf("partition of %q, %q, %q is %d, want %d: a visitor's order would be lost", c.shop, c.visitor, c.event, got, c.want)
		}
	}
	if VirtualPartition("s", "v", "e1") != VirtualPartition("s", "v", "e2") {
		t.Error("a visitor's events lie in different partitions")
	}
}

func TestShardsShareVirtualPartitionsEvenly(t *testing.T) {
	for shards := 1; shards <= VirtualPartitions; shards++ {
		counts := make([]int, shards)
		for partition := range VirtualPartitions {
			at, ok := new(big.Int).SetString(HashKey(partition), 10)
			if !ok || at.BitLen() > 128 {
				t.Fatalf("got %q, want a number of 128 bits", HashKey(partition))
			}
			shard := at.Mul(at, big.NewInt(int64(shards))).Rsh(at, 128) // as UNIFORM_SCALING leaves them
			counts[shard.Int64()]++
		}
		if least, most := slices.Min(counts), slices.Max(counts); most-least > 1 {
			t.Errorf("with %d shards: got %d to %d partitions a shard", shards, least, most)
		}
	}
}

func TestAShopsVisitorsSpreadOverAllVirtualPartitions(t *testing.T) {
	for name, visitor := range map[string]func(int) string{
		"counted": func(i int) string { return fmt.Sprintf("visitor-%06d", i) },
		"numbers": func(i int) string { return fmt.Sprint(512_000_000 + 997*i) },
		"hashes":  func(i int) string { return fmt.Sprintf("h1_%x", sha256.Sum256(fmt.Append(nil, i))) },
		"UUIDs":   func(i int) string { return uuid.NewSHA1(uuid.Nil, fmt.Append(nil, i)).String() },
		"none":    func(int) string { return "" },
	} {
		const each = 100
		var counts [VirtualPartitions]int
		for i := range each * VirtualPartitions {
			id := NewID(noon.Add(time.Duration(i)*time.Millisecond), sha256.Sum256(fmt.Append(nil, i)))
			counts[VirtualPartition("shop-01", visitor(i), id)]++ // out of range would panic
		}
		for partition, n := range counts {
			if n < each/2 || n > each*2 {
				t.Errorf("%s: partition %d has %d of %d visitors, want about %d", name, partition, n, each*VirtualPartitions, each)
			}
		}
	}
}

func TestShopsSpreadOver64BucketsForEver(t *testing.T) {
	for shop, want := range map[string]int{"shop-01": 31, "rees46": 2, "": 37} {
		if got := ShopBucket(shop); got != want {
			t.Errorf("bucket of %q is %d, want %d: tables are partitioned by it", shop, got, want)
		}
	}
	var counts [64]int
	for i := range 6400 {
		counts[ShopBucket(fmt.Sprintf("shop-%d", i))]++
	}
	for bucket, n := range counts {
		if n < 50 || n > 200 {
			t.Errorf("bucket %d has %d of 6400 shops, want about 100", bucket, n)
		}
	}
}
