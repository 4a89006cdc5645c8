package putrecords

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

const throttled = "ProvisionedThroughputExceededException"

// stream is a Kinesis stream that answers each call as the test says.
type stream struct {
	answer func(call int, keys []string) (refused []string, err error)
	calls  [][]string // the keys of each call
	sizes  []int      // the bytes of each call
}

func (s *stream) PutRecords(ctx context.Context, in *kinesis.PutRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error) {
	var keys []string
	size := 0
	for _, r := range in.Records {
		keys = append(keys, *r.PartitionKey)
		size += len(r.Data) + len(*r.PartitionKey)
	}
	s.calls, s.sizes = append(s.calls, keys), append(s.sizes, size)
	refused, err := s.answer(len(s.calls)-1, keys)
	if err != nil {
		return nil, err
	}
	out := &kinesis.PutRecordsOutput{}
	for _, key := range keys {
		result := types.PutRecordsResultEntry{SequenceNumber: aws.String("1")}
		if slices.Contains(refused, key) {
			result = types.PutRecordsResultEntry{ErrorCode: aws.String(throttled)}
		}
		out.Records = append(out.Records, result)
	}
	return out, nil
}

func takesAll(int, []string) ([]string, error) { return nil, nil }

// entries returns n entries of size bytes with the keys 0, 1, 2, …
func entries(n, size int) []types.PutRecordsRequestEntry {
	all := make([]types.PutRecordsRequestEntry, n)
	data := make([]byte, size)
	for i := range all {
		all[i] = types.PutRecordsRequestEntry{Data: data, PartitionKey: aws.String(fmt.Sprint(i))}
	}
	return all
}

// put writes with s and returns what it told, such as "acked 0" and "failed 1".
func put(ctx context.Context, s *stream, all []types.PutRecordsRequestEntry) (told []string, err error) {
	err = Writer{Client: s, Stream: "gateway"}.Put(ctx, all,
		func(i int) { told = append(told, fmt.Sprint("acked ", i)) },
		func(i int) { told = append(told, fmt.Sprint("failed ", i)) })
	return told, err
}

func TestPut(t *testing.T) {
	tests := []struct {
		name string
		run  func(t *testing.T)
	}{
		{"sends only refused entries again", func(t *testing.T) {
			s := &stream{answer: func(call int, _ []string) ([]string, error) {
				return [][]string{{"1", "3"}, {"3"}, nil}[call], nil
			}}
			told, err := put(t.Context(), s, entries(4, 10))
			if err != nil {
				t.Fatal(err)
			}
			if want := [][]string{{"0", "1", "2", "3"}, {"1", "3"}, {"3"}}; fmt.Sprint(s.calls) != fmt.Sprint(want) {
				t.Errorf("got calls %v, want %v", s.calls, want)
			}
			want := []string{"acked 0", "acked 2", "failed 1", "failed 3", "acked 1", "failed 3", "acked 3"}
			if !slices.Equal(told, want) {
				t.Errorf("got told %v, want %v", told, want)
			}
		}},
		{"tells of each call's entries before the next call", func(t *testing.T) {
			acked := 0
			s := &stream{answer: func(call int, _ []string) ([]string, error) {
				if want := call * MaxEntries; acked != want {
					t.Errorf("at call %d, %d entries had been told, want %d", call, acked, want)
				}
				return nil, nil
			}}
			w := Writer{Client: s, Stream: "gateway"}
			if err := w.Put(t.Context(), entries(2*MaxEntries, 1), func(int) { acked++ }, nil); err != nil {
				t.Fatal(err)
			}
		}},
		{"sends everything again after an error of the whole call", func(t *testing.T) {
			s := &stream{answer: func(call int, _ []string) ([]string, error) {
				if call < 2 {
					return nil, errors.New("connection reset")
				}
				return nil, nil
			}}
			told, err := put(t.Context(), s, entries(2, 10))
			if want := "[[0 1] [0 1] [0 1]]"; err != nil || fmt.Sprint(s.calls) != want {
				t.Errorf("got calls %v and error %v, want %s", s.calls, err, want)
			}
			want := []string{"failed 0", "failed 1", "failed 0", "failed 1", "acked 0", "acked 1"}
			if !slices.Equal(told, want) {
				t.Errorf("got told %v, want %v", told, want)
			}
		}},
		{"goes on with the other calls when one fails", func(t *testing.T) {
			s := &stream{answer: func(call int, _ []string) ([]string, error) {
				if call == 0 {
					return nil, errors.New("connection reset")
				}
				return nil, nil
			}}
			if _, err := put(t.Context(), s, entries(MaxEntries+1, 1)); err != nil {
				t.Fatal(err)
			}
			if len(s.calls) != 3 || len(s.calls[1]) != 1 || len(s.calls[2]) != MaxEntries {
				t.Errorf("got calls of %d records, want 500, 1 and 500 again", lengths(s.calls))
			}
		}},
		{"waits longer and longer, at most 2 s", func(t *testing.T) {
			var at []time.Time
			s := &stream{answer: func(call int, keys []string) ([]string, error) {
				at = append(at, time.Now())
				if call < 20 {
					return keys, nil
				}
				return nil, nil
			}}
			if _, err := put(t.Context(), s, entries(1, 1)); err != nil {
				t.Fatal(err)
			}
			for i := 1; i < len(at); i++ {
				if wait := at[i].Sub(at[i-1]); wait > maxBackoff || wait == 0 || i > 5 && wait != maxBackoff {
					t.Errorf("wait %d is %s", i, wait)
				}
			}
		}},
		{"gives a call up after 5 s and tries again", func(t *testing.T) {
			hung := hanging{}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			start := time.Now()
			err := Writer{Client: &hung, Stream: "gateway"}.Put(ctx, entries(1, 1), func(int) {}, nil)
			if took := time.Since(start); took != 30*time.Second || hung.calls < 4 || hung.calls > 6 {
				t.Errorf("got %d calls in %s, want 4 to 6 in 30 s", hung.calls, took)
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want the deadline", err)
			}
		}},
		{"ends with its context and names what was refused", func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			s := &stream{answer: func(int, []string) ([]string, error) { return []string{"1"}, nil }}
			told, err := put(ctx, s, entries(3, 10))
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %v, want the deadline", err)
			}
			for _, want := range []string{"1 of 3 records", "stream gateway", throttled} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, which does not name %q", err, want)
				}
			}
			if want := []string{"acked 0", "acked 2", "failed 1"}; !slices.Equal(told[:3], want) {
				t.Errorf("got told %v, want first %v", told, want)
			}
		}},
		{"names the refusal though the last call ended with the context", func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			s := &stream{answer: func(call int, keys []string) ([]string, error) {
				if call == 0 {
					return keys, nil
				}
				cancel()
				return nil, context.Canceled
			}}
			if _, err := put(ctx, s, entries(1, 1)); err == nil || !strings.Contains(err.Error(), throttled) || !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want the cancellation and %s", err, throttled)
			}
		}},
		{"takes an answer for too few records as a refusal of all", func(t *testing.T) {
			short := &shortAnswer{}
			acked := 0
			if err := (Writer{Client: short, Stream: "gateway"}).Put(t.Context(), entries(3, 1), func(int) { acked++ }, nil); err != nil {
				t.Fatal(err)
			}
			if short.calls != 2 || acked != 3 {
				t.Errorf("got %d calls and %d acknowledged, want 2 and 3", short.calls, acked)
			}
		}},
		{"makes no call for no entries", func(t *testing.T) {
			s := &stream{answer: takesAll}
			if _, err := put(t.Context(), s, nil); err != nil || len(s.calls) != 0 {
				t.Errorf("got %d calls and error %v, want neither", len(s.calls), err)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { synctest.Test(t, tt.run) })
	}
}

