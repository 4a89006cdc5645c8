package event

import (
	"errors"
	"hash/fnv"
	"math/big"
	"strings"
	"time"

	"github.com/google/uuid"
)

// IDTime returns the time in a UUIDv7, in milliseconds. An id is in lower case:
// in another it would be another event.
func IDTime(id string) (time.Time, error) {
	u, err := uuid.Parse(id)
	if err != nil || len(id) != 36 || strings.ContainsAny(id, "ABCDEF") || u.Version() != 7 || u.Variant() != uuid.RFC4122 {
		return time.Time{}, errors.New("not a UUID of version 7 in lower case")
	}
	ms := int64(u[0])<<40 | int64(u[1])<<32 | int64(u[2])<<24 | int64(u[3])<<16 | int64(u[4])<<8 | int64(u[5])
	return time.UnixMilli(ms).UTC(), nil
}

// NewID returns the UUIDv7 of t whose other bits are seed's first: the same
// event always gets the same id.
func NewID(t time.Time, seed [32]byte) string {
	var u uuid.UUID
	copy(u[6:], seed[:10])
	ms := t.UnixMilli()
	for i := range 6 {
		u[i] = byte(ms >> (40 - 8*i))
	}
	u[6] = 0x70 | u[6]&0x0f
	u[8] = 0x80 | u[8]&0x3f
	return u.String()
}

// ShopBucket spreads shops over 64 buckets, by which tables are partitioned.
func ShopBucket(shopID string) int { return int(hash(shopID) % 64) }

// VirtualPartitions is the number of partitions that a gateway stream's keys
// are drawn from: order is kept within one, and a large shop spreads over all.
const VirtualPartitions = 256

// VirtualPartition is the partition of a shop's visitor. Events without a
// visitor spread by their id.
func VirtualPartition(shopID, visitorID, eventID string) int {
	if visitorID == "" {
		visitorID = eventID
	}
	return int(hash(shopID+"\x00"+visitorID) % VirtualPartitions)
}

// HashKey is where a partition lies among the keys of a Kinesis stream. They lie
// evenly: a shard of any size holds its share of them, give or take one.
func HashKey(partition int) string {
	return new(big.Int).Lsh(big.NewInt(int64(partition)), 120).String() // of 128 bits
}

func hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s)) // never fails
	return h.Sum64()
}