func lengths(calls [][]string) (n []int) {
	for _, call := range calls {
		n = append(n, len(call))
	}
	return n
}

// hanging never answers.
type hanging struct{ calls int }

func (h *hanging) PutRecords(ctx context.Context, _ *kinesis.PutRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error) {
	h.calls++
	<-ctx.Done()
	return nil, ctx.Err()
}

// shortAnswer first answers for no record.
type shortAnswer struct{ calls int }

func (s *shortAnswer) PutRecords(_ context.Context, in *kinesis.PutRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error) {
	if s.calls++; s.calls == 1 {
		return &kinesis.PutRecordsOutput{}, nil
	}
	return &kinesis.PutRecordsOutput{Records: make([]types.PutRecordsResultEntry, len(in.Records))}, nil
}

func TestPutSplitsCalls(t *testing.T) {
	tests := []struct {
		name string
		n    int // entries
		size int // bytes of one, its key not counted
		want string
	}{
		{"not at 500 entries", 500, 1, "[500]"},
		{"above 500 entries", 501, 1, "[500 1]"},
		{"not at 4 MiB", 4, 1<<20 - 1, "[4]"},              // with keys of 1 byte exactly
		{"above 4 MiB, keys counted", 4, 1 << 20, "[3 1]"}, // without their keys they would fit
		{"so that the largest records fit", 9, 1 << 20, "[3 3 3]"},
		{"around an entry that is larger alone", 2, MaxBytes + 1, "[1 1]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &stream{answer: takesAll}
			told, err := put(t.Context(), s, entries(tt.n, tt.size))
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(lengths(s.calls)); got != tt.want {
				t.Errorf("got calls of %s records, want %s", got, tt.want)
			}
			if len(told) != tt.n {
				t.Errorf("got %d told, want %d", len(told), tt.n)
			}
			for i, size := range s.sizes {
				if size > MaxBytes && len(s.calls[i]) > 1 {
					t.Errorf("call %d has %d bytes, at most %d are allowed", i, size, MaxBytes)
				}
			}
		})
	}
}

func TestNewClientLeavesRetriesToTheWriter(t *testing.T) {
	if got := NewClient(aws.Config{Region: "eu-central-1"}).Options().RetryMaxAttempts; got != 1 {
		t.Errorf("got %d attempts, want 1", got)
	}
}
